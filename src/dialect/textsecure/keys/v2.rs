//! Prekeys of the second version: one identity key for all, and a signed prekey beside the others.

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};

use super::super::TextSecureState;
use super::super::auth::Caller;
use super::super::json::{Json, number};
use super::super::paths::{Acting, Routes, route};
use super::super::relay;
use super::{count, elsewhere, may_take, wanted};
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
    route(routes, "/v2/keys/{number}/{device}", get(take))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyList {
    identity_key: String,
    pre_keys: Vec<Key>,
    last_resort_key: Key,
    signed_pre_key: SignedKey,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Key {
    // Clients leave a number out that is 0.
    #[serde(default, deserialize_with = "number")]
    key_id: i64,
    public_key: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct SignedKey {
    #[serde(default, deserialize_with = "number")]
    key_id: i64,
    public_key: String,
    signature: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhoneKeyList {
    identity_key: String,
    devices: Vec<DeviceKey>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeviceKey {
    device_id: u32,
    registration_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_pre_key: Option<SignedKey>,
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
    state.switchboard.gateway.store.replace_prekeys(new).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v2/keys/{number}/{device}`: what a device left, or with `*` what each did.
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
async fn sign(
    State(state): State<Arc<TextSecureState>>,
    Json { caller, body: key, .. }: Json<SignedKey>,
) -> Result<StatusCode, Problem> {
    let store = &state.switchboard.gateway.store;
    store.put_signed_prekey(caller.device.session, key.into()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v2/keys/signed`: the device's own signed prekey.
async fn signed(
    State(state): State<Arc<TextSecureState>>,
    caller: Caller,
) -> Result<Body<SignedKey>, Problem> {
    let found = state.switchboard.gateway.store.signed_prekey(caller.device.session).await?;
    Ok(Body(found.ok_or(Fault::NotFound { what: "signed prekey" })?.into()))
}
