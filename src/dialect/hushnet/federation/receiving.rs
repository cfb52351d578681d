//! What other gateways ask: devices and prekeys of members here, to take introductions and messages
//! for them, and to hear that something has arrived.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use utoipa::OpenApi;

use super::super::error::{ErrorBody, Refusal};
use super::super::path::PathText;
use super::super::{HushNetState, Routes, get_alone};
use super::peer::{Peer, PeerBody};
use super::shapes::{Acknowledgement, BundleBody, DeviceBody, Done, Info, Introductions, Message};
use crate::domain::error::Fault;
use crate::domain::messenger::federation::Taken;

/// The version of what is spoken between gateways.
const VERSION: &str = "0.0.2";

pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/s2s/info", get(info))
        .route("/s2s/users/{username}/devices", get(devices))
        .route("/s2s/users/{username}/keys", get_alone(keys))
        .route("/s2s/sessions", post(introduce))
        .route("/s2s/messages", post(deliver))
        .route("/s2s/ack", post(acknowledge))
}

pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(info, devices, keys, introduce, deliver, acknowledge))]
    struct Paths;
    Paths::openapi()
}

/// `GET /s2s/info`: who this gateway is.
#[utoipa::path(
    get, path = "/s2s/info", operation_id = "read_hushnet_node_info", tag = "HushNet",
    summary = "Who this gateway is",
    description = "Between gateways: its name, where it is asked, and the key that signs its requests.",
    responses(
        (status = 200, body = Info, description = "This gateway"),
        (status = 404, body = ErrorBody, description = "It has nothing to do with other gateways"),
    ),
)]
async fn info(State(state): State<Arc<HushNetState>>) -> Result<Json<Info>, Refusal> {
    let own = state.federation.settings.own.as_ref();
    let own = own.ok_or(Fault::NotFound { what: "path" })?;
    Ok(Json(Info {
        node_id: own.id.to_string(),
        api_url: own.api_url.clone(),
        public_key_b64: STANDARD.encode(own.key.to_bytes()),
        protocol_version: VERSION,
        signs_bodies: true,
    }))
}

/// `GET /s2s/users/{username}/devices`: the devices of a member.
#[utoipa::path(
    get, path = "/s2s/users/{username}/devices", operation_id = "list_hushnet_devices_for_node", tag = "HushNet",
    summary = "Devices of a member, for another gateway",
    description = "Between gateways: the live devices of a member of this one. One-time prekeys are given out with the prekeys alone.",
    params(("username" = String, Path, description = "The member's name")),
    responses(
        (status = 200, body = Vec<DeviceBody>, description = "The devices"),
        (status = 401, description = "No gateway that is known has signed this"),
        (status = 403, description = "The calling gateway is blocked"),
        (status = 502, description = "Who knows the calling gateway does not answer as it should"),
        (status = 404, body = ErrorBody, description = "There is no such member here"),
    ),
    security(("node" = [])),
)]
async fn devices(
    State(state): State<Arc<HushNetState>>,
    PathText(name): PathText,
    _peer: Peer,
) -> Result<Json<Vec<DeviceBody>>, Refusal> {
    let member = state.federation.local(&name).await.map_err(unknown)?;
    let devices = member.devices.iter().map(|device| DeviceBody::of(&member, device));
    Ok(Json(devices.collect()))
}

/// `GET /s2s/users/{username}/keys`: prekeys of each of a member's devices.
#[utoipa::path(
    get, path = "/s2s/users/{username}/keys", operation_id = "take_hushnet_keys_for_node", tag = "HushNet",
    summary = "Prekeys of a member, for another gateway",
    description = "Between gateways: prekeys of each live device of a member of this one. Each one-time prekey is given out once.",
    params(("username" = String, Path, description = "The member's name")),
    responses(
        (status = 200, body = Vec<BundleBody>, description = "The prekeys"),
        (status = 401, description = "No gateway that is known has signed this"),
        (status = 403, description = "The calling gateway is blocked"),
        (status = 502, description = "Who knows the calling gateway does not answer as it should"),
        (status = 404, body = ErrorBody, description = "There is no such member here"),
    ),
    security(("node" = [])),
)]
async fn keys(
    State(state): State<Arc<HushNetState>>,
    PathText(name): PathText,
    peer: Peer,
) -> Result<Json<Vec<BundleBody>>, Refusal> {
    let member = state.federation.local(&name).await.map_err(unknown)?;
    let bundles = state.federation.keys_here(&member, peer.address).await?;
    Ok(Json(bundles.into_iter().map(Into::into).collect()))
}

