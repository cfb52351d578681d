//! Devices: listed, looked up, renamed, ended.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::auth::{Acting, Caller};
use super::body::{Signed, Stranger};
use super::contract::Contract;
use super::enrolling::enrol;
use super::error::{ErrorBody, Refusal};
use super::path::PathId;
use super::times::written;
use super::users::{User, unknown_user};
use super::{HushNetState, Routes};
use crate::domain::error::Fault;
use crate::domain::ids::UserId;
use crate::domain::messenger::{Member, MemberDevice};
use crate::sdk::ids as kinds;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/users/{id}/devices", get(list).post(enrol))
        .route("/devices/{id}", get(list_documented).patch(rename).delete(end))
        .route("/devices/{id}/user", get(owner))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(list, list_documented, owner, rename, end))]
    struct Paths;
    Paths::openapi()
}

/// A device.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetDevice)]
pub(super) struct Device {
    /// Its id.
    #[schema(example = "d1e2f3a4-b5c6-7890-abcd-ef1234567890")]
    id: String,
    /// Whose it is.
    #[schema(example = "f47ac10b-58cc-4372-a567-0e02b2c3d479")]
    user_id: String,
    /// Its Ed25519 key, base64.
    identity_pubkey: String,
    /// The X25519 key that others agree with, base64.
    prekey_pubkey: String,
    /// Its signed prekey, base64.
    signed_prekey_pub: String,
    /// The identity key's signature of it, base64.
    signed_prekey_sig: String,
    /// One-time prekeys that nobody was given, at most 100. Where the server's contract lists devices
    /// that have none left, one that is null.
    one_time_prekeys: Vec<Option<String>>,
    /// What its owner calls it.
    device_label: Option<String>,
    /// Always null: it is not kept.
    push_token: Option<String>,
    /// When it last looked for messages, UTC.
    last_seen: Option<String>,
    /// When it was made, UTC; without a zone where the server's contract has none.
    #[schema(example = "2025-11-02T10:30:00Z")]
    created_at: String,
}

impl Device {
    pub(super) fn new(
        user: UserId,
        device: &MemberDevice,
        one_time: Vec<String>,
        contract: Contract,
    ) -> Self {
        Self {
            id: device.id.to_string(),
            user_id: user.to_string(),
            identity_pubkey: device.identity_key.clone(),
            prekey_pubkey: device.agreement_key.clone(),
            signed_prekey_pub: device.signed.key.clone(),
            signed_prekey_sig: device.signed.signature.clone(),
            one_time_prekeys: one_time.into_iter().map(Some).collect(),
            device_label: device.label.clone(),
            push_token: None,
            last_seen: device.last_seen_at.map(|at| written(at, contract)),
            created_at: written(device.created_at, contract),
        }
    }
}

/// One-time prekeys of one device that are listed.
const LISTED: u32 = 100;

async fn listed(
    state: &HushNetState,
    member: &Member,
    contract: Contract,
) -> Result<Vec<Device>, Refusal> {
    let sessions: Vec<_> = member.devices.iter().map(|device| device.session).collect();
    let mut keys = match sessions.is_empty() {
        true => Vec::new(),
        false => state.messenger.gateway.store.one_time_keys(&sessions, LISTED).await?,
    };
    keys.resize(sessions.len(), Vec::new());
    let devices = member.devices.iter().zip(keys).rev();
    let view = |(device, keys)| Device::new(member.user, device, keys, contract);
    Ok(devices.map(view).collect())
}

/// `GET /users/{id}/devices`: a user's devices, the newest first.
#[utoipa::path(
    get, path = "/users/{id}/devices", operation_id = "list_hushnet_devices", tag = "HushNet",
    summary = "List a user's devices",
    description = "The newest first, none for nobody. Listing prekeys does not give them out. Needs no credentials.",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, body = Vec<Device>, description = "The devices")),
)]
async fn list(
    State(state): State<Arc<HushNetState>>,
    _stranger: Stranger,
    PathId(id): PathId<kinds::User>,
) -> Result<Json<Vec<Device>>, Refusal> {
    let Some(member) = state.local_member(id).await? else { return Ok(Json(Vec::new())) };
    let mut devices = listed(&state, &member, Contract::Server).await?;
    for device in &mut devices {
        // The app takes the first one whatever there is, and understands that none is left.
        if device.one_time_prekeys.is_empty() {
            device.one_time_prekeys.push(None);
        }
    }
    Ok(Json(devices))
}

