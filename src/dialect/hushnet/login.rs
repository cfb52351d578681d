//! Logging in: the server's proves a key, the documentation's only looks a device up.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::auth::weak;
use super::body::Unsigned;
use super::contract::Contract;
use super::error::{ErrorBody, Refusal};
use super::users::{User, unknown_user};
use super::{HushNetState, Routes};
use crate::domain::error::Fault;
use crate::domain::messenger::{DeviceOwner, MemberName};
use crate::sdk::keys::VerifyingKey;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new().route("/users/login", post(login)).route("/login", post(login_documented))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(login, login_documented))]
    struct Paths;
    Paths::openapi()
}

/// A message that somebody has signed.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetLogin)]
struct Login {
    /// The device's Ed25519 key, base64.
    #[schema(example = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")]
    identity_pubkey: String,
    /// Any bytes, base64.
    #[schema(example = "TG9naW4gcmVxdWVzdA==")]
    message: String,
    /// The key's signature of these bytes, base64.
    signature: String,
}

/// Who somebody says to be.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetDocumentedLogin)]
struct DocumentedLogin {
    /// The user's name.
    #[schema(example = "alice")]
    username: String,
    /// The device's Ed25519 key, base64.
    #[schema(example = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")]
    identity_pubkey: String,
}

/// A device, and whose it is.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetLoggedIn)]
struct LoggedIn {
    /// The user's id.
    #[schema(example = "f47ac10b-58cc-4372-a567-0e02b2c3d479")]
    user_id: String,
    /// The device's id.
    #[schema(example = "d1e2f3a4-b5c6-7890-abcd-ef1234567890")]
    device_id: String,
    /// The user's name.
    #[schema(example = "alice")]
    username: String,
}

/// `POST /users/login`: whose key has signed a message.
#[utoipa::path(
    post, path = "/users/login", operation_id = "log_in_to_hushnet", tag = "HushNet",
    summary = "Find out whose device has a key",
    description = "Whoever has the key signs any message.",
    request_body = Login,
    responses(
        (status = 200, body = Option<User>, description = "The user; `null` when nobody has a device with that key"),
        (status = 401, body = ErrorBody, description = "The signature, or the key, is none"),
    ),
)]
async fn login(
    State(state): State<Arc<HushNetState>>,
    asked: Unsigned,
) -> Result<Response, Refusal> {
    let login: Login = asked.parse()?;
    state.messenger.allowances.authentication(asked.visitor.address)?;
    let key = login.signer().ok_or_else(|| {
        let fault = Fault::unauthorized("the key has not signed this message");
        Refusal::worded(fault, StatusCode::UNAUTHORIZED, "Invalid signature")
    })?;
    let Some(DeviceOwner { member, device }) = state.known_device(&key).await? else {
        return Ok(Json(None::<User>).into_response());
    };
    state.heard(member.account, &device, asked.visitor.address);
    let contract = Contract::Server;
    let user = User::new(member.user, &member.name, member.created_at, contract);
    Ok(Json(user).into_response())
}

impl Login {
    fn signer(&self) -> Option<VerifyingKey> {
        let key = weak::key(&self.identity_pubkey).ok()?;
        let message = STANDARD.decode(&self.message).ok()?;
        let signature = weak::signature(&self.signature).ok()?;
        key.verify(&message, &signature).ok().map(|()| key)
    }
}

/// `POST /login`: the device of a user that has a key.
#[utoipa::path(
    post, path = "/login", operation_id = "log_in_to_hushnet_documented", tag = "HushNet",
    summary = "Find out which device has a key",
    description = "Proves nothing: each request that needs credentials is signed.",
    request_body = DocumentedLogin,
    responses(
        (status = 200, body = LoggedIn, description = "The device"),
        (status = 401, body = ErrorBody, description = "That is no key, or the device is another user's"),
        (status = 404, body = ErrorBody, description = "There is no such user or device"),
    ),
)]
async fn login_documented(
    State(state): State<Arc<HushNetState>>,
    asked: Unsigned,
) -> Result<Json<LoggedIn>, Refusal> {
    let login: DocumentedLogin = asked.parse()?;
    state.messenger.allowances.authentication(asked.visitor.address)?;
    let invalid = || {
        let fault = Fault::unauthorized("the user has no device with this key");
        Refusal::worded(fault, StatusCode::UNAUTHORIZED, "Invalid credentials")
    };
    let key = weak::key(&login.identity_pubkey).map_err(|_| invalid())?;
    let name = MemberName::parse(&login.username).map_err(|_| unknown_user())?;
    let store = &state.messenger.gateway.store;
    let user = store.member_named(&name, None).await?.ok_or_else(unknown_user)?;
    let found = state.known_device(&key).await?.ok_or_else(|| {
        let fault = Fault::NotFound { what: "device" };
        Refusal::worded(fault, StatusCode::NOT_FOUND, "Device not found")
    })?;
    if found.member.user != user {
        return Err(invalid());
    }
    Ok(Json(LoggedIn {
        user_id: user.to_string(),
        device_id: found.device.id.to_string(),
        username: login.username,
    }))
}
