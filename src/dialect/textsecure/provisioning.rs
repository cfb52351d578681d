//! Linking a device by its picture: a new device opens a socket, gets an address, and shows it. The
//! phone that scans it posts there what the device needs, encrypted for it alone.
//!
//! | | |
//! | --- | --- |
//! | `GET /v1/websocket/provisioning/` | the socket of the new device; nobody knows it yet |
//! | `PUT /v1/address` on it | its address |
//! | `PUT /v1/provisioning/{address}` | the phone posts |
//! | `PUT /v1/message` on it | what was posted; then the socket closes |

mod lobby;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::put;
use base64::Engine;
use bytes::Bytes;
use prost::Message as _;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use utoipa::{OpenApi, ToSchema};

use super::TextSecureState;
use super::auth::BASE64;
use super::json::Json;
use super::paths::{Routes, route};
use super::socket::language::Said;
use super::socket::{FRAME_LIMIT, no_handshake, protobuf};
use crate::delivery::hub::Hub;
use crate::domain::error::Fault;
use crate::domain::phone::PhoneLimit;
use crate::http::path::PathPart;
use crate::http::places::Place;
use crate::http::problem::Problem;
use crate::http::upgrade::{self, Upgrade, asks_for_socket};
use crate::http::wire::{Heard, Turn, Wire};

pub use lobby::{Lobby, Waiting};

/// How long a new device may wait.
const LIFE: Duration = Duration::from_secs(5 * 60);

/// How long it may refuse to read.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may take to read the last that is said.
const FAREWELL: Duration = Duration::from_secs(10);

/// The most that may be posted to it, in bytes.
const LARGEST: usize = 16 * 1024;

/// How many answers wait to be written before no more is read.
const ANSWERS: usize = 4;

/// Where a new device is reached.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Address {
    #[prost(string, optional, tag = "1")]
    uuid: Option<String>,
}

/// What a phone posts.
#[derive(Deserialize, ToSchema)]
#[schema(as = PostedToDevice)]
struct Posted {
    /// The bytes, in base64.
    #[schema(example = "aGVsbG8=")]
    body: String,
}

/// The routes of this file, apart from the socket's.
pub(super) fn routes() -> Routes {
    route(Routes::new(), "/v1/provisioning/{address}", put(post))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(post, open))]
    struct Paths;
    Paths::openapi()
}

/// `PUT /v1/provisioning/{address}`: hands something to the new device that waits there.
#[utoipa::path(
    put, path = "/v1/provisioning/{address}", operation_id = "post_to_new_device", tag = "TextSecure",
    summary = "Post to a new device",
    description = "Hands something encrypted to a new device that waits on the socket `/v1/websocket/provisioning/`.",
    params(
        ("address" = String, Path, description = "What the new device shows"),
    ),
    request_body = Posted,
    responses(
        (status = 204, description = "The new device has it"),
        (status = 404, description = "Nobody waits there"),
    ),
    security(("phone" = [])),
)]
async fn post(
    State(state): State<Arc<TextSecureState>>,
    PathPart(address): PathPart,
    Json { caller, body, .. }: Json<Posted>,
) -> Result<StatusCode, Problem> {
    let bytes = BASE64.decode(&body.body).map_err(|_| Fault::invalid("body", "is not base64"))?;
    state.switchboard.limits.take(PhoneLimit::Messages, caller.phone.number.as_str(), 1)?;
    if bytes.len() > LARGEST {
        let (actual, limit) = (bytes.len() as u64, LARGEST as u64);
        return Err(Fault::TooLarge { what: "the body", actual, limit }.into());
    }
    match state.sockets.lobby.post(&address, bytes.into()) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Fault::NotFound { what: "device" }.into()),
    }
}

