//! The first version of the TextSecure protocol, in both of its editions: for phones and clients as
//! they shipped from 2013 to 2015.
//!
//! A translation onto [`crate::domain::phone`]: Basic credentials become a device, prekeys and
//! messages keep the bytes that their owners wrote, and what goes wrong becomes a bare status.
//! Begin with `messages`.

mod accounts;
mod attachments;
pub mod auth;
pub mod cors;
mod devices;
mod directory;
pub mod envelope;
pub mod error;
pub mod federation;
pub mod json;
mod keys;
mod messages;
pub mod notifying;
mod openapi;
mod outgoing;
mod paths;
pub mod provisioning;
mod pull;
mod receipts;
mod registering;
mod relay;
pub mod socket;

pub use openapi::openapi;

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;

use crate::delivery::hub::Hub;
use crate::domain::attachment::Files;
use crate::domain::phone::Switchboard;
use crate::http::blobs::{Addresses, BlobUrls};
use crate::http::course::Course;
use crate::http::gate::Gate;
use crate::http::layers::{Asks, Guard};
use crate::http::leftovers::Leftovers;
use crate::http::matched;
use auth::Verified;
use federation::peer::Peers;
use socket::Sockets;

/// What the handlers work with.
pub struct TextSecureState {
    /// The rules of phones, and what they stand on.
    pub switchboard: Arc<Switchboard>,
    /// Who is listening on this node.
    pub hub: Arc<Hub>,
    /// How often who may come in.
    pub gate: Arc<Gate>,
    /// Attachments.
    pub files: Arc<Files>,
    /// Where their bytes go and come from.
    pub urls: Arc<BlobUrls>,
    /// The gateway as its clients reach it.
    pub addresses: Addresses,
    /// What the operator chose.
    pub settings: TextSecureSettings,
    /// Passwords that were found right.
    pub verified: Verified,
    /// Other gateways that may call.
    pub peers: Peers,
    /// Sockets.
    pub sockets: Sockets,
    /// Who finishes requests whose client has gone.
    pub leftovers: Arc<Leftovers>,
}

/// What an operator may choose for this dialect.
#[derive(Clone, Debug)]
pub struct TextSecureSettings {
    /// The largest body of a request, bytes.
    pub body_limit: u64,
    /// Whether whoever asks for a code by the transport `dev` reads it in the answer.
    pub dev_transport: bool,
}

/// What all paths of this dialect are below.
pub const PLACES: [&str; 2] = ["/v1", "/v2"];

/// The routes of this dialect. Whatever goes wrong below them has this dialect's shape, unknown
/// paths and time-outs included.
pub fn router(state: Arc<TextSecureState>, guard: Guard) -> Router {
    let router = Router::new()
        .merge(accounts::routes())
        .merge(attachments::routes())
        .merge(devices::routes())
        .merge(directory::routes())
        .merge(federation::routes())
        .merge(keys::routes())
        .merge(messages::routes())
        .merge(provisioning::routes())
        .merge(pull::routes())
        .merge(receipts::routes())
        .merge(socket::routes())
        .method_not_allowed_fallback(error::method_not_allowed)
        .fallback(error::unknown_path)
        .with_state(state);
    router.layer(from_fn_with_state(guard, surround))
}

async fn surround(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    if let Some(answer) = cors::preflight(request.method(), request.headers()) {
        return answer;
    }
    let course = Course::of(request.extensions_mut());
    let shape = error::Shape::of(&request);
    let path = request.extensions().get::<MatchedPath>().cloned();
    let asks = Asks::briefly(paths::effect(request.method(), path.as_ref()));
    let mut response = shape.give(guard.answer(course, asks, next.run(request)).await);
    matched::note(path, &mut response);
    cors::allow(&mut response);
    response
}
