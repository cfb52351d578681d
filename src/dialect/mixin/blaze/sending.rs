//! Posting over a socket: the same messages and the same rules as `POST /encrypted_messages`, with
//! answers of the socket's own for a single one.

use sealpost_sdk::types::blaze::CREATE_MESSAGE;
use sealpost_sdk::types::{InboxMessage, ObjectType};
use serde_json::value::RawValue;

use crate::dialect::mixin::MixinState;
use crate::dialect::mixin::blaze::Guest;
use crate::dialect::mixin::messages::{Decided, decide};
use crate::dialect::mixin::outgoing::{self, Door};
use crate::domain::error::Fault;
use crate::domain::submit::{OnStale, Submission, Verdict};

/// Posts one message; returns it as it was stored, without its data.
///
/// # Errors
/// [`Fault::Stale`] when the checksum is not that of the sessions by now, others by the rules, and
/// when the store fails.
pub async fn one(
    state: &MixinState,
    guest: &Guest,
    item: &RawValue,
) -> Result<InboxMessage, Fault> {
    state.gate.messages(&guest.visitor, 1)?;
    let owner = &guest.caller.owner;
    let decided = decide(state, owner, &[item], Door::Socket, OnStale::Reject).await?.pop();
    let decided = decided.ok_or_else(|| Fault::internal("posting a message", "no verdict"))?;
    match decided.verdict {
        Verdict::Accepted(_) | Verdict::AcceptedForSome(_) | Verdict::Duplicate(_) => {
            match &decided.item {
                Ok(item) => Ok(stored(state, guest, item)),
                Err(_) => Err(Fault::internal("posting a message", "no item")),
            }
        }
        Verdict::StaleSessions(_) => Err(Fault::Stale { field: "checksum" }),
        Verdict::RecipientGone => Err(Fault::NotFound { what: "recipient" }),
        Verdict::Rejected(fault) => Err(fault),
        Verdict::Deferred { after } => Err(Fault::Deferred { retry_after: after }),
    }
}

/// Posts up to as many as a batch may have.
///
/// # Errors
/// When nothing of it can be read, or when the store fails before anything was stored.
pub async fn several(
    state: &MixinState,
    guest: &Guest,
    list: &RawValue,
) -> Result<Vec<Decided>, Fault> {
    let items = outgoing::items(list.get().as_bytes(), &state.gateway.limits)?;
    state.gate.messages(&guest.visitor, items.len())?;
    decide(state, &guest.caller.owner, &items, Door::Socket, OnStale::Reject).await
}

fn stored(state: &MixinState, guest: &Guest, item: &Submission) -> InboxMessage {
    let now = state.gateway.clock.now().to_string();
    InboxMessage {
        kind: ObjectType::Message,
        representative_id: item.details.representative,
        quote_message_id: item.details.quote,
        conversation_id: Some(item.conversation),
        user_id: Some(guest.caller.owner.account.id),
        session_id: Some(guest.caller.owner.session.id),
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
