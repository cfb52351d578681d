//! Prekeys, as both editions of the first version know them: each comes with the identity key.
//!
//! The keys are strings of their owner, kept and given back byte for byte.

pub(super) mod v2;

use std::sync::Arc;

use axum::Json as Body;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::TextSecureState;
use super::auth::Caller;
use super::json::{Json, number};
use super::paths::{Acting, Routes, get_only, route};
use super::relay;
use crate::domain::error::Fault;
use crate::domain::phone::keys::{DeviceKeys, PhoneKeys, Wanted};
use crate::domain::phone::{DeviceNumber, PhoneNumber};
use crate::domain::ports::RelayRequest;
use crate::domain::prekeys::{Identity, NewPrekeys, Prekey};
use crate::http::path::{PathPair, PathPart};
use crate::http::problem::Problem;

/// The routes of this file and of the second version.
pub(super) fn routes() -> Routes {
    let routes = route(Routes::new(), "/v1/keys", get(count).put(replace));
    let routes = route(routes, "/v1/keys/{number}", get_only(take_from_first));
    let taking = get_only(take);
    route(routes, "/v1/keys/{number}/{device}", taking).merge(v2::routes())
}

/// This file's part of the OpenAPI document, and of the files below it.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(replace, count, take_from_first, take))]
    struct Paths;
    let mut document = Paths::openapi();
    document.merge(v2::openapi());
    document
}

/// Prekeys of a device.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PrekeyList)]
struct KeyList {
    /// The one for when the others are used up.
    last_resort_key: UploadedKey,
    /// The others; each is given out once.
    keys: Vec<UploadedKey>,
}

/// A prekey.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = UploadedPrekey)]
struct UploadedKey {
    /// The key's number; 0 where it is left out.
    #[schema(example = 31337)]
    // Clients leave a number out that is 0.
    #[serde(default, deserialize_with = "number")]
    key_id: i64,
    /// The public key, as its owner wrote it.
    #[schema(example = "BQmLq6wBP1Tzv4hQvUqgAlM0M9nU0Yv7yRz8vCnL3kQx")]
    public_key: String,
    /// The phone's identity key, as its owner wrote it.
    #[schema(example = "BQmLq6wBP1Tzv4hQvUqgAlM0M9nU0Yv7yRz8vCnL3kQx")]
    identity_key: String,
}

impl UploadedKey {
    fn into_prekey(self) -> Prekey {
        Prekey { id: self.key_id, public_key: self.public_key }
    }
}

/// A number of prekeys.
#[derive(Serialize, ToSchema)]
#[schema(as = PrekeyCount)]
struct Count {
    /// How many.
    #[schema(example = 99)]
    count: u64,
}

/// A prekey of the first edition.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BarePrekey)]
pub(super) struct BareKey {
    /// The key's number.
    #[schema(example = 31337)]
    key_id: i64,
    /// The public key, as its owner wrote it.
    #[schema(example = "BQmLq6wBP1Tzv4hQvUqgAlM0M9nU0Yv7yRz8vCnL3kQx")]
    public_key: String,
    /// The phone's identity key, as its owner wrote it.
    #[schema(example = "BQmLq6wBP1Tzv4hQvUqgAlM0M9nU0Yv7yRz8vCnL3kQx")]
    identity_key: String,
}

/// A prekey of the second edition.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DevicePrekey)]
pub(super) struct DeviceKey {
    /// The device's number.
    #[schema(example = 1)]
    device_id: u32,
    /// The key's number.
    #[schema(example = 31337)]
    key_id: i64,
    /// The public key, as its owner wrote it.
    #[schema(example = "BQmLq6wBP1Tzv4hQvUqgAlM0M9nU0Yv7yRz8vCnL3kQx")]
    public_key: String,
    /// The phone's identity key, as its owner wrote it.
    #[schema(example = "BQmLq6wBP1Tzv4hQvUqgAlM0M9nU0Yv7yRz8vCnL3kQx")]
    identity_key: String,
    /// What tells this installation of the device from others.
    #[schema(example = 4711)]
    registration_id: u32,
}

/// Prekeys of a phone's devices.
#[derive(Serialize, ToSchema)]
#[schema(as = DevicePrekeyList)]
pub(super) struct DeviceKeyList {
    /// One of each device.
    keys: Vec<DeviceKey>,
}

/// `PUT /v1/keys/`: the device's prekeys, in the place of all that it left before. The one that
/// stands apart is the last resort, whatever its number.
#[utoipa::path(
    put, path = "/v1/keys", operation_id = "replace_prekeys", tag = "TextSecure",
    summary = "Leave prekeys",
    description = "The device's prekeys take the place of all that it left before. `lastResortKey` is given out, and kept, once the others are used up; its identity key is the phone's.",
    request_body = KeyList,
    responses(
        (status = 200, description = "They are kept"),
    ),
    security(("phone" = [])),
)]
async fn replace(
    State(state): State<Arc<TextSecureState>>,
    Json { caller, body: list, .. }: Json<KeyList>,
) -> Result<StatusCode, Problem> {
    let KeyList { last_resort_key, keys } = list;
    let identity = last_resort_key.identity_key.clone();
    let new = NewPrekeys {
        session: caller.device.session,
        ordinary: keys.into_iter().map(UploadedKey::into_prekey).collect(),
        last_resort: Some(last_resort_key.into_prekey()),
        signed: None,
        identity: Some(Identity { account: caller.phone.account, key: identity }),
    };
    state.switchboard.gateway.store.replace_prekeys(new.checked()?).await?;
    Ok(StatusCode::OK)
}

