//! Devices that are new: with a token, by a new key's own word, or by another device's.

use super::Routes;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
}
