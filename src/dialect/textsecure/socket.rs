//! The sockets: `GET /v1/websocket/` with the credentials in the query.
//!
//! Clients of two times open the same path. The earlier ones say `user` and speak JSON, the later
//! ones say `login` and speak protobuf. Whose credentials are not good gets a socket that closes
//! with a code of its own: a browser tells its page nothing about a handshake that failed.

mod arrived;
mod json;
pub mod language;
pub mod protobuf;
mod query;
pub mod seats;
mod session;
mod shown;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use utoipa::OpenApi;

use self::language::Language;
use self::seats::{Seat, Seats};
use super::TextSecureState;
use super::auth::Caller;
use super::paths::{Routes, route};
use super::provisioning::{self, Lobby};
use crate::domain::error::Fault;
use crate::domain::ids::SessionNumber;
use crate::domain::limits::Visitor;
use crate::domain::measures::Stage;
use crate::http::places::{Place, Places};
use crate::http::problem::Problem;
use crate::http::upgrade::{self, Upgrade, asks_for_socket};

/// The code with which a socket closes whose credentials are not good.
pub(super) const BAD_CREDENTIALS: CloseCode = CloseCode::Library(4001);

/// How long a peer may take to say good-bye.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);

/// The largest frame of a client, in bytes. What clients say is short.
pub(super) const FRAME_LIMIT: usize = 16 * 1024;

/// The sockets of this dialect on this node.
#[derive(Debug)]
pub struct Sockets {
    /// Room for them, shared with other dialects.
    pub places: Arc<Places>,
    /// Which devices have one.
    pub seats: Arc<Seats>,
    /// New devices that wait for what they need to be linked.
    pub lobby: Arc<Lobby>,
}

impl Sockets {
    /// None yet.
    #[must_use]
    pub fn new(places: Arc<Places>) -> Self {
        Self { places, seats: Arc::default(), lobby: Arc::default() }
    }

    /// A place for a further socket of a device, and the device's seat. The older socket is told to
    /// leave once there is a place: whoever is refused keeps what it had.
    fn settle(&self, session: SessionNumber) -> Result<(Seat, Place), Fault> {
        let place = self.places.take(session);
        if let Err(Fault::TooLarge { .. }) = place {
            // Its own sockets are in the way, which may be dead; it will come again.
            drop(self.seats.take(session));
        }
        let place = place?;
        Ok((self.seats.take(session), place))
    }
}

/// The paths of the sockets.
pub(super) fn routes() -> Routes {
    let routes = route(Routes::new(), "/v1/websocket", get(open));
    route(routes, "/v1/websocket/provisioning", get(provisioning::open))
}

/// A device that opens a socket.
struct Guest {
    caller: Caller,
    language: Language,
}

impl Guest {
    fn visitor(&self) -> &Visitor {
        &self.caller.visitor
    }
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(open))]
    struct Paths;
    Paths::openapi()
}

/// `GET /v1/websocket/`: opens a socket.
#[utoipa::path(
    get, path = "/v1/websocket", operation_id = "open_phone_socket", tag = "TextSecure",
    summary = "Open a socket",
    description = "The device gets its messages, and acknowledges them. With `login` frames are \
        binary and hold requests in protobuf, with `user` they are text and hold JSON. Credentials \
        that are not good close the socket with 4001.",
    params(
        ("login" = Option<String>, Query, description = "The number, or `NUMBER.DEVICE`, of later clients"),
        ("user" = Option<String>, Query, description = "The same of earlier clients"),
        ("password" = String, Query, description = "The device's password"),
    ),
    responses(
        (status = 101, description = "The socket is open"),
        (status = 415, description = "The handshake is none"),
        (status = 426, description = "The request does not ask for a socket"),
    ),
)]
async fn open(State(state): State<Arc<TextSecureState>>, request: Request) -> Response {
    if !asks_for_socket(request.headers()) {
        return no_handshake();
    }
    // A handshake has no body.
    answer(state, request.map(|_| ()))
        .await
        .unwrap_or_else(|fault| Problem::from(fault).into_response())
}

/// The answer to a request for a socket's path that does not ask for one.
pub(super) fn no_handshake() -> Response {
    let upgrade = [
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
    ];
    (StatusCode::UPGRADE_REQUIRED, upgrade).into_response()
}

async fn answer(
    state: Arc<TextSecureState>,
    mut request: axum::http::Request<()>,
) -> Result<Response, Fault> {
    let address = state.gate.address(request.extensions(), request.headers());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let guest = match identify(&state, &query, address).await {
        Err(Fault::Unauthorized { .. }) => None,
        known => Some(known?),
    };
    let (answer, upgrade) = upgrade::accept(&mut request)?;
    match guest {
        None => {
            let place = state.sockets.places.take_unnamed()?;
            tokio::spawn(turn_away(upgrade, place));
        }
        Some(guest) => {
            let (seat, place) = state.sockets.settle(guest.caller.device.session)?;
            tokio::spawn(serve(state, guest, seat, upgrade, place));
        }
    }
    Ok(answer)
}

async fn identify(
    state: &TextSecureState,
    query: &str,
    address: Option<IpAddr>,
) -> Result<Guest, Fault> {
    state.gate.may_knock(address)?;
    let (language, credentials) = query::read(query);
    let known = async {
        let none = || Fault::unauthorized("there are no credentials in the query");
        state.verified.check(state, credentials.ok_or_else(none)?).await
    };
    let known = state.switchboard.gateway.timed(Stage::Auth, known);
    let (phone, device) = state.gate.judge(known, address).await?;
    let visitor = Visitor { account: Some(phone.account), address };
    state.gate.socket(&visitor)?;
    Ok(Guest { caller: Caller { phone, device, visitor }, language })
}

/// Says good-bye to somebody whom nobody knows.
async fn turn_away(upgrade: Upgrade, place: Place) {
    let Some(wire) = upgrade.wire(&place, FRAME_LIMIT).await else { return };
    wire.close(None, BAD_CREDENTIALS, "the credentials are not good", FAREWELL).await;
}

/// Waits for the connection, and begins to serve the socket.
async fn serve(
    state: Arc<TextSecureState>,
    guest: Guest,
    seat: Seat,
    upgrade: Upgrade,
    place: Place,
) {
    let Some(wire) = upgrade.wire(&place, FRAME_LIMIT).await else { return };
    // In a task of its own, and in a box: what the handshake took is given back, and a future that
    // is handed on would take its room once more in the one around it.
    let session = Box::pin(session::run(state, guest, seat, wire));
    tokio::spawn(place.keep(session));
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const ANNA: SessionNumber = SessionNumber(1);

    #[tokio::test]
    async fn a_socket_for_which_there_is_no_place_dismisses_no_older_one() {
        let sockets = Sockets::new(Arc::new(Places::new(1, 8)));
        let (seat, _place) = sockets.settle(ANNA).unwrap();
        assert!(sockets.settle(ANNA).is_err());
        assert!(seat.taken_away().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_device_gets_rid_of_a_socket_that_takes_its_own_place() {
        let sockets = Sockets::new(Arc::new(Places::new(9, 1)));
        let (seat, place) = sockets.settle(ANNA).unwrap();
        assert!(sockets.settle(ANNA).is_err());
        seat.taken_away().await;
        drop((seat, place));
        sockets.settle(ANNA).unwrap();
    }
}
