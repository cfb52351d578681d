//! `GET /try/gateway` and `GET /try/guests`: what the page has to know of the gateway, and who is
//! here.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use sealpost_sdk::ids::UserId;
use serde::Serialize;

use super::TryIt;
use crate::domain::guest::Guest;
use crate::http::problem::Problem;

/// An answer that is of this moment.
const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

/// What the page has to know.
#[derive(Serialize)]
struct About<'a> {
    api: &'a str,
    server_public_key: &'a str,
    echo: Entry<'a>,
}

/// Somebody to write to.
#[derive(Serialize)]
struct Entry<'a> {
    user_id: UserId,
    full_name: &'a str,
}

impl<'a> Entry<'a> {
    fn of(guest: &'a Guest) -> Self {
        Self { user_id: guest.user, full_name: &guest.full_name }
    }
}

#[derive(Serialize)]
struct Present<'a> {
    guests: Vec<Entry<'a>>,
}

pub(super) async fn gateway(
    State(state): State<Arc<TryIt>>,
    request: Request,
) -> Result<Response, Problem> {
    count(&state, &request)?;
    let host = state.guests.host();
    let about = About {
        api: &state.api,
        server_public_key: &state.server_public_key,
        echo: Entry { user_id: host.id, full_name: &host.full_name },
    };
    Ok(([(CACHE_CONTROL, NOT_KEPT)], Json(about)).into_response())
}

pub(super) async fn list(
    State(state): State<Arc<TryIt>>,
    request: Request,
) -> Result<Response, Problem> {
    count(&state, &request)?;
    state.guests.hear(|session| state.hub.is_listened_to(session)).await?;
    let present = state.guests.present();
    let guests = present.iter().map(Entry::of).collect();
    Ok(([(CACHE_CONTROL, NOT_KEPT)], Json(Present { guests })).into_response())
}

/// Counts a request for its address alone: nobody says here who he is.
fn count(state: &TryIt, request: &Request) -> Result<(), Problem> {
    let address = state.gate.address(request.extensions(), request.headers());
    Ok(state.gate.guest(address)?)
}
