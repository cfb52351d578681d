//! Federation: what other gateways ask of this one, for phones that are there. Their paths begin
//! with `/v1/federation/`.
//!
//! A gateway that is known may say of any number that it is there, and is believed: readers get its
//! name with each message.

mod directory;
pub mod peer;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use base64::Engine;
use bytes::Bytes;
use prost::Message as _;
use serde::Deserialize;
use utoipa::{OpenApi, ToSchema};

use self::peer::{Peer, PeerJson};
use super::TextSecureState;
use super::attachments::located;
use super::auth::BASE64;
use super::envelope::Envelope;
use super::keys::{bare, list, v2, wanted};
use super::messages::{UNREACHABLE, answer, envelopes, first_answer, parts};
use super::outgoing::{self, MessageList};
use super::paths::{Routes, get_only, route};
use crate::domain::error::Fault;
use crate::domain::phone::keys::Wanted;
use crate::domain::phone::sending::{Content, Letter, Posted};
use crate::domain::phone::{DeviceNumber, PhoneLimit, PhoneNumber};
use crate::http::path::{PathPair, PathPart, PathTriple};
use crate::http::problem::Problem;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    let routes = route(Routes::new(), "/v1/federation/key/{number}", get_only(take_from_first));
    let (plain, signed) = (get_only(take), get_only(take_signed));
    let routes = route(routes, "/v1/federation/key/{number}/{device}", plain);
    let routes = route(routes, "/v2/federation/key/{number}/{device}", signed);
    let routes = route(routes, "/v1/federation/attachment/{number}", get(locate));
    let routes = route(routes, "/v1/federation/message", put(deliver_to_first));
    let path = "/v1/federation/messages/{source}/{device}/{destination}";
    route(routes, path, put(deliver)).merge(directory::routes())
}

/// This file's part of the OpenAPI document, and of the files below it.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(take_from_first, take, take_signed, locate, deliver, deliver_to_first))]
    struct Paths;
    let mut document = Paths::openapi();
    document.merge(directory::openapi());
    document
}

/// What another gateway brings for the first device of a phone.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BroughtEnvelope)]
struct Brought {
    /// The number that reads.
    #[schema(example = "+14152222222")]
    destination: String,
    /// The envelope, in base64.
    #[schema(example = "CAESDCsxNDE1MjIyMjIyMg")]
    outgoing_message_signal: String,
}

/// `GET /v1/federation/key/{number}`: a prekey of the first device, for the first edition.
#[utoipa::path(
    get, path = "/v1/federation/key/{number}", operation_id = "take_prekey_for_gateway", tag = "TextSecure",
    summary = "Take a prekey of the first device",
    description = "Between gateways: as `/v1/keys/{number}`, without its limit.",
    params(
        ("number" = String, Path, description = "The number, with its `+`"),
    ),
    responses(
        (status = 200, body = super::keys::BareKey, description = "A prekey"),
        (status = 404, description = "The phone cannot be reached or has left no prekeys"),
    ),
    security(("gateway" = [])),
)]
async fn take_from_first(
    State(state): State<Arc<TextSecureState>>,
    PathPart(number): PathPart,
    _peer: Peer,
) -> Result<Response, Problem> {
    let of = known(&number)?;
    let first = Wanted::One(DeviceNumber::PRIMARY);
    Ok(bare(state.switchboard.take_keys(&of, first).await?)?)
}

/// `GET /v1/federation/key/{number}/{device}`: a prekey of a device, or with `*` of each.
#[utoipa::path(
    get, path = "/v1/federation/key/{number}/{device}", operation_id = "take_prekeys_for_gateway", tag = "TextSecure",
    summary = "Take prekeys",
    description = "Between gateways: as `/v1/keys/{number}/{device}`, without its limit.",
    params(
        ("number" = String, Path, description = "The number, with its `+`"),
        ("device" = String, Path, description = "The number of a device, or `*` for all"),
    ),
    responses(
        (status = 200, body = super::keys::DeviceKeyList, description = "The prekeys"),
        (status = 404, description = "The phone or the device cannot be reached or has left no prekeys"),
    ),
    security(("gateway" = [])),
)]
async fn take(
    State(state): State<Arc<TextSecureState>>,
    PathPair(number, device): PathPair,
    _peer: Peer,
) -> Result<Response, Problem> {
    let (of, wanted) = (known(&number)?, wanted(&device)?);
    Ok(list(state.switchboard.take_keys(&of, wanted).await?)?)
}

/// `GET /v2/federation/key/{number}/{device}`: the same with signed prekeys.
#[utoipa::path(
    get, path = "/v2/federation/key/{number}/{device}", operation_id = "take_signed_prekeys_for_gateway", tag = "TextSecure",
    summary = "Take prekeys and signed ones",
    description = "Between gateways: as `/v2/keys/{number}/{device}`, without its limit.",
    params(
        ("number" = String, Path, description = "The number, with its `+`"),
        ("device" = String, Path, description = "The number of a device, or `*` for all"),
    ),
    responses(
        (status = 200, body = v2::PhoneKeyList, description = "What each device left"),
        (status = 404, description = "The phone or the device cannot be reached or has left nothing"),
    ),
    security(("gateway" = [])),
)]
async fn take_signed(
    State(state): State<Arc<TextSecureState>>,
    PathPair(number, device): PathPair,
    _peer: Peer,
) -> Result<Response, Problem> {
    let (of, wanted) = (known(&number)?, wanted(&device)?);
    Ok(v2::signed_list(state.switchboard.take_keys(&of, wanted).await?))
}

