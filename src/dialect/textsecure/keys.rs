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

use super::TextSecureState;
use super::auth::Caller;
use super::json::{Json, number};
use super::paths::{Acting, Routes, route};
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
    let routes = route(routes, "/v1/keys/{number}", get(take_from_first));
    route(routes, "/v1/keys/{number}/{device}", get(take)).merge(v2::routes())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyList {
    last_resort_key: UploadedKey,
    keys: Vec<UploadedKey>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UploadedKey {
    // Clients leave a number out that is 0.
    #[serde(default, deserialize_with = "number")]
    key_id: i64,
    public_key: String,
    identity_key: String,
}

impl UploadedKey {
    fn into_prekey(self) -> Prekey {
        Prekey { id: self.key_id, public_key: self.public_key }
    }
}

#[derive(Serialize)]
struct Count {
    count: u64,
}

/// A prekey of the first edition.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BareKey {
    key_id: i64,
    public_key: String,
    identity_key: String,
}

/// A prekey of the second edition.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeviceKey {
    device_id: u32,
    key_id: i64,
    public_key: String,
    identity_key: String,
    registration_id: u32,
}

#[derive(Serialize)]
struct DeviceKeyList {
    keys: Vec<DeviceKey>,
}

/// `PUT /v1/keys/`: the device's prekeys, in the place of all that it left before. The one that
/// stands apart is the last resort, whatever its number.
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
    state.switchboard.gateway.store.replace_prekeys(new).await?;
    Ok(StatusCode::OK)
}

/// `GET /v1/keys/` and `GET /v2/keys/`: how many prekeys the device has, the last resort aside.
async fn count(
    State(state): State<Arc<TextSecureState>>,
    caller: Caller,
) -> Result<Body<Count>, Problem> {
    let count = state.switchboard.gateway.store.count_prekeys(caller.device.session).await?;
    Ok(Body(Count { count }))
}

/// `GET /v1/keys/{number}`: a prekey of the first device, for the first edition.
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
