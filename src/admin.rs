//! The operator's API: accounts, sessions, tokens, invitations, codes for phones and the gateway's
//! state.
//!
//! It listens on a Unix socket in the data directory that only the directory's owner may open;
//! that is its authentication. The `sealpost` command speaks it too, over the socket when a
//! gateway runs and within its own process when none does.

mod accounts;
pub mod client;
mod invites;
mod mode;
mod request;
mod sessions;
mod set_aside;
mod status;
mod textsecure;
mod tokens;
pub mod types;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post};

use crate::domain::Gateway;
use crate::domain::clock::Timestamp;
use crate::domain::phone::Switchboard;
use crate::http::problem;
use crate::http::switch::Switch;

/// What the operator's API works with.
#[derive(Clone)]
pub struct AdminState {
    /// The rules.
    pub gateway: Arc<Gateway>,
    /// The gateway's own Ed25519 key in hex, as keystores hold it.
    pub server_public_key: Arc<str>,
    /// When this process opened the data directory.
    pub started_at: Timestamp,
    /// Where clients are served; `None` when they are not.
    pub address: Option<SocketAddr>,
    /// How many sockets are open.
    pub sockets: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// The rules of phones.
    pub switchboard: Option<Arc<Switchboard>>,
    /// What clients are let do.
    pub switch: Arc<Switch>,
}

/// The operator's API, problem documents included.
pub fn router(state: AdminState) -> Router {
    let making = Router::new()
        .route("/admin/v1/accounts", post(accounts::create))
        .route("/admin/v1/accounts/{user_id}/sessions", post(sessions::add))
        .route("/admin/v1/sessions/{session_id}", delete(sessions::revoke))
        .route(
            "/admin/v1/sessions/{session_id}/tokens",
            post(tokens::create).delete(tokens::revoke),
        )
        .route("/admin/v1/invites", get(invites::list).post(invites::create))
        .route("/admin/v1/invites/{invite_id}", delete(invites::revoke))
        .route("/admin/v1/textsecure/codes", get(textsecure::codes));
    with_problems(overseeing().merge(making), state)
}

/// The part of it that shows what there is, sets inboxes free and turns the switch: nobody comes to
/// keys, codes or tokens by it.
pub fn overseeing_router(state: AdminState) -> Router {
    with_problems(overseeing(), state)
}

fn overseeing() -> Router<AdminState> {
    let aside = "/admin/v1/sessions/{session_id}/set_aside";
    Router::new()
        .route("/admin/v1/status", get(status::status))
        .route("/admin/v1/check", get(status::check))
        .route("/admin/v1/mode", get(mode::show).put(mode::set))
        .route("/admin/v1/accounts", get(accounts::list))
        .route("/admin/v1/accounts/{user_id}", get(accounts::show))
        .route("/admin/v1/accounts/{user_id}/sessions", get(sessions::list))
        .route("/admin/v1/stuck", get(set_aside::stuck))
        .route(aside, get(set_aside::list))
        .route(&format!("{aside}/{{message_id}}"), delete(set_aside::drop))
        .route(&format!("{aside}/{{message_id}}/retry"), post(set_aside::retry))
}

fn with_problems(routes: Router<AdminState>, state: AdminState) -> Router {
    routes
        .fallback(problem::unknown_path)
        .method_not_allowed_fallback(problem::unknown_method)
        .with_state(state)
}
