//! Sessions in the protocol's words: introductions and their confirmation.
//!
//! Both contracts have the same three paths. `sessions_init` in a body is the server's list and
//! `recipient_device_id` the documentation's single one; `device_id` in a query asks for the
//! documentation's bare list, and `chat_id` in a confirmation is the documentation's.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::auth::Caller;
use super::body::Signed;
use super::contract::Contract;
use super::error::{ErrorBody, Refusal};
use super::federation::{Forwarded, forward_introductions};
use super::pending::own_device;
use super::times;
use super::views::{IntroductionView, introductions};
use super::{HushNetState, Routes};
use crate::domain::error::Fault;
use crate::domain::ids::{ConversationId, SessionId, UserId};
use crate::domain::messenger::Actor;
use crate::domain::messenger::introducing::{Greeting, ITSELF, Terms};
use crate::domain::messenger::introduction::IntroductionId;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
        .route("/sessions", post(introduce))
        .route("/sessions/pending", get(pending))
        .route("/sessions/confirm", post(confirm))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(introduce, pending, confirm))]
    struct Paths;
    Paths::openapi()
}

/// Introductions to devices of one member, as the server's contract has them.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetIntroductions)]
struct ToDevices {
    /// The member that all devices belong to; the nil UUID leaves that open.
    recipient_user_id: UserId,
    /// The member's address, `name@gateway`, if it is one of another gateway.
    #[serde(default)]
    #[schema(example = "bob@node-b.example")]
    recipient_user_address: Option<String>,
    /// One for each device.
    sessions_init: Vec<Init>,
}

/// An introduction to one device.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetIntroduction)]
struct Init {
    /// The device that it is for.
    recipient_device_id: SessionId,
    /// The ephemeral key. A second introduction to the same device with it is the same one.
    #[schema(example = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08=")]
    ephemeral_pubkey: String,
    /// The sender's own agreement key.
    #[schema(example = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=")]
    sender_prekey_pub: String,
    /// The recipient's one-time prekey that was used; empty for none. Nobody can use it again.
    #[schema(example = "")]
    otpk_used: String,
    /// The first message.
    #[schema(example = "q83vEjRWeJA=")]
    ciphertext: String,
}

/// An introduction as the documentation has it.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetSingleIntroduction)]
struct ToDevice {
    /// The device that signs.
    sender_device_id: SessionId,
    /// The device that it is for.
    recipient_device_id: SessionId,
    /// The ephemeral key.
    ephemeral_pubkey: String,
    /// The sender's own agreement key.
    sender_prekey_pub: String,
    /// The recipient's one-time prekey that was used; empty or null for none.
    #[serde(default)]
    otpk_used: Option<String>,
    /// The first message.
    ciphertext: String,
}

/// Either of the two, for the OpenAPI document: which of them a body is, is decided by its members.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetAnyIntroduction)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a body for the OpenAPI document")]
enum AnyIntroduction {
    /// As the server's contract has it.
    ToDevices(ToDevices),
    /// As the documentation has it.
    ToDevice(ToDevice),
}

/// That introductions wait.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetIntroduced)]
#[serde(untagged)]
enum Introduced {
    /// As the documentation has it.
    Document {
        /// Its id.
        session_id: IntroductionId,
        /// Always `pending`.
        #[schema(example = "pending")]
        status: &'static str,
        /// When it came.
        #[schema(example = "2025-11-02T10:30:00Z")]
        created_at: String,
    },
    /// As the server's contract has it.
    Server {
        /// Always `ok`.
        #[schema(example = "ok")]
        status: &'static str,
    },
}

/// `POST /sessions`: leaves introductions for devices.
#[utoipa::path(
    post, path = "/sessions", operation_id = "introduce_hushnet_devices", tag = "HushNet",
    summary = "Begin sessions",
    description = "Leaves an introduction for each device, for all of them or for none, until the devices confirm. The one-time prekeys that are named are used up. With `sessions_init` as the original's server has it, with `recipient_device_id` as the documentation has it. A repetition is the same introduction. Few of one device wait for another: a further one takes the place of the oldest.",
    request_body = AnyIntroduction,
    responses(
        (status = 201, body = Introduced, description = "They wait"),
        (status = 202, body = Forwarded, description = "The gateway that the recipient belongs to has them"),
        (status = 400, description = "The body is not JSON, or an introduction is for the sender itself"),
        (status = 401, description = "No live device signs with this key"),
        (status = 403, body = ErrorBody, description = "`sender_device_id` is not the device that signs"),
        (status = 404, description = "One of the devices is unknown, or not that member's. Nothing was kept"),
        (status = 409, description = "A one-time prekey is not there any more: to be done again with another one. Nothing was kept"),
        (status = 422, description = "A member of the body does not fit, or is too long, or a device is named twice"),
        (status = 502, description = "The gateway that the recipient belongs to, or who knows it, does not answer as it should"),
        (status = 503, body = ErrorBody, description = "Too much waits for a device"),
    ),
    security(("device" = [])),
)]
async fn introduce(
    State(state): State<Arc<HushNetState>>,
    signed: Signed,
) -> Result<Response, Refusal> {
    match signed.contract {
        Contract::Server => introduce_to_devices(&state, &signed).await,
        Contract::Document => introduce_to_device(&state, &signed).await,
    }
}

