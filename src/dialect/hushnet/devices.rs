//! Devices: listed, looked up, renamed, ended.

use super::Routes;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
}
