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
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

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
    let routes = route(routes, "/v1/accounts/ups", put(set_ups).delete(clear_ups));
    let webpush = get(web_push_key).put(set_webpush).delete(clear_webpush);
    route(routes, "/v1/accounts/webpush", webpush)
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(
        set_gcm,
        set_apn,
        set_ups,
        set_webpush,
        web_push_key,
        clear_gcm,
        clear_apn,
        clear_ups,
        clear_webpush
    ))]
    struct Paths;
    Paths::openapi()
}

/// A device at Google's service.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Gcm {
    /// Its token, or the URL of an endpoint; 1000 bytes at most.
    #[schema(example = "https://push.example.org/wp/abc")]
    gcm_registration_id: String,
}

/// A device at Apple's service.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Apn {
    /// Its token; 1000 bytes at most.
    #[schema(example = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0")]
    apn_registration_id: String,
}

/// A device that UnifiedPush wakes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Ups {
    /// The URL of an endpoint; 1000 bytes at most.
    #[schema(example = "https://push.example.org/up/abc")]
    ups_registration_id: String,
}

/// A device that Web Push wakes.
#[derive(Deserialize, ToSchema)]
struct WebPush {
    /// The URL of the endpoint; 1000 bytes at most.
    #[schema(example = "https://push.example.org/wp/abc")]
    endpoint: String,
    /// The client's public key, in base64 for URLs; comes with `auth` or not at all.
    #[schema(
        example = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    )]
    p256dh: Option<String>,
    /// Its secret of 16 bytes, in base64 for URLs.
    #[schema(example = "BTBZMqHH6r4Tts7J_aSIgg")]
    auth: Option<String>,
}

/// `PUT /v1/accounts/gcm/`: an id of Google's service, or the URL of an endpoint.
#[utoipa::path(
    put, path = "/v1/accounts/gcm", operation_id = "set_phone_gcm", tag = "TextSecure",
    summary = "Be woken by Google's service",
    description = "The device's token at Firebase, or a URL that begins with `https://`: an endpoint of Web Push without keys. An id of Apple's service is forgotten.",
    request_body = Gcm,
    responses(
        (status = 200, description = "From now on the device is woken there"),
    ),
    security(("phone" = [])),
)]
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
#[utoipa::path(
    put, path = "/v1/accounts/apn", operation_id = "set_phone_apn", tag = "TextSecure",
    summary = "Be woken by Apple's service",
    description = "The device's token at Apple. An id of Google's service is forgotten.",
    request_body = Apn,
    responses(
        (status = 200, description = "From now on the device is woken there"),
    ),
    security(("phone" = [])),
)]
async fn set_apn(
    State(state): State<Arc<TextSecureState>>,
    Json { caller, body, .. }: Json<Apn>,
) -> Result<StatusCode, Problem> {
    check("apnRegistrationId", &body.apn_registration_id)?;
    set(&state, &caller, PushKind::Apn, body.apn_registration_id.as_bytes()).await
}

/// `PUT /v1/accounts/ups/`: the URL of an endpoint. Ids of Ubuntu's service, for which this call
/// was made, lead nowhere any more; they are taken, and change nothing.
#[utoipa::path(
    put, path = "/v1/accounts/ups", operation_id = "set_phone_ups", tag = "TextSecure",
    summary = "Be woken by UnifiedPush",
    description = "A URL that begins with `https://`. Anything else is taken and changes nothing.",
    request_body = Ups,
    responses(
        (status = 200, description = "From now on the device is woken there"),
    ),
    security(("phone" = [])),
)]
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

/// The gateway as push services know it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct WebPushKey {
    /// Its public key, in base64 for URLs.
    #[schema(
        example = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    )]
    application_server_key: String,
}