async fn introduce_to_devices(state: &HushNetState, signed: &Signed) -> Result<Response, Refusal> {
    let ToDevices { recipient_user_id, recipient_user_address, sessions_init } = signed.parse()?;
    let (caller, address) = (&signed.caller, recipient_user_address.as_deref());
    let user = (!recipient_user_id.uuid().is_nil()).then_some(recipient_user_id);
    let user = state.federation.named_here(address).await?.or(user);
    let greetings: Vec<_> = sessions_init.into_iter().map(Greeting::from).collect();
    let forwarded = forward_introductions(state, caller, address, user, &greetings).await?;
    if let Some(forwarded) = forwarded {
        return Ok(forwarded);
    }
    let introduced = state.messenger.introduce(actor(&signed.caller), user, greetings).await;
    introduced.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(Introduced::Server { status: "ok" })).into_response())
}

async fn introduce_to_device(state: &HushNetState, signed: &Signed) -> Result<Response, Refusal> {
    let one: ToDevice = signed.parse()?;
    if one.sender_device_id != signed.caller.device.id {
        let reason = "the device is another one";
        return Err(Fault::forbidden_field("sender_device_id", reason).into());
    }
    let greeting = Greeting {
        to: one.recipient_device_id,
        ephemeral_key: one.ephemeral_pubkey,
        sender_key: one.sender_prekey_pub,
        one_time_key: one.otpk_used.unwrap_or_default(),
        ciphertext: one.ciphertext,
    };
    let owners = state.messenger.gateway.store.device_owners(&[greeting.to]).await?;
    let user = owners.first().map(|(_, user)| *user);
    let (caller, greetings) = (&signed.caller, vec![greeting]);
    let forwarded = forward_introductions(state, caller, None, user, &greetings).await?;
    if let Some(forwarded) = forwarded {
        return Ok(forwarded);
    }
    let introduced = state.messenger.introduce(actor(caller), None, greetings).await;
    let introduced = introduced.map_err(refused)?;
    let introduced = introduced.first().ok_or(Fault::NotFound { what: "device" })?;
    let created_at = times::utc(introduced.at);
    let session_id = introduced.id;
    let answer = Introduced::Document { session_id, status: "pending", created_at };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

impl From<Init> for Greeting {
    fn from(init: Init) -> Self {
        Self {
            to: init.recipient_device_id,
            ephemeral_key: init.ephemeral_pubkey,
            sender_key: init.sender_prekey_pub,
            one_time_key: init.otpk_used,
            ciphertext: init.ciphertext,
        }
    }
}

/// The original says these as plain text.
fn refused(fault: Fault) -> Refusal {
    match fault {
        Fault::Invalid { field, .. } if field == ITSELF => {
            let text = "Cannot create session with self";
            Refusal::plain(Fault::malformed(text), StatusCode::BAD_REQUEST, text)
        }
        Fault::NotFound { .. } => {
            Refusal::plain(fault, StatusCode::NOT_FOUND, "Recipient device not found")
        }
        other => Refusal { is_plain: true, ..Refusal::from(other) },
    }
}

/// Which introductions are wanted.
#[derive(Deserialize)]
struct Wanted {
    device_id: Option<String>,
}

/// `GET /sessions/pending`: what waits for the device to be confirmed.
#[utoipa::path(
    get, path = "/sessions/pending", operation_id = "list_hushnet_pending_sessions", tag = "HushNet",
    summary = "Pending sessions",
    description = "The introductions that wait for the device that signs, the oldest first, as many as fit into an answer. With `device_id` a bare list, in which each has a `state`, as the documentation has it.",
    params(("device_id" = Option<SessionId>, Query, description = "The device that asks; with it the answer is the documentation's bare list")),
    responses(
        (status = 200, body = IntroductionList, description = "The introductions"),
        (status = 400, body = ErrorBody, description = "`device_id` is no UUID"),
        (status = 401, description = "No live device signs with this key"),
        (status = 403, body = ErrorBody, description = "`device_id` is not the device that signs"),
    ),
    security(("device" = [])),
)]
async fn pending(
    State(state): State<Arc<HushNetState>>,
    caller: Caller,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    if let Some(text) = &wanted.device_id {
        own_device(&caller, id_in_query("device_id", text)?)?;
        let waiting = state.messenger.introductions(actor(&caller)).await?;
        return Ok(Json(introductions(waiting, Contract::Document)).into_response());
    }
    let waiting = state.messenger.introductions(actor(&caller)).await?;
    let sessions = introductions(waiting, Contract::Server);
    Ok(Json(IntroductionList::Wrapped { sessions }).into_response())
}

