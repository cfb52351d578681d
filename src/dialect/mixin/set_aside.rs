//! `/inbox/set_aside`: messages that their reader did not get past.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use sealpost_sdk::types::{Data, ErrorBody, MessageReference, SetAsideMessage};

use super::MixinState;
use super::answer::{self, Answer};
use super::inbox::number;
use super::request::SignedRequest;
use super::sessions::path_id;
use crate::domain::error::Fault;
use crate::domain::ids::MessageId;
use crate::domain::inbox::InboxKey;
use crate::domain::inbox::SetAside;
use crate::domain::session::Scope;
use crate::http::path::PathPart;

/// Messages in one answer, at most and unless less is asked for.
const PAGE: u32 = 100;

/// List what is set aside
///
/// A message that was handed out ten times without an acknowledgement (unless the operator chose
/// otherwise) is set aside: the inbox hands it out no more, and a `SYSTEM_GAP` with the reason
/// `set_aside` says so. The list has the calling session's, oldest first.
#[utoipa::path(
    get,
    path = "/inbox/set_aside",
    operation_id = "list_set_aside",
    tag = "inbox",
    params(
        ("limit" = Option<u32>, Query, description = "At most so many messages, 1 to 100; 100 unless given"),
        ("after" = Option<MessageId>, Query, description = "The last message of the page before; the list begins anew when that one is no longer set aside"),
    ),
    responses(
        (status = 200, body = Data<Vec<SetAsideMessage>>, description = "The messages, oldest first"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `receive`"),
        (status = 422, body = ErrorBody, description = "A parameter does not fit; `extra` names it"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn list(
    State(state): State<Arc<MixinState>>,
    RawQuery(query): RawQuery,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Receive)?;
    let (limit, after) = page(query.as_deref().unwrap_or_default())?;
    let found = state
        .gateway
        .store
        .set_aside(InboxKey::of(&request.caller.owner.session), after, limit)
        .await?;
    Ok(answer::data(found.iter().map(SetAside::to_wire).collect::<Vec<_>>()))
}

/// Retry a message
///
/// The message is handed out again, as if for the first time and in its old place.
#[utoipa::path(
    post,
    path = "/inbox/set_aside/{message_id}/retry",
    operation_id = "retry_set_aside",
    tag = "inbox",
    params(("message_id" = MessageId, Path, description = "A message that is set aside")),
    responses(
        (status = 200, body = Data<MessageReference>, description = "It waits again"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `receive`"),
        (status = 404, body = ErrorBody, description = "No such message is set aside for this session"),
        (status = 422, body = ErrorBody, description = "`message_id` is no message id"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn retry(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Receive)?;
    let message_id = path_id("message_id", &id)?;
    state.gateway.retry_set_aside(InboxKey::of(&request.caller.owner.session), message_id).await?;
    Ok(answer::data(MessageReference { message_id }))
}

/// Drop a message
///
/// The message is gone for this session.
#[utoipa::path(
    delete,
    path = "/inbox/set_aside/{message_id}",
    operation_id = "drop_set_aside",
    tag = "inbox",
    params(("message_id" = MessageId, Path, description = "A message that is set aside")),
    responses(
        (status = 200, body = Data<MessageReference>, description = "It is gone"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `receive`"),
        (status = 404, body = ErrorBody, description = "No such message is set aside for this session"),
        (status = 422, body = ErrorBody, description = "`message_id` is no message id"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn drop(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Receive)?;
    let message_id = path_id("message_id", &id)?;
    state.gateway.drop_set_aside(InboxKey::of(&request.caller.owner.session), message_id).await?;
    Ok(answer::data(MessageReference { message_id }))
}

fn page(query: &str) -> Result<(u32, Option<MessageId>), Fault> {
    let (mut limit, mut after) = (PAGE, None);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "limit" => {
                let asked = number("limit", value, 1, PAGE.into())?;
                limit = u32::try_from(asked).unwrap_or(PAGE);
            }
            "after" => after = Some(path_id("after", value)?),
            _ => {}
        }
    }
    Ok((limit, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_named_when_they_do_not_fit() {
        assert_eq!(page("").unwrap(), (100, None));
        let id = "00000000-0000-4000-8000-000000000001";
        let expected = (5, Some(MessageId::parse(id).unwrap()));
        assert_eq!(page(&format!("limit=5&after={id}&x=1")).unwrap(), expected);
        for (query, field) in [("limit=101", "limit"), ("after=x", "after")] {
            assert!(page(query).unwrap_err().to_string().starts_with(field), "{query}");
        }
    }
}
