//! Posting over a socket: the same messages and the same rules as `POST /encrypted_messages`, with
//! answers of the socket's own for a single one.

use sealpost_sdk::types::blaze::{CHECKSUM_INVALID, CREATE_MESSAGE};
use sealpost_sdk::types::{ApiError, ErrorExtra, InboxMessage, ObjectType, Receipt};
use serde_json::value::RawValue;

use crate::dialect::mixin::MixinState;
use crate::dialect::mixin::auth::Caller;
use crate::dialect::mixin::error::api_error;
use crate::dialect::mixin::messages::{Decided, decide};
use crate::dialect::mixin::outgoing::{self, Door};
use crate::domain::error::Fault;
use crate::domain::submit::{OnStale, Submission, Verdict};

/// Why a message was not taken.
#[derive(Debug)]
pub enum Refusal {
    /// By the rules, or by a failure of ours.
    Fault(Fault),
    /// For a reason that has a code of its own.
    Error(ApiError),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Posts one message; returns it as it was stored, without its data.
///
/// # Errors
/// The error to answer with.
pub async fn one(
    state: &MixinState,
    caller: &Caller,
    item: &RawValue,
) -> Result<InboxMessage, Refusal> {
    let decided = decide(state, &caller.owner, &[item], Door::Socket, OnStale::Reject).await?;
    let decided = decided.into_iter().next();
    let decided = decided.ok_or_else(|| Fault::internal("posting a message", "no verdict"))?;
    match decided.verdict {
        Verdict::Accepted(_) | Verdict::AcceptedForSome(_) | Verdict::Duplicate(_) => {
            let unread = |_| Fault::internal("posting a message", "accepted without being read");
            Ok(stored(state, caller, &decided.item.map_err(unread)?))
        }
        Verdict::StaleSessions(_) => Err(Refusal::Error(checksum_invalid())),
        Verdict::RecipientGone => Err(Fault::NotFound { what: "recipient" }.into()),
        Verdict::Rejected(fault) => Err(fault.into()),
        Verdict::Deferred { after } => {
            // The recipient has no device now; that is no failure of ours, so it is not logged.
            let reason = "the recipient cannot be reached";
            let fault = Fault::Unavailable { reason, retry_after: after, source: None };
            Err(Refusal::Error(api_error(&fault)))
        }
    }
}

/// Posts up to as many as a batch may have.
///
/// # Errors
/// When nothing of it can be read, or when the store fails before anything was stored.
pub async fn several(
    state: &MixinState,
    caller: &Caller,
    list: &RawValue,
) -> Result<Vec<Receipt>, Fault> {
    let items = outgoing::items(list.get().as_bytes(), &state.gateway.limits)?;
    let decided = decide(state, &caller.owner, &items, Door::Socket, OnStale::Reject).await?;
    Ok(decided.into_iter().map(Decided::into_receipt).collect())
}

/// The error 20140, on which clients look at the conversation again, seal again and send again.
fn checksum_invalid() -> ApiError {
    ApiError {
        status: 409,
        code: CHECKSUM_INVALID,
        description: "The checksum is not that of the sessions by now.".to_owned(),
        extra: Some(ErrorExtra {
            field: "checksum".to_owned(),
            reason: "names another list of sessions".to_owned(),
        }),
    }
}

fn stored(state: &MixinState, caller: &Caller, item: &Submission) -> InboxMessage {
    let now = state.gateway.clock.now().to_string();
    InboxMessage {
        kind: ObjectType::Message,
        representative_id: item.details.representative,
        quote_message_id: item.details.quote,
        conversation_id: Some(item.conversation),
        user_id: Some(caller.owner.account.id),
        session_id: Some(caller.owner.session.id),
        message_id: item.message_id,
        category: item.category.clone(),
        data: String::new(),
        data_base64: String::new(),
        status: "SENT".to_owned(),
        source: CREATE_MESSAGE.to_owned(),
        silent: item.details.silent,
        expire_in: item.details.expire_in,
        updated_at: now.clone(),
        created_at: now,
    }
}