/// `GET /v1/federation/attachment/{number}`: where a file can be read.
#[utoipa::path(
    get, path = "/v1/federation/attachment/{number}", operation_id = "find_attachment_for_gateway", tag = "TextSecure",
    summary = "Find an attachment",
    description = "Between gateways: as `/v1/attachments/{number}`.",
    params(
        ("number" = String, Path, description = "The attachment's number"),
    ),
    responses(
        (status = 200, body = super::attachments::Located, description = "Where it can be read"),
        (status = 404, description = "That is no number of an attachment"),
    ),
    security(("gateway" = [])),
)]
async fn locate(
    State(state): State<Arc<TextSecureState>>,
    PathPart(number): PathPart,
    uri: Uri,
    headers: HeaderMap,
    _peer: Peer,
) -> Result<Response, Problem> {
    Ok(located(&state, &number, &uri, &headers)?)
}

/// `PUT /v1/federation/messages/{source}/{device}/{destination}`: a message for each device of one
/// phone, or nothing.
#[utoipa::path(
    put, path = "/v1/federation/messages/{source}/{device}/{destination}", operation_id = "deliver_from_gateway", tag = "TextSecure",
    summary = "Deliver to a phone",
    description = "Between gateways: as `/v1/messages/{destination}`, for a phone that is there.",
    params(
        ("source" = String, Path, description = "The number that sends"),
        ("device" = u32, Path, description = "Its device"),
        ("destination" = String, Path, description = "The number that reads"),
    ),
    request_body = MessageList,
    responses(
        (status = 200, body = super::messages::Sent, description = "The messages wait for their devices"),
        (status = 404, description = "The phone cannot be reached"),
        (status = 409, body = super::messages::OtherDevices, description = "Not each device of the phone is addressed, or some that it does not have"),
        (status = 410, body = super::messages::StaleDevices, description = "Some devices have been installed anew"),
    ),
    security(("gateway" = [])),
)]
async fn deliver(
    State(state): State<Arc<TextSecureState>>,
    PathTriple(source, device, destination): PathTriple,
    PeerJson { peer: Peer(relay), body: list, .. }: PeerJson<MessageList>,
) -> Result<Response, Problem> {
    let source = known(&source)?;
    let device = device.parse().map_err(|_| Fault::NotFound { what: "device" })?;
    let device = DeviceNumber(device);
    let envelopes = envelopes(&state, &list, source.as_str(), device, Some(&relay))?;
    count(&state, &relay, &source)?;
    let content = Content::Each(parts(&list, &envelopes));
    let letter = Letter { to: known(&destination)?, content };
    let posted = state.switchboard.post_from_elsewhere(&[letter]).await?;
    Ok(first_answer(&posted, false))
}

/// `PUT /v1/federation/message`: an envelope for the first device of a phone.
#[utoipa::path(
    put, path = "/v1/federation/message", operation_id = "deliver_envelope_from_gateway", tag = "TextSecure",
    summary = "Deliver to a first device",
    description = "Between gateways: an envelope, of the first edition.",
    request_body = Brought,
    responses(
        (status = 204, description = "The message waits"),
        (status = 400, description = "The envelope cannot be read"),
        (status = 404, description = "The phone cannot be reached"),
    ),
    security(("gateway" = [])),
)]
async fn deliver_to_first(
    State(state): State<Arc<TextSecureState>>,
    PeerJson { peer: Peer(relay), body: brought, .. }: PeerJson<Brought>,
) -> Result<Response, Problem> {
    let Some((source, mut envelope)) = opened(&brought.outgoing_message_signal) else {
        return Ok(StatusCode::BAD_REQUEST.into_response());
    };
    let most = state.switchboard.gateway.limits.ciphertext_bytes;
    for bytes in [&envelope.message, &envelope.content].into_iter().flatten() {
        outgoing::require_at_most(bytes, most)?;
    }
    count(&state, &relay, &source)?;
    envelope.relay = Some(relay.to_string());
    let content = Content::First(envelope.to_bytes());
    let letter = Letter { to: known(&brought.destination)?, content };
    Ok(match state.switchboard.post_from_elsewhere(&[letter]).await?.first() {
        Some(Posted::Stored) => StatusCode::NO_CONTENT.into_response(),
        Some(other) => answer(other, false),
        None => answer(&Posted::Unreachable, false),
    })
}

/// An envelope that another gateway wrote, and the number of who sends it.
fn opened(text: &str) -> Option<(PhoneNumber, Envelope)> {
    let envelope = Envelope::decode(Bytes::from(BASE64.decode(text).ok()?)).ok()?;
    let source = envelope.source.as_deref().and_then(PhoneNumber::parse)?;
    Some((source, envelope))
}

/// A number that may be here.
fn known(number: &str) -> Result<PhoneNumber, Fault> {
    PhoneNumber::parse(number).ok_or(UNREACHABLE)
}

/// Counts a message for who sends it. What is too much is so for the phone, not for its gateway,
/// which may bring it later.
fn count(state: &TextSecureState, relay: &str, source: &PhoneNumber) -> Result<(), Fault> {
    let key = format!("{relay}/{}", source.as_str());
    let counted = state.switchboard.limits.take(PhoneLimit::Messages, &key, 1);
    counted.map_err(|fault| match fault {
        Fault::RateLimited { retry_after, .. } => Fault::Deferred { retry_after },
        other => other,
    })
}
