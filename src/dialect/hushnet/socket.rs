//! Sockets: what happens to a member, told at once.

use super::Routes;

/// The sockets of this dialect.
#[derive(Debug, Default)]
pub struct Sockets;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
}
