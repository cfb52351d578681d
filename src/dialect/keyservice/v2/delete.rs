//! `DELETE /Service`: a message goes, or a whole box.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;

use super::answers::Deleted;
use super::refusal::Refusal;
use super::{Call, json};
use crate::http::course::Course;

/// Deletes the message that is named, or the box when none is. An id that cannot be used never
/// deletes the box, nor does one under a name that is spelt wrong.
pub(super) async fn delete(call: &Call, body: Body) -> Result<Response, Refusal> {
    let said = call.said(body).await?;
    said.require_only(&["token", "messageid"])?;
    let token = said.token()?;
    let id = match said.has("messageid") {
        true => Some(said.needed_id("messageid")?),
        false => None,
    };
    let key = call.needed_auth_key()?;
    let depot = &call.state.depot;
    let owned = call.owned(token, &key).await?;
    Course::begin_work_of(&call.parts.extensions);
    let Some(id) = id else {
        depot.delete_box(&owned).await?;
        return Ok(json(StatusCode::OK, &Deleted { deleted: "box" }));
    };
    let found = depot.message(&owned, id).await;
    let found = found.map_err(|fault| Refusal::from(fault).until(owned.content.release_at))?;
    depot.delete_message(&owned, found.number).await?;
    Ok(json(StatusCode::OK, &Deleted { deleted: "message" }))
}
