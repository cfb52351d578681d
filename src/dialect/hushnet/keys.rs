//! Prekeys: handed out, refilled, replaced.
//!
//! Each way of asking for keys gives out one one-time prekey of each device, which nobody else gets.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{post, put};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::auth::Acting;
use super::body::{ActingStranger, Signed};
use super::error::{ErrorBody, Refusal};
use super::path::{PathId, PathText};
use super::users::unknown_user;
use super::{HushNetState, Routes, get_alone};
use crate::domain::error::Fault;
use crate::domain::ids::SessionId;
use crate::domain::messenger::{Member, MemberDevice, MemberName, SignedKey};
use crate::sdk::ids as kinds;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/users/{id}/keys", get_alone(take))
        .route("/devices/keys/{username}", get_alone(take_documented))
        .route("/devices/{id}/prekeys", post(refill))
        .route("/devices/{id}/signed-prekey", put(replace))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(take, take_documented, refill, replace))]
    struct Paths;
    Paths::openapi()
}

/// What it takes to begin writing to a device, as the server has it.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetBundle)]
pub(super) struct Bundle {
    /// The device's id.
    #[schema(example = "d1e2f3a4-b5c6-7890-abcd-ef1234567890")]
    device_id: String,
    /// Its Ed25519 key, base64.
    identity_pubkey: String,
    /// The X25519 key that others agree with, base64.
    prekey_pubkey: String,
    /// Its signed prekey, base64.
    signed_prekey_pub: String,
    /// The identity key's signature of it, base64.
    signed_prekey_sig: String,
    /// A one-time prekey that nobody else gets, or none when there is none left.
    one_time_prekeys: Vec<String>,
}

/// What it takes to begin writing to a user's devices, as the documentation has it.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetUserKeys)]
struct UserKeys {
    /// The user's id.
    #[schema(example = "f47ac10b-58cc-4372-a567-0e02b2c3d479")]
    user_id: String,
    /// The user's name.
    #[schema(example = "alice")]
    username: String,
    /// The user's devices.
    devices: Vec<DeviceKeys>,
}

/// What it takes to begin writing to a device, as the documentation has it.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetDeviceKeys)]
struct DeviceKeys {
    /// The device's id.
    #[schema(example = "d1e2f3a4-b5c6-7890-abcd-ef1234567890")]
    device_id: String,
    /// Its Ed25519 key, base64.
    identity_pubkey: String,
    /// The X25519 key that others agree with, base64.
    prekey_pubkey: String,
    /// Its signed prekey, base64.
    signed_prekey_pub: String,
    /// The identity key's signature of it, base64.
    signed_prekey_sig: String,
    /// A one-time prekey that nobody else gets; null when there is none left.
    one_time_prekey: Option<String>,
}

/// Gives out a one-time prekey of each of a member's devices; the newest device comes first.
async fn bundles(
    state: &HushNetState,
    member: &Member,
    by: Option<IpAddr>,
) -> Result<Vec<Bundle>, Refusal> {
    let taken = state.messenger.take_keys(member, by).await?;
    let bundles = member.devices.iter().zip(taken).rev();
    let bundle = |(device, taken): (&MemberDevice, Option<String>)| Bundle {
        device_id: device.id.to_string(),
        identity_pubkey: device.identity_key.clone(),
        prekey_pubkey: device.agreement_key.clone(),
        signed_prekey_pub: device.signed.key.clone(),
        signed_prekey_sig: device.signed.signature.clone(),
        one_time_prekeys: taken.into_iter().collect(),
    };
    Ok(bundles.map(bundle).collect())
}

impl From<Bundle> for DeviceKeys {
    fn from(bundle: Bundle) -> Self {
        Self {
            device_id: bundle.device_id,
            identity_pubkey: bundle.identity_pubkey,
            prekey_pubkey: bundle.prekey_pubkey,
            signed_prekey_pub: bundle.signed_prekey_pub,
            signed_prekey_sig: bundle.signed_prekey_sig,
            one_time_prekey: bundle.one_time_prekeys.into_iter().next(),
        }
    }
}

/// `GET /users/{id}/keys`: what it takes to write to a user.
#[utoipa::path(
    get, path = "/users/{id}/keys", operation_id = "take_hushnet_keys", tag = "HushNet",
    summary = "Take a prekey of each device of a user",
    description = "None for nobody. Needs no credentials. One address gets one-time prekeys of a user ten times a minute, everybody together sixty times; beyond that there are none among the keys.",
    params(("id" = String, Path, description = "The user's id")),
    responses((status = 200, body = Vec<Bundle>, description = "The keys of each device")),
)]
async fn take(
    State(state): State<Arc<HushNetState>>,
    ActingStranger(visitor): ActingStranger,
    PathId(id): PathId<kinds::User>,
) -> Result<Json<Vec<Bundle>>, Refusal> {
    match state.local_member(id).await? {
        Some(member) => Ok(Json(bundles(&state, &member, visitor.address).await?)),
        None => Ok(Json(Vec::new())),
    }
}

