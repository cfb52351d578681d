//! What waits for a device.

use super::Routes;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
}
