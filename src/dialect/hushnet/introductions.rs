//! Sessions in the protocol's words: introductions and their confirmation.

use super::Routes;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
}
