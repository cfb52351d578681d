//! Other gateways: what they ask of this one (`/s2s/…`), and what members here send to theirs.
//!
//! What a gateway brings counts against no limit of a single account or address: it brings what many
//! send.

mod asking;
mod forwarding;
mod peer;
mod receiving;
mod shapes;

pub(super) use forwarding::{forward_introductions, forward_message};
pub(super) use shapes::Done as Forwarded;

use super::Routes;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    asking::routes().merge(receiving::routes())
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = asking::openapi();
    document.merge(receiving::openapi());
    document
}