/// `POST /s2s/sessions`: introductions for the devices of a member, all of them or none.
#[utoipa::path(
    post, path = "/s2s/sessions", operation_id = "introduce_hushnet_devices_from_node", tag = "HushNet",
    summary = "Introductions from another gateway",
    description = "Between gateways: as `POST /sessions`, from a member that the calling gateway speaks for.",
    request_body = Introductions,
    responses(
        (status = 200, body = Done, description = "They wait for their devices"),
        (status = 401, description = "No gateway that is known has signed this"),
        (status = 502, description = "Who knows the calling gateway does not answer as it should"),
        (status = 403, description = "The calling gateway is blocked, or the sender is not one of its own"),
        (status = 404, body = ErrorBody, description = "There is no such member, or one of the devices is no live one of its. Nothing was kept"),
        (status = 409, body = ErrorBody, description = "A one-time prekey is not there any more"),
        (status = 422, description = "A member of the body does not fit"),
    ),
    security(("node" = [])),
)]
async fn introduce(
    State(state): State<Arc<HushNetState>>,
    body: PeerBody,
) -> Result<Json<Done>, Refusal> {
    let introductions: Introductions = body.parse()?;
    let to = introductions.to_user.clone();
    let (sender, greetings) = introductions.split();
    let taken = state.federation.take_introductions(&body.peer, sender, &to, greetings).await;
    taken.map_err(unknown)?;
    Ok(Json(Done { status: "ok" }))
}

/// `POST /s2s/messages`: a message for devices of a member, for all of them or none.
#[utoipa::path(
    post, path = "/s2s/messages", operation_id = "deliver_hushnet_message_from_node", tag = "HushNet",
    summary = "A message from another gateway",
    description = "Between gateways: as `POST /messages`, from a member that the calling gateway speaks for and that has introduced itself. The chat is that of the two.",
    request_body = Message,
    responses(
        (status = 200, body = Acknowledgement, description = "It waits for its devices, now (`delivered`) or since before (`duplicate`)"),
        (status = 401, description = "No gateway that is known has signed this"),
        (status = 502, description = "Who knows the calling gateway does not answer as it should"),
        (status = 403, description = "The calling gateway is blocked, or the sender is not one of its own or has not introduced itself"),
        (status = 404, body = ErrorBody, description = "There is no such member, or one of the devices is no live one of its. Nothing was kept"),
        (status = 422, description = "A member of the body does not fit"),
        (status = 503, body = ErrorBody, description = "Too much waits for a device; to be brought again later"),
    ),
    security(("node" = [])),
)]
async fn deliver(
    State(state): State<Arc<HushNetState>>,
    body: PeerBody,
) -> Result<Json<Acknowledgement>, Refusal> {
    let message: Message = body.parse()?;
    let (to, logical_msg_id) = (message.to_user.clone(), message.logical_msg_id.clone());
    let (sender, message) = message.split();
    let taken = state.federation.take_message(&body.peer, sender, &to, message).await;
    let status = match taken.map_err(unknown)? {
        Taken::Now => "delivered",
        Taken::Before => "duplicate",
    };
    Ok(Json(Acknowledgement { logical_msg_id, status: status.to_owned() }))
}

/// `POST /s2s/ack`: a message that was brought is there. The answer to it said so before, and the id
/// here is its sender's own, which others may use as well: nothing is dropped for it.
#[utoipa::path(
    post, path = "/s2s/ack", operation_id = "acknowledge_hushnet_message_for_node", tag = "HushNet",
    summary = "A message has arrived",
    description = "Between gateways: the calling gateway has a message that was for it. That is only noted: a message waits here until `/s2s/messages` of the other gateway has taken it.",
    request_body = Acknowledgement,
    responses(
        (status = 200, body = Done, description = "Noted"),
        (status = 401, description = "No gateway that is known has signed this"),
        (status = 403, description = "The calling gateway is blocked"),
        (status = 502, description = "Who knows the calling gateway does not answer as it should"),
        (status = 422, description = "A member of the body does not fit"),
    ),
    security(("node" = [])),
)]
async fn acknowledge(body: PeerBody) -> Result<Json<Done>, Refusal> {
    body.parse::<Acknowledgement>()?;
    Ok(Json(Done { status: "ack received" }))
}

/// Says of a member that is not here what the original says.
fn unknown(fault: Fault) -> Refusal {
    match fault {
        Fault::NotFound { what: "user" } => {
            let text = "user not found or not local to this node";
            Refusal::worded(fault, StatusCode::NOT_FOUND, text)
        }
        other => other.into(),
    }
}
