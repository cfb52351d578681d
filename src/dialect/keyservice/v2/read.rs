//! `GET /Service`: what writers need to know of a box, and with its owner's key what is in it.

use axum::http::StatusCode;
use axum::response::Response;

use super::answers::{Message, Messages, Record, encoded};
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::{Call, json};
use crate::domain::dropbox::DropBox;
use crate::domain::dropbox::depot::Stretch;
use crate::domain::error::Fault;

/// Messages in an answer, unless the request says otherwise.
const PAGE: u64 = 100;

/// The most messages in an answer.
const LARGEST_PAGE: u64 = 1000;

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
    let messages = messages(call, &said, &owned).await;
    let messages =
        messages.map_err(|fault| Refusal::from(fault).until(owned.content.release_at))?;
    Ok(json(StatusCode::OK, &messages))
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
        privatekey: encoded(owned.content.private_key.as_deref().unwrap_or_default()),
        messages: page.messages.iter().map(|message| Message::of(&message.content)).collect(),
        more: page.more,
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
