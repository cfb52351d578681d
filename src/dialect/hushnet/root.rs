//! What the gateway says of itself: `/` and `/health`.

use super::Routes;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
}
