//! Posting over a socket: the same messages and the same rules as `POST /encrypted_messages`, with
//! answers of the socket's own for a single one.

use sealpost_sdk::types::blaze::{CHECKSUM_INVALID, CREATE_MESSAGE};
use sealpost_sdk::types::{ApiError, ErrorExtra, InboxMessage, ObjectType, Receipt};
use serde_json::value::RawValue;

use crate::dialect::mixin::auth::Caller;
use crate::dialect::mixin::error::api_error;
use crate::dialect::mixin::{MixinState, outgoing, receipts};
use crate::domain::error::Fault;
use crate::domain::submit::{Submission, Verdict};

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
    let item = outgoing::submission(item, &state.gateway.limits)?;
    let verdicts = state.gateway.submit(&caller.owner, std::slice::from_ref(&item)).await?;
    let verdict = verdicts.into_iter().next();
    let verdict = verdict.ok_or_else(|| Fault::internal("posting a message", "no verdict"))?;
    match verdict {
        Verdict::Accepted(_) | Verdict::Duplicate(_) => Ok(stored(state, caller, &item)),
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
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        let label = outgoing::label(item);
        answers.push(match outgoing::submission(item, &state.gateway.limits) {
            Err(fault) => receipts::labelled(label, Verdict::Rejected(fault)),
            Ok(item) => {
                let batch = std::slice::from_ref(&item);
                let verdict = state.gateway.submit(&caller.owner, batch).await?.pop();
                let undecided = || Fault::internal("posting a message", "no verdict");
                receipts::receipt(&item, verdict.ok_or_else(undecided)?)
            }
        });
    }
    Ok(answers)
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
