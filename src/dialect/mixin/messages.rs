//! `POST /encrypted_messages` and `POST /messages`: a batch comes in, a receipt for each item goes out.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use sealpost_sdk::types::{Data, ErrorBody, OutgoingMessage, Receipt};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::MixinState;
use super::answer::{self, Answer};
use super::outgoing::{self, Door, Label, Rules};
use super::receipts;
use super::request::SignedRequest;
use crate::domain::account::Dialect;
use crate::domain::error::Fault;
use crate::domain::measures::Outcome;
use crate::domain::session::{Scope, SessionOwner};
use crate::domain::submit::{OnStale, Submission, Verdict};

/// Send encrypted messages
///
/// Takes 1 to 100 messages (a single object is accepted too) and answers with one receipt for each, in the
/// same order. A message is sealed once for all sessions that it is for: those of `recipient_id`, or
/// those of all other participants of the conversation. `checksum` names the list of sessions that
/// it was sealed for.
///
/// - `SUCCESS`: stored durably. Every session of the receipt gets its own slice, except for those in
///   `missing`.
/// - `FAILED` with `sessions` (`outcome: stale_sessions`): the list was stale. Seal again for the
///   sessions of the receipt and send again under the same `message_id`.
/// - `FAILED` without `sessions`: `outcome` says whether the recipient is gone, the item was
///   rejected (`error` has the field and the reason), or should be sent again later (`deferred`).
///
/// One item never fails the others. Repeating a message under its `message_id` delivers it once.
#[utoipa::path(
    post,
    path = "/encrypted_messages",
    operation_id = "send_encrypted_messages",
    tag = "messages",
    params(("on_stale" = Option<String>, Query, description = "What becomes of a message whose list of sessions is stale: `reject` (unless given), or `deliver_known`, which stores it for the live sessions that it covers and names the others in `missing`")),
    request_body(content = Vec<OutgoingMessage>, description = "1 to 100 messages"),
    responses(
        (status = 200, body = Data<Vec<Receipt>>, description = "One receipt for each message"),
        (status = 400, body = ErrorBody, description = "The body is no array of objects"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `send`"),
        (status = 413, body = ErrorBody, description = "More than 100 items, or too many bytes"),
        (status = 422, body = ErrorBody, description = "The array is empty, or `on_stale` has an unknown value"),
        (status = 503, body = ErrorBody, description = "Repeat the same bytes after `Retry-After`; what was stored by then is answered as a duplicate"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn post_encrypted(
    State(state): State<Arc<MixinState>>,
    RawQuery(query): RawQuery,
    request: SignedRequest,
) -> Answer {
    let on_stale = on_stale(query.as_deref().unwrap_or_default())?;
    Ok(post(&state, &request, Door::EncryptedMessages, on_stale).await?)
}

/// Send readable messages
///
/// Takes the categories whose content the gateway can read, `PLAIN_…`, `APP_CARD` and others, with
/// the content itself in `data_base64` (or `data`); `checksum` is optional. Unless the operator set
/// `dialects.mixin.plain_messages = "allow"`, only `MESSAGE_RECALL` is accepted, and every other
/// item is `rejected`. Otherwise as `POST /encrypted_messages`, except that a request with a single
/// item whose `checksum` is stale fails as a whole with code 20140: clients of this path look for
/// an error there and not at receipts.
#[utoipa::path(
    post,
    path = "/messages",
    operation_id = "send_messages",
    tag = "messages",
    request_body(content = Vec<OutgoingMessage>, description = "1 to 100 messages"),
    responses(
        (status = 200, body = Data<Vec<Receipt>>, description = "One receipt for each message"),
        (status = 400, body = ErrorBody, description = "The body is no array of objects"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `send`"),
        (status = 409, body = ErrorBody, description = "The checksum of the only item is stale (code 20140)"),
        (status = 413, body = ErrorBody, description = "More than 100 items, or too many bytes"),
        (status = 422, body = ErrorBody, description = "The array is empty"),
        (status = 503, body = ErrorBody, description = "Repeat the same bytes after `Retry-After`; what was stored by then is answered as a duplicate"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn post_readable(State(state): State<Arc<MixinState>>, request: SignedRequest) -> Answer {
    Ok(post(&state, &request, Door::Messages, OnStale::Reject).await?)
}

async fn post(
    state: &MixinState,
    request: &SignedRequest,
    door: Door,
    on_stale: OnStale,
) -> Result<Response, Fault> {
    request.caller.require(Scope::Send)?;
    let items = outgoing::items(&request.body, &state.gateway.limits)?;
    state.gate.messages(&request.visitor, items.len())?;
    let decided = decide(state, &request.caller.owner, &items, door, on_stale).await?;
    if let (Door::Messages, [only]) = (door, decided.as_slice())
        && matches!(only.verdict, Verdict::StaleSessions(_))
    {
        return Err(Fault::Stale { field: "checksum" });
    }
    Ok(answer::data(decided))
}

/// An item, and what became of it; written as its receipt.
#[derive(Debug)]
pub struct Decided {
    /// The item, or how its sender names it when it could not be read.
    pub item: Result<Submission, Label>,
    /// What became of it.
    pub verdict: Verdict,
}

impl Serialize for Decided {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let receipt = match &self.item {
            Ok(item) => receipts::receipt(item, &self.verdict),
            Err(label) => receipts::labelled(label, &self.verdict),
        };
        receipt.serialize(serializer)
    }
}

/// Reads items and submits those that can be read; the answers come in the order of the items.
///
/// # Errors
/// Only when the store fails before anything was stored.
pub async fn decide(
    state: &MixinState,
    sender: &SessionOwner,
    items: &[&RawValue],
    door: Door,
    on_stale: OnStale,
) -> Result<Vec<Decided>, Fault> {
    let limits = &state.gateway.limits;
    let rules = Rules { door, on_stale, plain: state.settings.plain_messages, limits };
    let mut batch = Vec::with_capacity(items.len());
    let mut refused = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match outgoing::submission(item, &rules) {
            Ok(submission) => batch.push(submission),
            Err(fault) => refused.push((index, outgoing::label(item), fault)),
        }
    }
    let verdicts = state.gateway.submit(sender, &batch).await?;
    let taken = batch.into_iter().zip(verdicts);
    let mut decided: Vec<Decided> =
        taken.map(|(item, verdict)| Decided { item: Ok(item), verdict }).collect();
    let unreadable = state.gateway.measures.messages(Dialect::Mixin, Outcome::Rejected);
    unreadable.add(refused.len() as u64);
    for (index, label, fault) in refused {
        let verdict = Verdict::Rejected(fault);
        // Ascending, so each finds its place among those before it.
        decided.insert(index.min(decided.len()), Decided { item: Err(label), verdict });
    }
    Ok(decided)
}

/// The value of `on_stale` in a query.
fn on_stale(query: &str) -> Result<OnStale, Fault> {
    let mut values = query.split('&').filter_map(|pair| pair.strip_prefix("on_stale="));
    match values.next_back() {
        None | Some("reject") => Ok(OnStale::Reject),
        Some("deliver_known") => Ok(OnStale::DeliverKnown),
        Some(_) => Err(Fault::invalid("on_stale", "must be `reject` or `deliver_known`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stale_list_is_rejected_unless_the_query_says_otherwise() {
        assert_eq!(on_stale("").unwrap(), OnStale::Reject);
        assert_eq!(on_stale("a=b&on_stale=reject").unwrap(), OnStale::Reject);
        assert_eq!(on_stale("on_stale=deliver_known").unwrap(), OnStale::DeliverKnown);
        assert!(on_stale("on_stale=ignore").is_err());
        assert!(on_stale("on_stale=").is_err());
    }
}
