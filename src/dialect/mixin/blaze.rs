//! The socket: `GET /` and `GET /blaze` with `Upgrade: websocket`.
//!
//! The credential is checked before the upgrade, and a refusal has its true status whatever the
//! operator chose for other requests: a client's library only knows that the upgrade failed. What
//! goes over the socket then stands in `docs/blaze.md`.

mod actions;
mod beginning;
mod codec;
mod frames;
mod sending;
mod session;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use sealpost_sdk::token::body_digest;
use sealpost_sdk::types::ErrorBody;
use sealpost_sdk::types::blaze::{BEARER_PROTOCOL, SUB_PROTOCOL};

use super::MixinState;
use super::auth::{Caller, authenticate, bearer};
use super::error::refusal;
use crate::domain::error::Fault;
use crate::domain::limits::Visitor;
use crate::domain::measures::Stage;
use crate::domain::session::Scope;
use crate::http::fault_log;
use crate::http::places::Place;
use crate::http::request_id::RequestId;
use crate::http::upgrade::{self, Upgrade};

/// How old a signed token may be that opens a socket.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// Opens a socket, or says why not with the true status.
pub async fn open(State(state): State<Arc<MixinState>>, request: Request) -> Response {
    let id = RequestId::of(&request);
    // A handshake has no body.
    upgrade(state, request.map(|_| ())).await.unwrap_or_else(|fault| {
        fault_log::log(&fault, &id);
        refusal(&fault)
    })
}

/// Open the socket
///
/// With `Upgrade: websocket` and the sub-protocol `Mixin-Blaze-1` this is the socket, as `GET /` is;
/// the frames are described in docs/blaze.md. A signed token was signed over `GET`, this path or
/// `/`, and no body, within the last hour. A client that cannot set headers names a second
/// sub-protocol, `bearer.` and the token. A refusal has its true status.
#[utoipa::path(
    get,
    path = "/blaze",
    operation_id = "open_socket",
    tag = "inbox",
    responses(
        (status = 101, description = "The socket is open"),
        (status = 401, body = ErrorBody, description = "The token is missing, not accepted, or was issued over an hour ago"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `receive`"),
        (status = 413, body = ErrorBody, description = "The session has as many sockets as it may"),
        (status = 426, body = ErrorBody, description = "The request does not ask for a socket"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn explain() -> Response {
    let mut answer = refusal(&Fault::malformed("this path is a socket: `Upgrade: websocket`"));
    *answer.status_mut() = StatusCode::UPGRADE_REQUIRED;
    let headers = answer.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    answer
}

async fn upgrade(state: Arc<MixinState>, mut request: Request<()>) -> Result<Response, Fault> {
    let guest = identify(&state, &request).await?;
    let (mut answer, upgrade) = upgrade::accept(&mut request)?;
    if protocols(request.headers()).any(|one| one == SUB_PROTOCOL) {
        let protocol = HeaderValue::from_static(SUB_PROTOCOL);
        answer.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let place = state.sockets.take(guest.caller.owner.session.number)?;
    tokio::spawn(serve(state, guest, upgrade, place));
    Ok(answer)
}

/// Waits for the connection, and begins to serve the socket.
async fn serve(state: Arc<MixinState>, guest: Guest, upgrade: Upgrade, place: Place) {
    let limit = usize::try_from(state.settings.body_limit).unwrap_or(usize::MAX);
    let Some(wire) = upgrade.wire(&place, limit).await else { return };
    // In a task of its own, and in a box: what the handshake took is given back, and a future that
    // is handed on would take its room once more in the one around it.
    let session = Box::pin(session::run(state, guest, wire));
    tokio::spawn(place.keep(session));
}

/// Somebody who comes in.
struct Guest {
    /// Who it is.
    caller: Caller,
    /// Whose limits what it does counts against.
    visitor: Visitor,
}

async fn identify(state: &MixinState, request: &Request<()>) -> Result<Guest, Fault> {
    let address = state.gate.address(request.extensions(), request.headers());
    state.gate.may_knock(address)?;
    let known = state.gateway.timed(Stage::Auth, credential(state, request)).await;
    let caller = state.gate.judged(known, address)?;
    caller.require(Scope::Receive)?;
    let visitor = Visitor { account: Some(caller.owner.account.number), address };
    state.gate.socket(&visitor)?;
    Ok(Guest { caller, visitor })
}

async fn credential(state: &MixinState, request: &Request<()>) -> Result<Caller, Fault> {
    let headers = request.headers();
    let in_protocol = protocols(headers).find_map(|one| one.strip_prefix(BEARER_PROTOCOL));
    let token = bearer(headers).or(in_protocol).ok_or_else(|| {
        Fault::unauthorized("there is no token, neither as a header nor as a sub-protocol")
    })?;
    let authenticated = authenticate(state, token).await?;
    authenticated.require_fresh(state, Some(FRESH))?;
    authenticated.for_request(state, || digests(state, request))
}

/// What `sig` may be: over the path as it came, over `/`, and over the same below the prefix.
fn digests(state: &MixinState, request: &Request<()>) -> Vec<String> {
    let came = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let prefix = &state.settings.path_prefix;
    let below = came.strip_prefix(prefix.as_str()).filter(|path| !path.is_empty());
    let paths = [came, "/", below.unwrap_or("/"), prefix, &format!("{prefix}/")];
    let digests = paths.iter().filter(|path| !path.is_empty());
    digests.map(|path| body_digest("GET", path, b"")).collect()
}

/// The sub-protocols that the client offers.
fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let offers = offers.filter_map(|offer| offer.to_str().ok());
    offers.flat_map(|offer| offer.split(',')).map(str::trim)
}
