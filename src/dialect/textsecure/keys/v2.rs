//! Prekeys of the second version: one identity key for all, and a signed prekey beside the others.

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::super::TextSecureState;
use super::super::auth::Caller;
use super::super::json::{Json, number};
use super::super::paths::{Acting, Routes, get_only, route};
use super::super::relay;
use super::{elsewhere, may_take, wanted};
use crate::domain::error::Fault;
use crate::domain::phone::keys::{DeviceKeys, PhoneKeys};
use crate::domain::ports::RelayRequest;
use crate::domain::prekeys::{Identity, NewPrekeys, Prekey, SignedPrekey};
use crate::http::path::PathPair;
use crate::http::problem::Problem;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    let routes = route(Routes::new(), "/v2/keys", get(count).put(replace));
    let routes = route(routes, "/v2/keys/signed", get(signed).put(sign));
    route(routes, "/v2/keys/{number}/{device}", get_only(take))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(replace, count, take, sign, signed))]
    struct Paths;
    Paths::openapi()
}

/// Prekeys of a device, and a signed one.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignedPrekeyList)]
struct KeyList {
    /// The phone's identity key, as its owner wrote it.
    #[schema(example = "BQmLq6wBP1Tzv4hQvUqgAlM0M9nU0Yv7yRz8vCnL3kQx")]
    identity_key: String,
    /// Each is given out once.
    pre_keys: Vec<Key>,
    /// The one for when those are used up.
    last_resort_key: Key,
    /// The signed one, which is given out with each.
    signed_pre_key: SignedKey,
}

/// A prekey.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Prekey)]
pub(in super::super) struct Key {
    /// The key's number; 0 where it is left out.
    #[schema(example = 31337)]
    // Clients leave a number out that is 0.
    #[serde(default, deserialize_with = "number")]
    key_id: i64,
    /// The public key, as its owner wrote it.
    #[schema(example = "BQmLq6wBP1Tzv4hQvUqgAlM0M9nU0Yv7yRz8vCnL3kQx")]
    public_key: String,
}

/// A signed prekey.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignedPrekey)]
pub(in super::super) struct SignedKey {
    /// The key's number; 0 where it is left out.
    #[schema(example = 31337)]
    #[serde(default, deserialize_with = "number")]
    key_id: i64,
    /// The public key, as its owner wrote it.
    #[schema(example = "BQmLq6wBP1Tzv4hQvUqgAlM0M9nU0Yv7yRz8vCnL3kQx")]
    public_key: String,
    /// The signature by the identity key, as its owner wrote it.
    #[schema(example = "c2lnbmF0dXJl")]
    signature: String,
}

/// What a phone's devices left.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PhonePrekeyList)]
pub(in super::super) struct PhoneKeyList {
    /// The phone's identity key, as its owner wrote it.
    #[schema(example = "BQmLq6wBP1Tzv4hQvUqgAlM0M9nU0Yv7yRz8vCnL3kQx")]
    identity_key: String,
    /// Each device that left something.
    devices: Vec<DeviceKey>,
}

/// What a device left.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SignedDevicePrekey)]
pub(in super::super) struct DeviceKey {
    /// The device's number.
    #[schema(example = 1)]
    device_id: u32,
    /// What tells this installation of the device from others.
    #[schema(example = 4711)]
    registration_id: u32,
    /// Its signed prekey.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_pre_key: Option<SignedKey>,
    /// A prekey.
    #[serde(skip_serializing_if = "Option::is_none")]
    pre_key: Option<Key>,
}

impl From<Key> for Prekey {
    fn from(key: Key) -> Self {
        Self { id: key.key_id, public_key: key.public_key }
    }
}

impl From<Prekey> for Key {
    fn from(key: Prekey) -> Self {
        Self { key_id: key.id, public_key: key.public_key }
    }
}

impl From<SignedKey> for SignedPrekey {
    fn from(key: SignedKey) -> Self {
        Self { id: key.key_id, public_key: key.public_key, signature: key.signature }
    }
}

impl From<SignedPrekey> for SignedKey {
    fn from(key: SignedPrekey) -> Self {
        Self { key_id: key.id, public_key: key.public_key, signature: key.signature }
    }
}

impl From<DeviceKeys> for DeviceKey {
    fn from(keys: DeviceKeys) -> Self {
        Self {
            device_id: keys.device.0,
            registration_id: keys.registration,
            signed_pre_key: keys.signed.map(Into::into),
            pre_key: keys.prekey.map(Into::into),
        }
    }
}

