//! `POST /encrypted_messages`: a batch comes in, a receipt for each item goes out.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use sealpost_sdk::types::{Data, ErrorBody, OutgoingMessage, Receipt};

use super::MixinState;
use super::answer::{self, Answer};
use super::outgoing;
use super::receipts;
use super::request::SignedRequest;
use crate::domain::error::Fault;
use crate::domain::session::Scope;
use crate::domain::submit::Verdict;

/// Send encrypted messages
///
/// Takes 1 to 100 messages (a single object is accepted too) and answers with one receipt for each, in the
/// same order. A message is sealed once for all sessions of its recipient; `checksum` names the
/// list of sessions that it was sealed for.
///
/// - `SUCCESS`: stored durably. Every session of the receipt gets its own slice.
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
    request_body(content = Vec<OutgoingMessage>, description = "1 to 100 messages"),
    responses(
        (status = 200, body = Data<Vec<Receipt>>, description = "One receipt for each message"),
        (status = 400, body = ErrorBody, description = "The body is no array of objects"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `send`"),
        (status = 413, body = ErrorBody, description = "More than 100 items, or too many bytes"),
        (status = 422, body = ErrorBody, description = "The array is empty"),
        (status = 503, body = ErrorBody, description = "Repeat the same bytes after `Retry-After`; what was stored by then is answered as a duplicate"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn post_encrypted(
    State(state): State<Arc<MixinState>>,
    request: SignedRequest,
) -> Answer {
    Ok(submit(&state, &request).await?)
}

async fn submit(state: &MixinState, request: &SignedRequest) -> Result<Response, Fault> {
    request.caller.require(Scope::Send)?;
    let limits = &state.gateway.limits;
    let items = outgoing::items(&request.body, limits)?;
    state.gate.messages(&request.visitor, items.len())?;

    let read: Vec<_> = items.iter().map(|item| outgoing::submission(item, limits)).collect();
    let mut refused = Vec::new();
    let mut batch = Vec::with_capacity(read.len());
    for (index, item) in read.into_iter().enumerate() {
        match item {
            Ok(submission) => batch.push((index, submission)),
            Err(fault) => refused.push((index, outgoing::label(items[index]), fault)),
        }
    }
    let (places, batch): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
    let verdicts = state.gateway.submit(&request.caller.owner, &batch).await?;

    let mut numbered: Vec<(usize, Receipt)> = Vec::with_capacity(items.len());
    for ((index, item), verdict) in places.into_iter().zip(&batch).zip(verdicts) {
        numbered.push((index, receipts::receipt(item, verdict)));
    }
    for (index, label, fault) in refused {
        numbered.push((index, receipts::labelled(label, Verdict::Rejected(fault))));
    }
    numbered.sort_unstable_by_key(|(index, _)| *index);
    Ok(answer::data(numbered.into_iter().map(|(_, receipt)| receipt).collect::<Vec<_>>()))
}
