//! Members: made, listed, looked up, logged in, deleted.

use super::Routes;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
}
