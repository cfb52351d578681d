//! HushNet's API, both as its documentation describes it and as its server and its app use it.
//!
//! A translation onto [`crate::domain::messenger`]. Where documentation and server disagree about a
//! path, the request tells them apart, as each route's file says; [`error`] has the two shapes that
//! failures take. Begin with `messages`.

mod acknowledging;
pub mod auth;
mod body;
mod chats;
mod contract;
mod cors;
mod devices;
mod enrolling;
pub mod error;
mod federation;
mod groups;
mod introductions;
mod keys;
mod login;
mod messages;
mod openapi;
mod path;
mod pending;
mod query;
mod root;
pub mod socket;
mod times;
mod users;
mod views;
mod written;

pub use openapi::openapi;

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::{StatusCode, header};
use axum::routing::{MethodRouter, get};

use crate::delivery::hub::Hub;
use crate::domain::messenger::Messenger;
use crate::domain::messenger::federation::Federation;
use crate::http::cors::Origins;
use crate::http::gate::Gate;
use crate::http::layers::Guard;
use crate::http::leftovers::Leftovers;
use auth::Verified;
use socket::Sockets;

/// What the handlers work with.
pub struct HushNetState {
    /// The rules of members, and what they stand on.
    pub messenger: Arc<Messenger>,
    /// The rules between gateways.
    pub federation: Arc<Federation>,
    /// Who is listening on this node.
    pub hub: Arc<Hub>,
    /// How often who may come in.
    pub gate: Arc<Gate>,
    /// What the operator chose.
    pub settings: HushNetSettings,
    /// Signatures that were found right, and enrolment tokens.
    pub verified: Arc<Verified>,
    /// Sockets.
    pub sockets: Sockets,
    /// Who finishes requests whose client has gone.
    pub leftovers: Arc<Leftovers>,
}

/// What an operator may choose for this dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HushNetSettings {
    /// The largest body of a request, bytes.
    pub body_limit: u64,
    /// The largest body of another gateway's request, bytes: what it passes on is a little larger
    /// than what its member sent.
    pub peer_body_limit: u64,
    /// The path under which the dialect is mounted; empty for the root.
    pub path_prefix: String,
    /// Whether `GET /users/{id}` answers `null` for an unknown user when nobody signed the request,
    /// as the original does; 404 otherwise.
    pub null_for_unknown_user: bool,
    /// Whether sockets without credentials are refused.
    pub socket_auth_required: bool,
    /// Whose pages may use it.
    pub origins: Origins,
    /// Whether other gateways may serve the same members from the same database.
    pub shares_members: bool,
}

/// Routes of this dialect.
type Routes = Router<Arc<HushNetState>>;

/// The routes of this dialect. Whatever goes wrong below them has this dialect's shape, unknown
/// paths and time-outs included.
pub fn router(state: Arc<HushNetState>, guard: Guard) -> Router {
    let (prefix, origins) = (state.settings.path_prefix.clone(), state.settings.origins.clone());
    let routes = Routes::new()
        .merge(root::routes())
        .merge(users::routes())
        .merge(enrolling::routes())
        .merge(devices::routes())
        .merge(keys::routes())
        .merge(login::routes())
        .merge(introductions::routes())
        .merge(chats::routes())
        .merge(groups::routes())
        .merge(messages::routes())
        .merge(pending::routes())
        .merge(acknowledging::routes())
        .merge(federation::routes())
        .merge(socket::routes())
        .with_state(state);
    let router = match prefix.as_str() {
        "" => routes,
        prefix => Router::new().nest(prefix, routes).merge(root::with_slash(prefix)),
    };
    error::surround(router, guard, &prefix, cors::pages(origins))
}

/// A route that `GET` alone may take: what it does, asking for its head must not do.
fn get_alone<H, T>(handler: H) -> MethodRouter<Arc<HushNetState>>
where
    H: Handler<T, Arc<HushNetState>>,
    T: 'static,
{
    let refused = || async { (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET")]) };
    get(handler).head(refused)
}

/// What the sockets at the root of the gateway's own address are below.
pub const ROOT_SOCKETS: &str = "/ws";

/// `/ws/{user_id}` at the root of the gateway's own address: the app drops the path under which the
/// dialect is mounted.
pub fn root_socket_router(state: Arc<HushNetState>, guard: Guard) -> Router {
    // A page needs no leave to open a socket; whether it may is found out there.
    let pages = cors::pages(Origins::None);
    error::surround(socket::routes().with_state(state), guard, "", pages)
}
