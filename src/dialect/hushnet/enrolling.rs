//! Devices that are new: with a token, by a new key's own word, or by another device's.
//!
//! The server's `POST /users/{id}/devices` has a token in its body, and what stands in its path does
//! not matter. The documentation's `POST /devices` is signed: a user's first device by the new key
//! itself, soon after the user was made, and further ones by one that is there.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::body::{SelfSigned, Unsigned};
use super::contract::Contract;
use super::devices::Device;
use super::error::{ErrorBody, Refusal};
use super::times::utc;
use super::users::{bad_request, unknown_user};
use super::{HushNetState, Routes};
use crate::domain::error::Fault;
use crate::domain::ids::UserId;
use crate::domain::messenger::devices::{DeviceKeys, PROOF, SIGNED_PREKEY};
use crate::domain::messenger::member::Permit;
use crate::domain::messenger::{EnrolledDevice, SignedKey};

/// The routes of this file. That of `POST /users/{id}/devices` stands with its other method.
pub(super) fn routes() -> Routes {
    Routes::new().route("/devices", post(enrol_documented))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(enrol, enrol_documented))]
    struct Paths;
    Paths::openapi()
}

/// A new device, as the server has it.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetEnrolment)]
struct Enrolment {
    /// Whose it is.
    user_id: UserId,
    /// Its Ed25519 key, base64; no other device has it, and none ever had.
    identity_pubkey: String,
    /// The X25519 key that others agree with, base64.
    prekey_pubkey: String,
    /// Its signed prekey.
    signed_prekey: SignedPrekey,
    /// Its one-time prekeys.
    one_time_prekeys: Vec<OneTimeKey>,
    /// What its owner calls it.
    #[schema(example = "Flutter-1762080600000")]
    device_label: String,
    /// Is not kept.
    #[serde(rename = "push_token")]
    _push_token: String,
    /// From `POST /users/create`.
    enrollment_token: String,
    /// The identity key's signature of `HushNet device of ` with the user's id behind it, base64; may be
    /// left out.
    #[serde(default)]
    identity_proof: Option<String>,
}

/// A prekey that serves for a longer time.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetSignedPrekey)]
struct SignedPrekey {
    /// The X25519 key, base64.
    key: String,
    /// The identity key's signature of its bytes, base64.
    signature: String,
}

/// A prekey that is used once.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetOneTimePrekey)]
struct OneTimeKey {
    /// The X25519 key, base64.
    key: String,
}

/// A new device, as the documentation has it.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetDocumentedEnrolment)]
struct DocumentedEnrolment {
    /// Whose it is.
    user_id: UserId,
    /// Its Ed25519 key, base64; no other device has it, and none ever had.
    identity_pubkey: String,
    /// The X25519 key that others agree with, base64.
    prekey_pubkey: String,
    /// Its signed prekey, base64.
    signed_prekey_pub: String,
    /// The identity key's signature of its bytes, base64.
    signed_prekey_sig: String,
    /// Its one-time prekeys.
    #[serde(default)]
    one_time_prekeys: Vec<String>,
    /// What its owner calls it.
    #[serde(default)]
    #[schema(example = "iPhone 15 Pro")]
    device_label: Option<String>,
    /// Is not kept.
    #[serde(default, rename = "push_token")]
    _push_token: Option<String>,
    /// The identity key's signature of `HushNet device of ` with the user's id behind it, base64. Only a
    /// device that signs requests as a whole has to give it for another one.
    #[serde(default)]
    identity_proof: Option<String>,
}

/// A device that was just enrolled.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetEnrolled)]
struct Enrolled {
    /// Its id.
    #[schema(example = "d1e2f3a4-b5c6-7890-abcd-ef1234567890")]
    id: String,
    /// Whose it is.
    #[schema(example = "f47ac10b-58cc-4372-a567-0e02b2c3d479")]
    user_id: String,
    /// Its Ed25519 key, base64.
    identity_pubkey: String,
    /// What its owner calls it.
    device_label: Option<String>,
    /// When it was made, UTC.
    #[schema(example = "2025-11-02T10:30:00Z")]
    created_at: String,
}

/// `POST /users/{id}/devices`: enrols a device with a token.
#[utoipa::path(
    post, path = "/users/{id}/devices", operation_id = "enrol_hushnet_device", tag = "HushNet",
    summary = "Enrol a device with a token",
    description = "The token is used up when the device was enrolled, and not before. The push token is not kept.",
    params(("id" = String, Path, description = "Does not matter: the body names the user")),
    request_body = Enrolment,
    responses(
        (status = 201, body = Device, description = "The device"),
        (status = 400, body = ErrorBody, description = "There is no such user"),
        (status = 401, body = ErrorBody, description = "The token is not good for this user, or was used; or the identity key has not signed the prekey"),
        (status = 409, body = ErrorBody, description = "The identity key is on file, or the user has too many devices"),
    ),
)]
pub(super) async fn enrol(
    State(state): State<Arc<HushNetState>>,
    asked: Unsigned,
) -> Result<Response, Refusal> {
    let enrolment: Enrolment = asked.parse()?;
    state.messenger.allowances.authentication(asked.visitor.address)?;
    let user = enrolment.user_id;
    let permit = state.messenger.read_token(&enrolment.enrollment_token, user);
    let permit = permit.ok_or_else(|| bad_token(Fault::unauthorized("the token is not good")))?;
    let keys = enrolment.into_keys();
    let one_time = keys.one_time_keys.clone();
    let enrolled = state.messenger.enrol(user, keys, permit).await.map_err(not_enrolled)?;
    state.heard(enrolled.account, &enrolled.device, asked.visitor.address);
    let device = Device::new(user, &enrolled.device, one_time, Contract::Server);
    Ok((StatusCode::CREATED, Json(device)).into_response())
}

