//! `GET /Service`: what writers need to know of a box, and with its owner's key what is in it.

use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::answers::{Message, Messages, Record};
use super::list::{self, Encoded};
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::{Call, json};
use crate::domain::dropbox::depot::Stretch;
use crate::domain::dropbox::{AfterReading, DropBox};
use crate::domain::error::Fault;

/// Messages in an answer, unless the request says otherwise.
const PAGE: u64 = 100;

/// The most messages in an answer.
const LARGEST_PAGE: u64 = 1000;

/// Messages are in memory as they are stored, and as JSON in a buffer that grows.
const COPIES: u64 = 3;

/// The record of a box, or its messages. Nothing is finished for a reader who has gone: what is
/// taken out of the box should have somebody who gets it.
pub(super) async fn read(call: &Call) -> Result<Response, Refusal> {
    let said = call.said_by_head()?;
    let token = said.token()?;
    let Some(key) = call.auth_key()? else {
        let found = call.state.depot.drop_box(&token).await?;
        return Ok(json(StatusCode::OK, &Record::of(&found)));
    };
    let owned = call.owned(token, &key).await?;
    let list = answer(call, &said, &owned).await;
    list.map_err(|fault| Refusal::from(fault).until(owned.content.release_at))
}

/// A list, within the memory that there is for them. What is taken out of the box by reading must
/// have its place before.
async fn answer(call: &Call, said: &Parameters, owned: &DropBox) -> Result<Response, Fault> {
    let transfers = &call.state.transfers;
    let AfterReading { messages_go, box_goes } = owned.content.after_reading;
    let largest = call.state.settings.answer_bytes + call.state.depot.policy().message_bytes;
    let before = match messages_go || box_goes {
        true => Some(transfers.list_room(call.asked.address, largest * COPIES).await?),
        false => None,
    };
    let messages = messages(call, said, owned).await?;
    let list = list::write(&messages)?;
    drop(messages);
    let length = list.len() as u64;
    let room = match before {
        Some(mut room) => {
            transfers.shrink(&mut room, length);
            room
        }
        None => transfers.list_room(call.asked.address, length).await?,
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CONTENT_LENGTH, HeaderValue::from(length)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok((headers, transfers.outgoing_list(list, room)).into_response())
}

async fn messages(call: &Call, said: &Parameters, owned: &DropBox) -> Result<Messages, Fault> {
    let limit = said.number("limit", 1, LARGEST_PAGE)?.unwrap_or(PAGE);
    let stretch = Stretch {
        after: after(call, said, owned).await?,
        // It is not above the largest page.
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        bytes: call.state.settings.answer_bytes,
    };
    let page = call.state.depot.read(owned, stretch).await?;
    Ok(Messages {
        privatekey: Encoded(owned.content.private_key.clone().unwrap_or_default()),
        messages: page.messages.into_iter().map(|message| Message::of(message.content)).collect(),
        more: page.more,
        deletemessagesafterreading: owned.content.after_reading.messages_go,
    })
}

/// The place of the message that a page begins after. After one that is gone it begins with the
/// first: what was taken out with an earlier page is that.
async fn after(call: &Call, said: &Parameters, owned: &DropBox) -> Result<i64, Fault> {
    let Some(id) = said.id("after")? else { return Ok(0) };
    match call.state.depot.message(owned, id).await {
        Ok(found) => Ok(found.number),
        Err(Fault::NotFound { .. }) => Ok(0),
        Err(fault) => Err(fault),
    }
}