/// `PUT /v2/keys/`: the device's prekeys, in the place of all that it left before.
#[utoipa::path(
    put, path = "/v2/keys", operation_id = "replace_signed_prekeys", tag = "TextSecure",
    summary = "Leave prekeys and a signed one",
    description = "The device's prekeys take the place of all that it left before.",
    request_body = KeyList,
    responses(
        (status = 204, description = "They are kept"),
    ),
    security(("phone" = [])),
)]
async fn replace(
    State(state): State<Arc<TextSecureState>>,
    Json { caller, body: list, .. }: Json<KeyList>,
) -> Result<StatusCode, Problem> {
    let new = NewPrekeys {
        session: caller.device.session,
        ordinary: list.pre_keys.into_iter().map(Into::into).collect(),
        last_resort: Some(list.last_resort_key.into()),
        signed: Some(list.signed_pre_key.into()),
        identity: Some(Identity { account: caller.phone.account, key: list.identity_key }),
    };
    state.switchboard.gateway.store.replace_prekeys(new.checked()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v2/keys/`: how many prekeys the device has, the last resort aside.
#[utoipa::path(
    get, path = "/v2/keys", operation_id = "count_signed_prekeys", tag = "TextSecure",
    summary = "Count prekeys",
    description = "How many prekeys the device has left, without the last resort.",
    responses(
        (status = 200, body = super::Count, description = "How many"),
    ),
    security(("phone" = [])),
)]
async fn count(
    state: State<Arc<TextSecureState>>,
    caller: Caller,
) -> Result<Body<super::Count>, Problem> {
    super::count(state, caller).await
}

/// `GET /v2/keys/{number}/{device}`: what a device left, or with `*` what each did.
#[utoipa::path(
    get, path = "/v2/keys/{number}/{device}", operation_id = "take_signed_prekeys", tag = "TextSecure",
    summary = "Take prekeys and signed ones",
    description = "Of a device, or of each with `*`.",
    params(
        ("number" = String, Path, description = "The number, with its `+`"),
        ("device" = String, Path, description = "The number of a device, or `*` for all"),
        ("relay" = Option<String>, Query, description = "The gateway that the phone is at; empty or left out for this one"),
    ),
    responses(
        (status = 200, body = PhoneKeyList, description = "What each device left"),
        (status = 404, description = "The phone or the device cannot be reached or has left nothing, or the relay is unknown"),
    ),
    security(("phone" = [])),
)]
async fn take(
    State(state): State<Arc<TextSecureState>>,
    PathPair(number, device): PathPair,
    RawQuery(query): RawQuery,
    Acting(caller): Acting,
) -> Result<Response, Problem> {
    let wanted = wanted(&device)?;
    let of = may_take(&state, &caller, &number, wanted)?;
    match relay::in_query(query.as_deref()) {
        Some(relay) => elsewhere(&state, relay, RelayRequest::SignedKeys(of, wanted)).await,
        None => Ok(signed_list(state.switchboard.take_keys(&of, wanted).await?)),
    }
}

/// Prekeys as the second version writes them.
pub(in super::super) fn signed_list(keys: PhoneKeys) -> Response {
    let devices = keys.devices.into_iter().map(Into::into).collect();
    let identity_key = keys.identity.unwrap_or_default();
    Body(PhoneKeyList { identity_key, devices }).into_response()
}

/// `PUT /v2/keys/signed`: another signed prekey.
#[utoipa::path(
    put, path = "/v2/keys/signed", operation_id = "replace_signed_prekey", tag = "TextSecure",
    summary = "Leave another signed prekey",
    description = "It takes the place of the device's earlier one.",
    request_body = SignedKey,
    responses(
        (status = 204, description = "It is kept"),
    ),
    security(("phone" = [])),
)]
async fn sign(
    State(state): State<Arc<TextSecureState>>,
    Json { caller, body: key, .. }: Json<SignedKey>,
) -> Result<StatusCode, Problem> {
    let store = &state.switchboard.gateway.store;
    let key = SignedPrekey::from(key).checked()?;
    store.put_signed_prekey(caller.device.session, key).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v2/keys/signed`: the device's own signed prekey.
#[utoipa::path(
    get, path = "/v2/keys/signed", operation_id = "read_signed_prekey", tag = "TextSecure",
    summary = "Read the own signed prekey",
    description = "The one that others get now.",
    responses(
        (status = 200, body = SignedKey, description = "The signed prekey"),
        (status = 404, description = "The device has left none"),
    ),
    security(("phone" = [])),
)]
async fn signed(
    State(state): State<Arc<TextSecureState>>,
    caller: Caller,
) -> Result<Body<SignedKey>, Problem> {
    let found = state.switchboard.gateway.store.signed_prekey(caller.device.session).await?;
    Ok(Body(found.ok_or(Fault::NotFound { what: "signed prekey" })?.into()))
}
