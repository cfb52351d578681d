//! Sockets: what happens to a member, told at once. `GET /ws/{user_id}` follows the server's
//! contract, `GET /ws?user_id=` the document's.
//!
//! A socket is opened for a device: the one whose credentials are in the headers of the handshake or
//! in its query, or else the one that was last at the same address.
//! It ends with that device.

mod events;
mod query;
mod seats;
mod session;

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa::OpenApi;

use self::seats::{Displaced, OwnSeat, Seats};
use self::session::Means;
use super::auth::Caller;
use super::error::{Contract, Refusal};
use super::{HushNetState, Routes};
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, SessionNumber, UserId};
use crate::domain::limits::{Visitor, network_of};
use crate::domain::messenger::Member;
use crate::http::places::{Place, Places};
use crate::http::shares::{Share, Shares};
use crate::http::upgrade::{self, Upgrade, asks_for_socket};

/// The largest frame of a client, in bytes. Nothing that clients say means anything.
const FRAME_LIMIT: usize = 4 * 1024;

/// The sockets of this dialect on this node.
#[derive(Debug)]
pub struct Sockets {
    places: Arc<Places>,
    users: Arc<Seats>,
    addresses: Arc<Shares<IpAddr>>,
}

impl Sockets {
    /// None yet. A member may have `per_user` at the same time, an address `per_address`; 0 for any
    /// number.
    #[must_use]
    pub fn new(places: Arc<Places>, per_user: u64, per_address: u64) -> Self {
        let per_address = if per_address == 0 { u64::MAX } else { per_address };
        Self {
            places,
            users: Arc::new(Seats::new(per_user)),
            addresses: Arc::new(Shares::new(per_address)),
        }
    }
}

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new().route("/ws/{user_id}", get(open)).route("/ws", get(open_documented))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(open, open_documented))]
    struct Paths;
    Paths::openapi()
}

/// A device that opens a socket.
#[derive(Clone, Debug)]
struct Guest {
    user: UserId,
    device: SessionNumber,
    /// Whether it has shown its own credentials.
    is_signed: bool,
    contract: Contract,
    visitor: Visitor,
}

/// What a socket holds for as long as it is open.
struct Seat {
    place: Place,
    _user: OwnSeat,
    _address: Option<Share<IpAddr>>,
}

/// `GET /ws/{user_id}`: opens a socket of the server's contract.
#[utoipa::path(
    get, path = "/ws/{user_id}", operation_id = "open_hushnet_socket", tag = "HushNet",
    summary = "Open a socket",
    description = "Tells the member of messages, pending sessions, sessions, devices and receipts, each as `{\"event_type\",\"payload\"}`. Nothing that a client says means anything. Without credentials it opens at an address from which a device of the member signed a request, logged in or was enrolled within ten minutes, or has had a socket until then. Where the user has as many as it may, the oldest one without credentials from the same address ends, or for a handshake with credentials that of any address. It is there at the root of the gateway's own address, too.",
    params(
        ("user_id" = String, Path, description = "The member"),
        ("ik" = Option<String>, Query, description = "What `X-Identity-Key` would say, for clients that cannot set headers"),
        ("ts" = Option<String>, Query, description = "What `X-Timestamp` would say"),
        ("nonce" = Option<String>, Query, description = "What `X-Nonce` would say"),
        ("v" = Option<String>, Query, description = "What `X-Signature-Version` would say"),
        ("sig" = Option<String>, Query, description = "What `X-Signature` would say. A strong one is the last member and covers the path with all of the query before it"),
    ),
    responses(
        (status = 101, description = "The socket is open"),
        (status = 400, description = "The request does not ask for a socket, or the credentials cannot be read"),
        (status = 401, description = "The handshake is not signed, and no device of the user was heard from this address within ten minutes; or the credentials are not accepted"),
        (status = 403, description = "The device is somebody else's"),
        (status = 404, description = "There is no such user at this gateway"),
        (status = 415, description = "The handshake is none"),
        (status = 429, description = "The user, or the address, has as many sockets as it may"),
        (status = 503, description = "All sockets are taken"),
    ),
)]
async fn open(
    State(state): State<Arc<HushNetState>>,
    Path(user): Path<String>,
    request: Request,
) -> Response {
    answer(state, Some(&user), Contract::Server, request).await
}

