//! Prekeys: handed out, refilled, replaced.

use super::Routes;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
}
