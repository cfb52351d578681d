//! Other gateways: what they ask of this one (`/s2s/…`), and what members here send to theirs.

mod forwarding;

pub(super) use forwarding::{forward_introductions, forward_message};

use super::Routes;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
}