/// `GET /v1/keys/`: how many prekeys the device has, the last resort aside.
#[utoipa::path(
    get, path = "/v1/keys", operation_id = "count_prekeys", tag = "TextSecure",
    summary = "Count prekeys",
    description = "How many prekeys the device has left, without the last resort.",
    responses(
        (status = 200, body = Count, description = "How many"),
    ),
    security(("phone" = [])),
)]
async fn count(
    State(state): State<Arc<TextSecureState>>,
    caller: Caller,
) -> Result<Body<Count>, Problem> {
    let count = state.switchboard.gateway.store.count_prekeys(caller.device.session).await?;
    Ok(Body(Count { count }))
}

/// `GET /v1/keys/{number}`: a prekey of the first device, for the first edition.
#[utoipa::path(
    get, path = "/v1/keys/{number}", operation_id = "take_prekey", tag = "TextSecure",
    summary = "Take a prekey of the first device",
    description = "Of the first edition.",
    params(
        ("number" = String, Path, description = "The number, with its `+`"),
        ("relay" = Option<String>, Query, description = "The gateway that the phone is at; empty or left out for this one"),
    ),
    responses(
        (status = 200, body = BareKey, description = "A prekey, which nobody else gets unless it is the last resort"),
        (status = 404, description = "The phone cannot be reached, has left no prekeys, or the relay is unknown"),
    ),
    security(("phone" = [])),
)]
async fn take_from_first(
    State(state): State<Arc<TextSecureState>>,
    PathPart(number): PathPart,
    RawQuery(query): RawQuery,
    Acting(caller): Acting,
) -> Result<Response, Problem> {
    let first = Wanted::One(DeviceNumber::PRIMARY);
    let of = may_take(&state, &caller, &number, first)?;
    match relay::in_query(query.as_deref()) {
        Some(relay) => elsewhere(&state, relay, RelayRequest::FirstKey(of)).await,
        None => Ok(bare(state.switchboard.take_keys(&of, first).await?)?),
    }
}

/// `GET /v1/keys/{number}/{device}`: a prekey of a device, or with `*` of each, for the second
/// edition.
#[utoipa::path(
    get, path = "/v1/keys/{number}/{device}", operation_id = "take_prekeys", tag = "TextSecure",
    summary = "Take prekeys",
    description = "Of the second edition: a prekey of a device, or of each with `*`.",
    params(
        ("number" = String, Path, description = "The number, with its `+`"),
        ("device" = String, Path, description = "The number of a device, or `*` for all"),
        ("relay" = Option<String>, Query, description = "The gateway that the phone is at; empty or left out for this one"),
    ),
    responses(
        (status = 200, body = DeviceKeyList, description = "A prekey of each device that was asked for and left some"),
        (status = 404, description = "The phone or the device cannot be reached or has left no prekeys, or the relay is unknown"),
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
        Some(relay) => elsewhere(&state, relay, RelayRequest::Keys(of, wanted)).await,
        None => Ok(list(state.switchboard.take_keys(&of, wanted).await?)?),
    }
}

/// A prekey as the first edition writes it.
pub(super) fn bare(keys: PhoneKeys) -> Result<Response, Fault> {
    let only = device_keys(keys).next().ok_or(NOTHING)?;
    let DeviceKey { key_id, public_key, identity_key, .. } = only;
    Ok(Body(BareKey { key_id, public_key, identity_key }).into_response())
}

/// Prekeys as the second edition writes them.
pub(super) fn list(keys: PhoneKeys) -> Result<Response, Fault> {
    let keys: Vec<_> = device_keys(keys).collect();
    match keys.is_empty() {
        true => Err(NOTHING),
        false => Ok(Body(DeviceKeyList { keys }).into_response()),
    }
}

/// Nobody can begin to write there.
pub(super) const NOTHING: Fault = Fault::NotFound { what: "prekey" };

/// A device's number, or a star for all of them.
pub(super) fn wanted(device: &str) -> Result<Wanted, Fault> {
    if device == "*" {
        return Ok(Wanted::All);
    }
    let number = device.parse().map_err(|_| Fault::NotFound { what: "device" })?;
    Ok(Wanted::One(DeviceNumber(number)))
}

/// Whose prekeys the caller asks for, once that was counted.
fn may_take(
    state: &TextSecureState,
    caller: &Caller,
    number: &str,
    wanted: Wanted,
) -> Result<PhoneNumber, Fault> {
    let number = PhoneNumber::parse(number).ok_or(NOTHING)?;
    state.switchboard.may_take_keys(&caller.phone.number, &number, wanted)?;
    Ok(number)
}

/// The prekeys of a phone at another gateway. Of one that cannot be reached there are none.
async fn elsewhere(
    state: &TextSecureState,
    relay: &str,
    request: RelayRequest,
) -> Result<Response, Problem> {
    match relay::ask(state, relay, request).await {
        Ok(answer) => Ok(relay::pass(answer)),
        Err(Fault::Deferred { .. }) => Err(NOTHING.into()),
        Err(fault) => Err(fault.into()),
    }
}

/// Those devices' keys that have one of the first version.
fn device_keys(keys: PhoneKeys) -> impl Iterator<Item = DeviceKey> {
    let identity_key = keys.identity.unwrap_or_default();
    keys.devices.into_iter().filter_map(
        move |DeviceKeys { device, registration, prekey, .. }| {
            let Prekey { id, public_key } = prekey?;
            Some(DeviceKey {
                device_id: device.0,
                key_id: id,
                public_key,
                identity_key: identity_key.clone(),
                registration_id: registration,
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_a_number_or_a_star() {
        assert_eq!(wanted("*").unwrap(), Wanted::All);
        assert_eq!(wanted("2").unwrap(), Wanted::One(DeviceNumber(2)));
        assert!(wanted("x").is_err() && wanted("-1").is_err() && wanted("").is_err());
    }
}