/// The introductions that wait for a device.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetPendingSessions)]
#[serde(untagged)]
enum IntroductionList {
    /// As the server's contract has them.
    Wrapped {
        /// The oldest first.
        sessions: Vec<IntroductionView>,
    },
    /// As the documentation has them.
    #[expect(dead_code, reason = "describes an answer for the OpenAPI document")]
    Bare(Vec<IntroductionView>),
}

/// An id in a query.
pub(super) fn id_in_query<Kind>(
    name: &str,
    text: &str,
) -> Result<crate::sdk::ids::Id<Kind>, Refusal> {
    let no_id = |_| {
        let text = format!("{name} is no UUID");
        Refusal::worded(Fault::malformed(text.clone()), StatusCode::BAD_REQUEST, text)
    };
    text.parse().map_err(no_id)
}

/// A confirmation. `chat_id` tells that it is the documentation's.
#[derive(Deserialize, ToSchema)]
#[schema(as = HushNetConfirmation)]
struct Confirmation {
    /// The introduction.
    pending_session_id: IntroductionId,
    /// The device that introduced itself; left out when there is a chat.
    #[serde(default)]
    sender_device_id: Option<SessionId>,
    /// The device that confirms; left out when there is a chat.
    #[serde(default)]
    receiver_device_id: Option<SessionId>,
    /// The chat of the two members: it is made if its id is free, and has to be theirs otherwise.
    #[serde(default)]
    chat_id: Option<ConversationId>,
}

impl Confirmation {
    fn terms(&self) -> Result<Terms, Refusal> {
        let missing = |field: &'static str| {
            let text = format!("missing field `{field}`");
            let fault = Fault::invalid(field, "is missing");
            Refusal::plain(fault, StatusCode::UNPROCESSABLE_ENTITY, text)
        };
        if let Some(chat) = self.chat_id {
            return Ok(Terms::Chat(chat));
        }
        Ok(Terms::Devices {
            from: self.sender_device_id.ok_or_else(|| missing("sender_device_id"))?,
            to: self.receiver_device_id.ok_or_else(|| missing("receiver_device_id"))?,
        })
    }
}

/// A pair of devices.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetConfirmed)]
#[serde(untagged)]
enum Confirmed {
    /// As the server's contract has it.
    Server {
        /// Always `session confirmed`.
        #[schema(example = "session confirmed")]
        status: &'static str,
    },
    /// As the documentation has it.
    Document {
        /// The pair's id.
        session_id: IntroductionId,
        /// Always `completed`.
        #[schema(example = "completed")]
        status: &'static str,
        /// The chat of the two members.
        chat_id: ConversationId,
    },
}

/// `POST /sessions/confirm`: the device takes an introduction.
#[utoipa::path(
    post, path = "/sessions/confirm", operation_id = "confirm_hushnet_session", tag = "HushNet",
    summary = "Confirm a session",
    description = "The two devices are a pair from then on, and their members have a chat. With the ids of the two devices as the original's server has it: 201. With `chat_id` as the documentation has it: 200.",
    request_body = Confirmation,
    responses(
        (status = 200, body = Confirmed, description = "They are a pair (`chat_id`)"),
        (status = 201, body = Confirmed, description = "They are a pair (device ids)"),
        (status = 400, description = "The body is not JSON, or names other devices than the introduction"),
        (status = 401, description = "No live device signs with this key"),
        (status = 404, description = "No such introduction waits for this device"),
        (status = 409, body = ErrorBody, description = "The chat is not that of the two"),
        (status = 422, description = "A member of the body does not fit"),
    ),
    security(("device" = [])),
)]
async fn confirm(
    State(state): State<Arc<HushNetState>>,
    signed: Signed,
) -> Result<Response, Refusal> {
    let body: Confirmation = signed.parse()?;
    let (id, reader) = (body.pending_session_id, actor(&signed.caller));
    let confirmed = state.messenger.confirm(reader, id, body.terms()?).await;
    let chat_id = confirmed.map_err(unconfirmed)?.chat;
    let (status, answer) = match signed.contract {
        Contract::Server => {
            (StatusCode::CREATED, Confirmed::Server { status: "session confirmed" })
        }
        Contract::Document => {
            (StatusCode::OK, Confirmed::Document { session_id: id, status: "completed", chat_id })
        }
    };
    Ok((status, Json(answer)).into_response())
}

fn unconfirmed(fault: Fault) -> Refusal {
    match fault {
        Fault::NotFound { .. } => {
            let text = "Pending session not found or not owned by device";
            Refusal::plain(fault, StatusCode::NOT_FOUND, text)
        }
        Fault::Invalid { .. } => {
            let text = fault.to_string();
            Refusal::plain(Fault::malformed(text.clone()), StatusCode::BAD_REQUEST, text)
        }
        other => other.into(),
    }
}

/// The caller as the one who acts.
pub(super) fn actor(caller: &Caller) -> Actor {
    Actor::new(&caller.member, &caller.device)
}