/// `GET /ws?user_id=`: opens a socket of the document's contract.
#[utoipa::path(
    get, path = "/ws", operation_id = "open_hushnet_socket_documented", tag = "HushNet",
    summary = "Open a socket, as the documentation has it",
    description = "As `/ws/{user_id}`, with flat events: `{\"type\",…}`. `session` tells of a pending session as well.",
    params(
        ("user_id" = String, Query, description = "The member"),
        ("ik" = Option<String>, Query, description = "What `X-Identity-Key` would say, for clients that cannot set headers"),
        ("ts" = Option<String>, Query, description = "What `X-Timestamp` would say"),
        ("nonce" = Option<String>, Query, description = "What `X-Nonce` would say"),
        ("v" = Option<String>, Query, description = "What `X-Signature-Version` would say"),
        ("sig" = Option<String>, Query, description = "What `X-Signature` would say. A strong one is the last member and covers the path with all of the query before it"),
    ),
    responses(
        (status = 101, description = "The socket is open"),
        (status = 400, description = "The request does not ask for a socket, or the credentials cannot be read"),
        (status = 401, description = "The handshake is not signed, and no device of the user was heard from this address within ten minutes; or the credentials are not accepted"),
        (status = 403, description = "The device is somebody else's"),
        (status = 404, description = "There is no such user at this gateway"),
        (status = 415, description = "The handshake is none"),
        (status = 422, description = "`user_id` is missing"),
        (status = 429, description = "The user, or the address, has as many sockets as it may"),
        (status = 503, description = "All sockets are taken"),
    ),
)]
async fn open_documented(State(state): State<Arc<HushNetState>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let user = crate::http::query::member(&query, "user_id");
    answer(state, user, Contract::Document, request).await
}

async fn answer(
    state: Arc<HushNetState>,
    user: Option<&str>,
    contract: Contract,
    request: Request,
) -> Response {
    // A handshake has no body.
    let (parts, _) = request.into_parts();
    accept(state, user, contract, parts).await.unwrap_or_else(IntoResponse::into_response)
}

async fn accept(
    state: Arc<HushNetState>,
    user: Option<&str>,
    contract: Contract,
    mut parts: Parts,
) -> Result<Response, Refusal> {
    if !asks_for_socket(&parts.headers) {
        let fault = Fault::malformed("this path is a socket: `Upgrade: websocket`");
        return Err(Refusal::plain(fault, StatusCode::BAD_REQUEST, NO_HANDSHAKE));
    }
    let user = user.ok_or_else(|| Fault::invalid("user_id", "is missing"))?;
    let address = state.gate.address(&parts.extensions, &parts.headers);
    state.gate.may_knock(address)?;
    let member = match find(&state, user).await? {
        Some(member) => member,
        None => {
            state.gate.stranger(address)?;
            return Err(Fault::NotFound { what: "user" }.into());
        }
    };
    let (device, is_signed) = identify(&state, &member, address, &mut parts).await?;
    let visitor = Visitor { account: Some(member.account), address };
    state.gate.socket(&visitor)?;
    // From here on nothing is missed, not even that the device has ended since.
    let listener = state.hub.listen_to_member(member.account, device);
    if !state.messenger.gateway.store.member_device_is_live(device).await? {
        return Err(stranger(&state, address));
    }
    let guest = Guest { user: member.user, device, is_signed, contract, visitor };
    let mut request = axum::http::Request::from_parts(parts, ());
    let (answer, upgrade) = upgrade::accept(&mut request)?;
    let (seat, displaced) = state.sockets.seat(member.account, address, is_signed)?;
    let means = Means {
        messenger: state.messenger.clone(),
        gate: state.gate.clone(),
        verified: state.verified.clone(),
        listener,
        displaced,
    };
    tokio::spawn(serve(means, guest, upgrade, seat));
    Ok(answer)
}

