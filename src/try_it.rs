//! The page to try the gateway with: `/try`, for whoever reaches it.
//!
//! Everything is sealed and opened in the browser, by the modules in `try_it/page`, which talk to the
//! bot API as any other client would. What is here hands them out, makes guests' accounts for keys
//! that were made in the browser, and tells who is here. The rules of guests are in
//! [`crate::domain::guest`].

mod accounts;
mod guests;
mod page;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use crate::delivery::hub::Hub;
use crate::domain::clock::Clock;
use crate::domain::guest::Guests;
use crate::http::gate::Gate;
use crate::http::layers::{self, Guard};
use crate::http::matched::note_route;
use crate::http::problem;

/// The path that everything here is at or below.
pub const PLACE: &str = "/try";

/// What the handlers work with.
pub struct TryIt {
    /// Who is here, and their host.
    pub guests: Guests,
    /// Who is listening on this node.
    pub hub: Arc<Hub>,
    /// How often who may come in.
    pub gate: Arc<Gate>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The gateway's own Ed25519 public key, lower-case hex: the `aud` of sign-ups.
    pub server_public_key: Arc<str>,
    /// The path below which the bot API is, `/` and a name, or empty for the root.
    pub api: String,
    /// How far a browser's clock may be ahead of ours.
    pub clock_ahead: Duration,
}

/// The page, its files, and what it asks for besides the bot API.
pub fn router(state: Arc<TryIt>, guard: Guard) -> Router {
    let router = Router::new()
        .route("/try", get(page::show))
        .route("/try/", get(page::without_slash))
        .route("/try/accounts", post(accounts::create))
        .route("/try/gateway", get(guests::gateway))
        .route("/try/guests", get(guests::list))
        .route("/try/{file}", get(page::file))
        .method_not_allowed_fallback(problem::unknown_method)
        .fallback(problem::unknown_path)
        .with_state(state)
        .layer(from_fn(note_route));
    layers::guard(router, guard)
}
