//! `GET /inbox`: the long poll for clients without a socket.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealpost_sdk::base64url;
use sealpost_sdk::envelope;
use sealpost_sdk::types::blaze::LIST_PENDING_MESSAGES;
use sealpost_sdk::types::{Data, ErrorBody, InboxMessage, ObjectType};

use super::MixinState;
use super::answer::{self, Answer};
use super::request::SignedRequest;
use crate::delivery::poll::{self, Poll};
use crate::domain::error::Fault;
use crate::domain::inbox::Waiting;
use crate::domain::session::Scope;

/// Read the inbox
///
/// Hands out what waits for the calling session, oldest first, or waits for it. What is handed out
/// is held for this reader for a while (a minute unless the operator chose otherwise) and comes
/// again after that, unless `POST /acknowledgements` says that it was taken care of. An empty list
/// means that nothing came within `wait` seconds.
#[utoipa::path(
    get,
    path = "/inbox",
    operation_id = "read_inbox",
    tag = "inbox",
    params(
        ("wait" = Option<u64>, Query, description = "Seconds to wait when nothing is there, 0 to 60; 0 unless given"),
        ("limit" = Option<u32>, Query, description = "At most so many messages, 1 to 100; 100 unless given"),
        ("max_age" = Option<u64>, Query, description = "Leaves messages that the gateway took longer ago than so many seconds in the inbox"),
    ),
    responses(
        (status = 200, body = Data<Vec<InboxMessage>>, description = "The messages, oldest first"),
        (status = 401, body = ErrorBody, description = "The token is missing, not accepted, or was issued over an hour ago"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `receive`"),
        (status = 422, body = ErrorBody, description = "A parameter does not fit; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn read(
    State(state): State<Arc<MixinState>>,
    RawQuery(query): RawQuery,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Receive)?;
    let query = Query::parse(query.as_deref().unwrap_or_default())?;
    let longest = state.settings.longest_poll;
    let poll = Poll {
        reader: request.caller.reader(),
        limit: query.limit.unwrap_or(100),
        max_age: query.max_age.map(Duration::from_secs),
        wait: Duration::from_secs(query.wait.unwrap_or(0)).min(longest),
    };
    let waiting = poll::poll(&state.gateway, &state.hub, poll).await?;
    let messages: Result<Vec<_>, _> =
        waiting.iter().map(|one| message(one, LIST_PENDING_MESSAGES)).collect();
    Ok(answer::data(messages?))
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Query {
    wait: Option<u64>,
    limit: Option<u32>,
    max_age: Option<u64>,
}

impl Query {
    fn parse(text: &str) -> Result<Self, Fault> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "wait" => query.wait = Some(number("wait", value, 0, 60)?),
                "max_age" => query.max_age = Some(number("max_age", value, 1, u32::MAX.into())?),
                "limit" => {
                    let limit = number("limit", value, 1, 100)?;
                    query.limit = u32::try_from(limit).ok();
                }
                // Unknown parameters are ignored, as unknown members of a body are.
                _ => {}
            }
        }
        Ok(query)
    }
}

pub(super) fn number(field: &'static str, text: &str, least: u64, most: u64) -> Result<u64, Fault> {
    let value = text.parse().ok().filter(|value| (least..=most).contains(value));
    value.ok_or_else(|| Fault::invalid(field, format!("must be a number from {least} to {most}")))
}

/// A waiting message in the words of the socket's `CREATE_MESSAGE`: every member is present, and
/// both `data` and `data_base64` hold the same bytes, because clients differ in which they read.
pub(super) fn message(waiting: &Waiting, source: &str) -> Result<InboxMessage, Fault> {
    let data = match waiting.slot.as_ref() {
        // The gateway's own messages are not sealed.
        [] => waiting.body.to_vec(),
        slot => slice(&waiting.body, slot)?,
    };
    let created_at = waiting.accepted_at.to_string();
    Ok(InboxMessage {
        kind: ObjectType::Message,
        representative_id: waiting.details.representative,
        quote_message_id: waiting.details.quote,
        conversation_id: waiting.conversation,
        user_id: Some(waiting.sender),
        session_id: Some(waiting.sender_session),
        message_id: waiting.message_id,
        category: waiting.category.clone(),
        data: STANDARD.encode(&data),
        data_base64: base64url::encode(&data),
        status: "SENT".to_owned(),
        source: source.to_owned(),
        silent: waiting.details.silent,
        expire_in: waiting.details.expire_in,
        updated_at: created_at.clone(),
        created_at,
    })
}

fn slice(body: &[u8], slot: &[u8]) -> Result<Vec<u8>, Fault> {
    let slot =
        slot.try_into().map_err(|error| Fault::internal("cutting a slice", format!("{error}")))?;
    envelope::slice(body, slot).map_err(|error| Fault::internal("cutting a slice", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_out_of_range_are_named() {
        for (text, field) in [("wait=61", "wait"), ("limit=0", "limit"), ("limit=x", "limit")] {
            let fault = Query::parse(text).unwrap_err();
            assert!(fault.to_string().starts_with(field), "{fault}");
        }
    }

    #[test]
    fn absent_and_unknown_parameters_are_fine() {
        assert_eq!(Query::parse("").unwrap(), Query::default());
        let query = Query::parse("foo=1&limit=5").unwrap();
        assert_eq!(query, Query { limit: Some(5), ..Query::default() });
    }
}