/// `GET /devices/keys/{username}`: the same by the user's name.
#[utoipa::path(
    get, path = "/devices/keys/{username}", operation_id = "take_hushnet_keys_documented", tag = "HushNet",
    summary = "Take a prekey of each device of a user, by name",
    description = "Each one-time prekey is given out once. One address gets some of a user ten times a minute, everybody together sixty times; beyond that they are null.",
    params(("username" = String, Path, description = "The user's name")),
    responses(
        (status = 200, body = UserKeys, description = "The keys of each device"),
        (status = 404, body = ErrorBody, description = "There is no such user"),
    ),
    security(("device" = [])),
)]
async fn take_documented(
    State(state): State<Arc<HushNetState>>,
    Acting(caller): Acting,
    PathText(username): PathText,
) -> Result<Json<UserKeys>, Refusal> {
    let name = MemberName::parse(&username).map_err(|_| unknown_user())?;
    let user = state.messenger.gateway.store.member_named(&name, None).await?;
    let user = user.ok_or_else(unknown_user)?;
    let member = state.local_member(user).await?.ok_or_else(unknown_user)?;
    let bundles = bundles(&state, &member, caller.visitor.address).await?;
    let devices = bundles.into_iter().map(DeviceKeys::from).collect();
    Ok(Json(UserKeys { user_id: user.to_string(), username, devices }))
}

/// More one-time prekeys.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetRefill)]
struct Refill {
    /// They go behind those that are there; one that is there is passed over.
    one_time_prekeys: Vec<String>,
}

/// How many one-time prekeys a device has.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetRefilled)]
struct Refilled {
    /// How many nobody was given.
    #[schema(example = 100)]
    count: u64,
}

/// `POST /devices/{id}/prekeys`: more one-time prekeys of the calling device.
#[utoipa::path(
    post, path = "/devices/{id}/prekeys", operation_id = "refill_hushnet_prekeys", tag = "HushNet",
    summary = "Leave more one-time prekeys",
    description = "The calling device's own. A device that has none left is told by the event `device`.",
    params(("id" = String, Path, description = "The calling device's id")),
    request_body = Refill,
    responses(
        (status = 200, body = Refilled, description = "They are kept"),
        (status = 403, body = ErrorBody, description = "That is another device"),
        (status = 422, body = ErrorBody, description = "One cannot be used, or there would be too many"),
    ),
    security(("device" = [])),
)]
async fn refill(
    State(state): State<Arc<HushNetState>>,
    PathId(id): PathId<kinds::Session>,
    signed: Signed,
) -> Result<Json<Refilled>, Refusal> {
    let Refill { one_time_prekeys } = signed.parse()?;
    let caller = &signed.caller;
    only_itself(caller.id(), id)?;
    let refilled = state.messenger.refill(&caller.member, &caller.device, one_time_prekeys);
    Ok(Json(Refilled { count: refilled.await? }))
}

/// Another signed prekey.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetNewSignedPrekey)]
struct Replacement {
    /// The X25519 key, base64.
    signed_prekey_pub: String,
    /// The identity key's signature of its bytes, base64.
    signed_prekey_sig: String,
}

/// `PUT /devices/{id}/signed-prekey`: another signed prekey of the calling device.
#[utoipa::path(
    put, path = "/devices/{id}/signed-prekey", operation_id = "replace_hushnet_signed_prekey", tag = "HushNet",
    summary = "Replace the signed prekey",
    description = "The calling device's own. Wants the strong signature.",
    params(("id" = String, Path, description = "The calling device's id")),
    request_body = Replacement,
    responses(
        (status = 204, description = "It is in place"),
        (status = 403, body = ErrorBody, description = "That is another device, or the signature is of the time alone"),
        (status = 422, body = ErrorBody, description = "The device has not signed it"),
    ),
    security(("device" = [])),
)]
async fn replace(
    State(state): State<Arc<HushNetState>>,
    PathId(id): PathId<kinds::Session>,
    signed: Signed,
) -> Result<StatusCode, Refusal> {
    let Replacement { signed_prekey_pub, signed_prekey_sig } = signed.parse()?;
    let caller = &signed.caller;
    caller.require_strong()?;
    only_itself(caller.id(), id)?;
    let key = SignedKey { key: signed_prekey_pub, signature: signed_prekey_sig };
    state.messenger.replace_signed_key(&caller.member, &caller.device, key).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn only_itself(caller: SessionId, id: SessionId) -> Result<(), Refusal> {
    match caller == id {
        true => Ok(()),
        false => Err(Fault::forbidden("a device changes its own prekeys alone").into()),
    }
}