/// `GET /v1/accounts/webpush/`: the key that a client names to its push service when it asks for an
/// endpoint (`applicationServerKey`, RFC 8292).
#[utoipa::path(
    get, path = "/v1/accounts/webpush", operation_id = "read_web_push_key", tag = "TextSecure",
    summary = "The gateway's key for Web Push",
    description = "The key that a client names to its push service when it asks for an endpoint (RFC 8292).",
    responses(
        (status = 200, body = WebPushKey, description = "The key"),
        (status = 404, description = "This gateway wakes nobody by Web Push"),
    ),
    security(("phone" = [])),
)]
async fn web_push_key(
    State(state): State<Arc<TextSecureState>>,
    _: Caller,
) -> Result<axum::Json<WebPushKey>, Problem> {
    let key = state.switchboard.push.web_push_key();
    let application_server_key = key.ok_or(Fault::NotFound { what: "key for Web Push" })?;
    Ok(axum::Json(WebPushKey { application_server_key }))
}

/// `PUT /v1/accounts/webpush/`: an endpoint, with the keys for which messages to it are encrypted.
#[utoipa::path(
    put, path = "/v1/accounts/webpush", operation_id = "set_phone_webpush", tag = "TextSecure",
    summary = "Be woken by Web Push",
    description = "An endpoint, with the keys for which notifications are encrypted (RFC 8291), or without keys.",
    request_body = WebPush,
    responses(
        (status = 200, description = "From now on the device is woken there"),
    ),
    security(("phone" = [])),
)]
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
#[utoipa::path(
    delete, path = "/v1/accounts/gcm", operation_id = "clear_phone_gcm", tag = "TextSecure",
    summary = "No longer be woken by Google's service",
    description = "Forgets the token of Google's service, and an endpoint of Web Push as well.",
    responses(
        (status = 200, description = "It is forgotten"),
    ),
    security(("phone" = [])),
)]
async fn clear_gcm(
    State(state): State<Arc<TextSecureState>>,
    Acting(caller): Acting,
) -> Result<StatusCode, Problem> {
    clear(&state, &caller, &[PushKind::Gcm, PushKind::WebPush]).await
}

/// `DELETE /v1/accounts/apn/`.
#[utoipa::path(
    delete, path = "/v1/accounts/apn", operation_id = "clear_phone_apn", tag = "TextSecure",
    summary = "No longer be woken by Apple's service",
    description = "Forgets the token of Apple's service.",
    responses(
        (status = 200, description = "It is forgotten"),
    ),
    security(("phone" = [])),
)]
async fn clear_apn(
    State(state): State<Arc<TextSecureState>>,
    Acting(caller): Acting,
) -> Result<StatusCode, Problem> {
    clear(&state, &caller, &[PushKind::Apn]).await
}

/// `DELETE /v1/accounts/ups/`.
#[utoipa::path(
    delete, path = "/v1/accounts/ups", operation_id = "clear_phone_ups", tag = "TextSecure",
    summary = "No longer be woken by UnifiedPush",
    description = "Forgets the endpoint.",
    responses(
        (status = 200, description = "It is forgotten"),
    ),
    security(("phone" = [])),
)]
async fn clear_ups(
    State(state): State<Arc<TextSecureState>>,
    Acting(caller): Acting,
) -> Result<StatusCode, Problem> {
    clear(&state, &caller, &[PushKind::WebPush]).await
}

/// `DELETE /v1/accounts/webpush/`.
#[utoipa::path(
    delete, path = "/v1/accounts/webpush", operation_id = "clear_phone_webpush", tag = "TextSecure",
    summary = "No longer be woken by Web Push",
    description = "Forgets the endpoint.",
    responses(
        (status = 200, description = "It is forgotten"),
    ),
    security(("phone" = [])),
)]
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
    // What is not encrypted once more for Web Push is for UnifiedPush alone.
    if endpoint.keys.is_none() && state.switchboard.push.probe(&endpoint.url).await == Some(false) {
        return Err(Fault::invalid("endpoint", "is not of UnifiedPush, and has no keys").into());
    }
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
        state.switchboard.clear_push(&caller.device, *kind).await?;
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