/// `GET /v1/websocket/provisioning/`: opens the socket of a new device.
#[utoipa::path(
    get, path = "/v1/websocket/provisioning", operation_id = "open_new_device_socket", tag = "TextSecure",
    summary = "Open a socket for a new device",
    description = "Nobody knows the device yet. It gets an address, in protobuf, to show to the phone \
        that it shall be linked to, and then what that phone posts there.",
    responses(
        (status = 101, description = "The socket is open"),
        (status = 415, description = "The handshake is none"),
        (status = 426, description = "The request does not ask for a socket"),
    ),
)]
pub(super) async fn open(State(state): State<Arc<TextSecureState>>, request: Request) -> Response {
    if !asks_for_socket(request.headers()) {
        return no_handshake();
    }
    answer(state, request.map(|_| ())).unwrap_or_else(|fault| Problem::from(fault).into_response())
}

fn answer(
    state: Arc<TextSecureState>,
    mut request: axum::http::Request<()>,
) -> Result<Response, Fault> {
    let from = state.gate.address(request.extensions(), request.headers());
    state.gate.may_knock(from)?;
    state.gate.stranger(from)?;
    let (answer, upgrade) = upgrade::accept(&mut request)?;
    let waiting = state.sockets.lobby.enter(&*state.switchboard.gateway.entropy, from)?;
    let place = state.sockets.places.take_unnamed()?;
    tokio::spawn(serve(state, waiting, upgrade, place));
    Ok(answer)
}

async fn serve(state: Arc<TextSecureState>, waiting: Waiting, upgrade: Upgrade, place: Place) {
    let Some(wire) = upgrade.wire(&place, FRAME_LIMIT).await else { return };
    tokio::select! {
        () = wait(&state.hub, waiting, wire) => {}
        () = place.broken_off() => {}
    }
}

/// Serves the socket of a new device until it has what it waits for, or waited for too long.
async fn wait<Io>(hub: &Hub, mut waiting: Waiting, mut wire: Wire<Io>)
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let life = Instant::now() + LIFE;
    let mut frames = VecDeque::from([address(&waiting.address)]);
    let (code, reason) = loop {
        // Whether it is stuck shows only from here, so somebody has to look from time to time.
        let stuck = wire.stuck_since().unwrap_or_else(Instant::now) + PATIENCE;
        let (reading, has_frame) = (frames.len() < ANSWERS, !frames.is_empty());
        tokio::select! {
            turn = wire.turn(reading, has_frame) => {
                if let Some(end) = on_turn(&mut wire, turn, &mut frames) {
                    frames.clear();
                    break end;
                }
            }
            body = &mut waiting.posted => {
                // What is written from here on is the last that is said.
                frames.extend(body.map(|body| protobuf::request("PUT", "/v1/message", 2, body)));
                break (CloseCode::Away, "");
            }
            () = hub.closed() => break (CloseCode::Away, "the gateway is stopping"),
            () = sleep_until(stuck.min(life)) => {
                let now = Instant::now();
                if now >= life || wire.stuck_since().is_some_and(|since| now >= since + PATIENCE) {
                    break (CloseCode::Away, "nobody came");
                }
            }
        }
    };
    drop(waiting);
    wire.close(frames, code, reason, FAREWELL).await;
}

fn on_turn<Io>(
    wire: &mut Wire<Io>,
    turn: Turn,
    frames: &mut VecDeque<Message>,
) -> Option<(CloseCode, &'static str)>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let heard = match turn {
        Turn::Heard(heard) => heard,
        Turn::Writable => frames.pop_front().and_then(|frame| wire.write(frame))?,
    };
    match heard {
        Heard::Sign => None,
        Heard::Text(_) => Some((CloseCode::Unsupported, "frames are binary")),
        Heard::Frame(frame) => match protobuf::heard(frame) {
            Said::Asked(answer, _) => {
                frames.push_back(answer);
                None
            }
            Said::Acknowledged(_) | Said::Nothing => None,
            Said::Broken(code, reason) => Some((code, reason)),
        },
        Heard::Large(_) => Some((CloseCode::Size, "the message is too large")),
        Heard::Gone => Some((CloseCode::Normal, "")),
        Heard::Broken(code, reason) => Some((code, reason)),
    }
}

/// The frame that tells a new device where it is reached.
fn address(address: &str) -> Message {
    let body: Bytes = Address { uuid: Some(address.to_owned()) }.encode_to_vec().into();
    protobuf::request("PUT", "/v1/address", 1, body)
}

#[cfg(test)]
mod tests;