/// The words of the original for a request that is no handshake.
const NO_HANDSHAKE: &str = "Connection header did not include 'upgrade'";

/// The member of this gateway with that id.
async fn find(state: &HushNetState, user: &str) -> Result<Option<Arc<Member>>, Fault> {
    let Ok(user) = UserId::parse(user) else { return Ok(None) };
    let member = state.messenger.gateway.store.member(user).await?;
    Ok(member.filter(|member| member.relay.is_none()))
}

/// The device that a socket is opened for, and whether it has signed that.
async fn identify(
    state: &Arc<HushNetState>,
    member: &Member,
    address: Option<IpAddr>,
    parts: &mut Parts,
) -> Result<(SessionNumber, bool), Refusal> {
    if query::has_credentials(parts) {
        let caller = Caller::from_request_parts(parts, state).await?;
        if caller.member.account != member.account {
            return Err(Fault::forbidden("this is not the socket of the device's user").into());
        }
        return Ok((caller.device.session, true));
    }
    let now = state.messenger.gateway.clock.now();
    let device = state.verified.device_here(member.account, address, now);
    let device = device.filter(|device| {
        !state.settings.socket_auth_required
            && may_be_the_members(state, &parts.headers)
            && signs_weakly(member, *device)
    });
    device.map(|device| (device, false)).ok_or_else(|| stranger(state, address))
}

/// Whether a handshake without credentials may be one of the member's own programs. A page that
/// somebody looks at comes from the same address, whoever wrote it: its browser says where it is
/// from.
fn may_be_the_members(state: &HushNetState, headers: &HeaderMap) -> bool {
    headers.get(header::ORIGIN).is_none_or(|origin| state.settings.origins.have(origin))
}

/// Whether a device is there and need not sign its handshakes: who signs all of a request signs them
/// as well, even if it did not when it was last heard.
fn signs_weakly(member: &Member, session: SessionNumber) -> bool {
    member.devices.iter().any(|device| device.session == session && !device.is_strong)
}

/// The answer to somebody whom no device vouches for.
fn stranger(state: &HushNetState, address: Option<IpAddr>) -> Refusal {
    if let Err(fault) = state.gate.stranger(address) {
        return fault.into();
    }
    let fault = Fault::unauthorized("the handshake of this socket has to be signed");
    Refusal::plain(fault, StatusCode::UNAUTHORIZED, "Missing X-Identity-Key")
}

/// Too many at the same time; another one may end at any moment.
fn full(what: &'static str) -> Fault {
    Fault::RateLimited { what, retry_after: Duration::from_secs(30) }
}

impl Sockets {
    /// Room for one more socket, and what tells it that another one wants it.
    fn seat(
        &self,
        account: AccountNumber,
        address: Option<IpAddr>,
        is_signed: bool,
    ) -> Result<(Seat, Option<Displaced>), Fault> {
        let network = address.map(network_of);
        // Programs on this machine are not counted.
        let address = network.map(|network| {
            let share = self.addresses.take(network, 1);
            share.ok_or_else(|| full("the address's sockets"))
        });
        let address = address.transpose()?;
        let place = self.places.take_unnamed()?;
        // The last, since it may cost somebody else theirs.
        let seat = self.users.take(account, network, is_signed);
        let (user, displaced) = seat.ok_or_else(|| full("the user's sockets"))?;
        Ok((Seat { place, _user: user, _address: address }, displaced))
    }
}

/// Waits for the connection, and begins to serve the socket.
async fn serve(means: Means, guest: Guest, upgrade: Upgrade, seat: Seat) {
    let Some(wire) = upgrade.wire(&seat.place, FRAME_LIMIT).await else { return };
    // In a task of its own, and in a box: what the handshake took is given back, and a future that
    // is handed on would take its room once more in the one around it.
    let session = Box::pin(session::run(means, guest, wire));
    tokio::spawn(keep(session, seat));
}

async fn keep(session: Pin<Box<impl Future<Output = ()>>>, seat: Seat) {
    let Seat { place, _user, _address } = seat;
    place.keep(session).await;
}