/// `GET /devices/{user_id}`: the same as the documentation has it.
#[utoipa::path(
    get, path = "/devices/{id}", operation_id = "list_hushnet_devices_documented", tag = "HushNet",
    summary = "List a user's devices, signed",
    description = "The newest first. Listing prekeys does not give them out.",
    params(("id" = String, Path, description = "The user's id")),
    responses(
        (status = 200, body = Vec<Device>, description = "The devices"),
        (status = 404, body = ErrorBody, description = "There is no such user"),
    ),
    security(("device" = [])),
)]
async fn list_documented(
    State(state): State<Arc<HushNetState>>,
    _caller: Caller,
    PathId(id): PathId<kinds::User>,
) -> Result<Json<Vec<Device>>, Refusal> {
    let member = state.local_member(id).await?.ok_or_else(unknown_user)?;
    Ok(Json(listed(&state, &member, Contract::Document).await?))
}

/// `GET /devices/{id}/user`: whose a device is.
#[utoipa::path(
    get, path = "/devices/{id}/user", operation_id = "find_hushnet_device_owner", tag = "HushNet",
    summary = "Find out whose a device is",
    description = "Needs no credentials. The name of a user of another gateway is its address, so that it is nobody's here.",
    params(("id" = String, Path, description = "The device's id")),
    responses(
        (status = 200, body = User, description = "The user"),
        (status = 404, body = ErrorBody, description = "There is no such device"),
    ),
)]
async fn owner(
    State(state): State<Arc<HushNetState>>,
    _stranger: Stranger,
    PathId(id): PathId<kinds::Session>,
) -> Result<Json<User>, Refusal> {
    let owners = state.messenger.gateway.store.device_owners(&[id]).await?;
    let member = match owners.first() {
        Some((_, user)) => state.messenger.gateway.store.member(*user).await?,
        None => None,
    };
    let member = member.ok_or_else(|| {
        let fault = Fault::NotFound { what: "device" };
        Refusal::worded(fault, StatusCode::NOT_FOUND, "User not found for device")
    })?;
    Ok(Json(User::shown(&member, Contract::Server)))
}

/// Another name for a device.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetDeviceLabel)]
struct Rename {
    /// At most 100 characters; null for none.
    #[schema(example = "tablet")]
    device_label: Option<String>,
}

/// `PATCH /devices/{id}`: another name for one of the caller's devices.
#[utoipa::path(
    patch, path = "/devices/{id}", operation_id = "rename_hushnet_device", tag = "HushNet",
    summary = "Rename a device",
    description = "One of the caller's own.",
    params(("id" = String, Path, description = "The device's id")),
    request_body = Rename,
    responses(
        (status = 204, description = "It has that name"),
        (status = 404, body = ErrorBody, description = "The caller has no such device"),
    ),
    security(("device" = [])),
)]
async fn rename(
    State(state): State<Arc<HushNetState>>,
    PathId(id): PathId<kinds::Session>,
    signed: Signed,
) -> Result<StatusCode, Refusal> {
    let Rename { device_label } = signed.parse()?;
    state.messenger.rename_device(&signed.caller.member, id, device_label).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /devices/{id}`: ends one of the caller's devices.
#[utoipa::path(
    delete, path = "/devices/{id}", operation_id = "end_hushnet_device", tag = "HushNet",
    summary = "End a device",
    description = "One of the caller's own, the calling one included, but not the last one: `DELETE /users/{id}` deletes the account with it. What waits for it is dropped; its key is never good again. Wants the strong signature.",
    params(("id" = String, Path, description = "The device's id")),
    responses(
        (status = 204, description = "It has ended"),
        (status = 403, body = ErrorBody, description = "The signature is of the time alone"),
        (status = 404, body = ErrorBody, description = "The caller has no such device"),
        (status = 409, body = ErrorBody, description = "It is the last one"),
    ),
    security(("device" = [])),
)]
async fn end(
    State(state): State<Arc<HushNetState>>,
    Acting(caller): Acting,
    PathId(id): PathId<kinds::Session>,
) -> Result<StatusCode, Refusal> {
    caller.require_strong()?;
    state.messenger.end_device(&caller.member, id).await.map_err(last_one)?;
    Ok(StatusCode::NO_CONTENT)
}

/// What to do instead.
fn last_one(fault: Fault) -> Refusal {
    match &fault {
        Fault::Conflict { .. } => {
            const TEXT: &str = "the last device ends with its account: DELETE /users/{id}";
            Refusal::from(Fault::conflict("device", TEXT))
        }
        _ => fault.into(),
    }
}
