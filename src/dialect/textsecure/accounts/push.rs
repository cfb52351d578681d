//! Where a device is woken: `PUT` and `DELETE` of its ids at push services.
//!
//! Web Push and UnifiedPush need no vendor: their id is a URL, which is taken wherever an id is, so
//! that clients need not change for it. A call of its own takes the keys besides.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, put};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::TextSecureState;
use super::super::auth::Caller;
use super::super::json::Json;
use super::super::paths::{Acting, Routes, route};
use crate::domain::error::Fault;
use crate::domain::phone::PushKind;
use crate::domain::phone::push_address::{Endpoint, EndpointKeys};
use crate::http::problem::Problem;

/// The longest id: that of an endpoint by UnifiedPush's specification, and more than the tokens of
/// any vendor.
const LONGEST: usize = 1000;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    let routes = route(Routes::new(), "/v1/accounts/gcm", put(set_gcm).delete(clear_gcm));
    let routes = route(routes, "/v1/accounts/apn", put(set_apn).delete(clear_apn));
    let routes = route(routes, "/v1/accounts/ups", put(set_ups).delete(clear_webpush));
    let webpush = get(web_push_key).put(set_webpush).delete(clear_webpush);
    route(routes, "/v1/accounts/webpush", webpush)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Gcm {
    gcm_registration_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Apn {
    apn_registration_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ups {
    ups_registration_id: String,
}

#[derive(Deserialize)]
struct WebPush {
    endpoint: String,
    p256dh: Option<String>,
    auth: Option<String>,
}

/// `PUT /v1/accounts/gcm/`: an id of Google's service, or the URL of an endpoint.
async fn set_gcm(
    State(state): State<Arc<TextSecureState>>,
    Json { caller, body, .. }: Json<Gcm>,
) -> Result<StatusCode, Problem> {
    let id = body.gcm_registration_id;
    check("gcmRegistrationId", &id)?;
    if is_endpoint(&id) {
        return set_endpoint(&state, &caller, Endpoint { url: id, keys: None }).await;
    }
    set(&state, &caller, PushKind::Gcm, id.as_bytes()).await
}

/// `PUT /v1/accounts/apn/`: an id of Apple's service.
async fn set_apn(
    State(state): State<Arc<TextSecureState>>,
    Json { caller, body, .. }: Json<Apn>,
) -> Result<StatusCode, Problem> {
    check("apnRegistrationId", &body.apn_registration_id)?;
    set(&state, &caller, PushKind::Apn, body.apn_registration_id.as_bytes()).await
}

/// `PUT /v1/accounts/ups/`: the URL of an endpoint. Ids of Ubuntu's service, for which this call
/// was made, lead nowhere any more; they are taken, and change nothing.
async fn set_ups(
    State(state): State<Arc<TextSecureState>>,
    Json { caller, body, .. }: Json<Ups>,
) -> Result<StatusCode, Problem> {
    let id = body.ups_registration_id;
    check("upsRegistrationId", &id)?;
    if !is_endpoint(&id) {
        return Ok(StatusCode::OK);
    }
    set_endpoint(&state, &caller, Endpoint { url: id, keys: None }).await
}

/// `GET /v1/accounts/webpush/`: the key that a client names to its push service when it asks for an
/// endpoint (`applicationServerKey`, RFC 8292).
async fn web_push_key(
    State(state): State<Arc<TextSecureState>>,
    _: Caller,
) -> Result<axum::Json<Value>, Problem> {
    let key = state.switchboard.push.web_push_key();
    let key = key.ok_or(Fault::NotFound { what: "key for Web Push" })?;
    Ok(axum::Json(json!({ "applicationServerKey": key })))
}

/// `PUT /v1/accounts/webpush/`: an endpoint, with the keys for which messages to it are encrypted.
async fn set_webpush(
    State(state): State<Arc<TextSecureState>>,
    Json { caller, body, .. }: Json<WebPush>,
) -> Result<StatusCode, Problem> {
    check("endpoint", &body.endpoint)?;
    if !is_endpoint(&body.endpoint) && !body.endpoint.starts_with("http://") {
        return Err(Fault::invalid("endpoint", "is no URL").into());
    }
    let keys = match (body.p256dh, body.auth) {
        (None, None) => None,
        (Some(p256dh), Some(auth)) => Some(keys(p256dh, auth)?),
        _ => return Err(Fault::invalid("auth", "comes with `p256dh` or not at all").into()),
    };
    set_endpoint(&state, &caller, Endpoint { url: body.endpoint, keys }).await
}

/// `DELETE /v1/accounts/gcm/`.
async fn clear_gcm(
    State(state): State<Arc<TextSecureState>>,
    Acting(caller): Acting,
) -> Result<StatusCode, Problem> {
    clear(&state, &caller, &[PushKind::Gcm, PushKind::WebPush]).await
}

/// `DELETE /v1/accounts/apn/`.
async fn clear_apn(
    State(state): State<Arc<TextSecureState>>,
    Acting(caller): Acting,
) -> Result<StatusCode, Problem> {
    clear(&state, &caller, &[PushKind::Apn]).await
}

/// `DELETE /v1/accounts/webpush/` and `DELETE /v1/accounts/ups/`.
async fn clear_webpush(
    State(state): State<Arc<TextSecureState>>,
    Acting(caller): Acting,
) -> Result<StatusCode, Problem> {
    clear(&state, &caller, &[PushKind::WebPush]).await
}

async fn set_endpoint(
    state: &TextSecureState,
    caller: &Caller,
    endpoint: Endpoint,
) -> Result<StatusCode, Problem> {
    set(state, caller, PushKind::WebPush, &endpoint.to_bytes()).await
}

async fn set(
    state: &TextSecureState,
    caller: &Caller,
    kind: PushKind,
    address: &[u8],
) -> Result<StatusCode, Problem> {
    state.switchboard.set_push(&caller.phone, &caller.device, kind, address).await?;
    Ok(StatusCode::OK)
}

async fn clear(
    state: &TextSecureState,
    caller: &Caller,
    kinds: &[PushKind],
) -> Result<StatusCode, Problem> {
    for kind in kinds {
        state.switchboard.clear_push(&caller.phone, &caller.device, *kind).await?;
    }
    Ok(StatusCode::OK)
}

fn check(field: &'static str, id: &str) -> Result<(), Fault> {
    if (1..=LONGEST).contains(&id.len()) {
        return Ok(());
    }
    Err(Fault::invalid(field, format!("has not between 1 and {LONGEST} bytes")))
}

fn is_endpoint(id: &str) -> bool {
    id.starts_with("https://")
}

fn keys(p256dh: String, auth: String) -> Result<EndpointKeys, Fault> {
    let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
    if !decoded(&p256dh).is_ok_and(|key| key.len() == 65 && key[0] == 4) {
        return Err(Fault::invalid("p256dh", "is no uncompressed point in base64url"));
    }
    if !decoded(&auth).is_ok_and(|secret| secret.len() == 16) {
        return Err(Fault::invalid("auth", "is not 16 bytes in base64url"));
    }
    Ok(EndpointKeys { p256dh, auth })
}