impl Enrolment {
    fn into_keys(self) -> DeviceKeys {
        let SignedPrekey { key, signature } = self.signed_prekey;
        DeviceKeys {
            identity_key: self.identity_pubkey,
            agreement_key: self.prekey_pubkey,
            signed: SignedKey { key, signature },
            one_time_keys: self.one_time_prekeys.into_iter().map(|one| one.key).collect(),
            label: Some(self.device_label),
            proof: self.identity_proof,
        }
    }
}

fn bad_token(fault: Fault) -> Refusal {
    const TEXT: &str = "Wrong or expired enrollment token for user";
    Refusal::worded(fault, StatusCode::UNAUTHORIZED, TEXT)
}

fn not_enrolled(fault: Fault) -> Refusal {
    match &fault {
        Fault::Forbidden { .. } => bad_token(fault),
        // Its text is too long; the server's contract has it inside another member.
        Fault::Invalid { field, reason } if field == "signed_prekey_pub" => {
            Fault::invalid("signed_prekey.key", reason.clone()).into()
        }
        Fault::Invalid { field, .. }
            if [SIGNED_PREKEY, PROOF, "identity_pubkey"].contains(&&**field) =>
        {
            Refusal::worded(fault, StatusCode::UNAUTHORIZED, "Signature check failed.")
        }
        Fault::NotFound { .. } => {
            Refusal::worded(fault, StatusCode::BAD_REQUEST, "User ID does not exist")
        }
        _ => on_file(fault),
    }
}

fn on_file(fault: Fault) -> Refusal {
    match &fault {
        Fault::Conflict { field, .. } if field == "identity_pubkey" => {
            Refusal::worded(fault, StatusCode::CONFLICT, "Device already exists")
        }
        _ => fault.into(),
    }
}

/// `POST /devices`: enrols a device by the word of a key.
#[utoipa::path(
    post, path = "/devices", operation_id = "enrol_hushnet_device_documented", tag = "HushNet",
    summary = "Enrol a device by the word of a key",
    description = "A user's first device is signed for with the new key itself, within ten minutes of the user's beginning; further ones by a device that is there, best with the strong signature: that of the time alone fits any other request for a minute, this one included, and with the strong one the new key's own proof has to be there. The push token is not kept.",
    request_body = DocumentedEnrolment,
    responses(
        (status = 201, body = Enrolled, description = "The device"),
        (status = 400, body = ErrorBody, description = "A key, the signature of the prekey or the label cannot be used"),
        (status = 403, body = ErrorBody, description = "The device that signs is another user's; or the user has a device already, which would have to sign; or it is too late"),
        (status = 404, body = ErrorBody, description = "There is no such user"),
        (status = 409, body = ErrorBody, description = "The identity key is on file, or the user has too many devices"),
    ),
    security(("device" = [])),
)]
async fn enrol_documented(
    State(state): State<Arc<HushNetState>>,
    asked: SelfSigned,
) -> Result<Response, Refusal> {
    let enrolment: DocumentedEnrolment = asked.parse()?;
    state.messenger.allowances.authentication(asked.address)?;
    let user = enrolment.user_id;
    let permit = match &asked.caller {
        Some(caller) if caller.member.user == user => {
            if caller.device.is_strong && enrolment.identity_proof.is_none() {
                let fault = Fault::invalid(PROOF, "is missing");
                return Err(not_enrolled_documented(fault));
            }
            Permit::Device(caller.device.session)
        }
        Some(caller) if caller.device.identity_key == enrolment.identity_pubkey => {
            return Err(on_file(Fault::conflict("identity_pubkey", "is on file for a device")));
        }
        Some(_) => {
            return Err(Fault::forbidden("the device that signs is another user's").into());
        }
        None if asked.key_text == enrolment.identity_pubkey => state.messenger.first_permit(),
        None => return Err(asked.unknown(&state)),
    };
    let enrolled = state.messenger.enrol(user, enrolment.into_keys(), permit).await;
    let enrolled = enrolled.map_err(not_enrolled_documented)?;
    if asked.caller.is_none() {
        // Its own key has signed.
        state.heard(enrolled.account, &enrolled.device, asked.address);
    }
    Ok((StatusCode::CREATED, Json(Enrolled::of(user, enrolled))).into_response())
}

fn not_enrolled_documented(fault: Fault) -> Refusal {
    match fault {
        Fault::Invalid { .. } => bad_request(&fault, "Invalid device data"),
        Fault::NotFound { .. } => unknown_user(),
        other => on_file(other),
    }
}

impl DocumentedEnrolment {
    fn into_keys(self) -> DeviceKeys {
        let signed = SignedKey { key: self.signed_prekey_pub, signature: self.signed_prekey_sig };
        DeviceKeys {
            identity_key: self.identity_pubkey,
            agreement_key: self.prekey_pubkey,
            signed,
            one_time_keys: self.one_time_prekeys,
            label: self.device_label,
            proof: self.identity_proof,
        }
    }
}

impl Enrolled {
    fn of(user: UserId, EnrolledDevice { device, .. }: EnrolledDevice) -> Self {
        Self {
            id: device.id.to_string(),
            user_id: user.to_string(),
            identity_pubkey: device.identity_key,
            device_label: device.label,
            created_at: utc(device.created_at),
        }
    }
}
