//! Letters, which are gone once they were read: `POST /Service/SelfDestruct` leaves one,
//! `POST /SelfDestruct/Take` takes it.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;

use super::answers::{LetterLeft, LetterTaken};
use super::refusal::Refusal;
use super::{Call, json, put};
use crate::domain::dropbox::depot::NewLetter;
use crate::domain::dropbox::{Form, SecretDigest, Version};
use crate::domain::error::Fault;
use crate::http::course::Course;

/// How long a letter waits, unless its writer says otherwise, seconds.
const LIFE: u64 = 7 * 24 * 60 * 60;

/// The shortest and the longest that a writer may say.
const LIVES: (u64, u64) = (60, 30 * 24 * 60 * 60);

/// Leaves a letter. Its secret never comes here, so no mail can lead to it.
pub(super) async fn leave(call: &Call, body: Body) -> Result<Response, Refusal> {
    let said = call.said(body).await?;
    if said.has("email") {
        let reason = "version 2's links are handed over by their maker";
        return Err(Fault::invalid("email", reason).into());
    }
    let data = put::sealed(&said, "message")?;
    let secret = SecretDigest::from_bytes(said.exactly("authdigest")?);
    let life = said.number("expiresin", LIVES.0, LIVES.1)?.unwrap_or(LIFE);
    call.state.depot.may_make(call.asked.address)?;
    let new = NewLetter {
        version: Version::Two,
        secret,
        form: Form::Sealed,
        data,
        file: None,
        life: Some(Duration::from_secs(life)),
    };
    Course::begin_work_of(&call.parts.extensions);
    let letter = call.state.depot.leave_letter(new).await?;
    Ok(json(StatusCode::CREATED, &LetterLeft::of(&letter)))
}

/// Takes a letter for whoever has its key. A wrong key destroys nothing.
pub(super) async fn take(call: &Call, body: Body) -> Result<Response, Refusal> {
    let said = call.said(body).await?;
    let (id, key) = (said.needed_id("messageid")?, call.needed_auth_key()?);
    let depot = &call.state.depot;
    let letter = depot.take_letter(Version::Two, id, key.as_slice(), call.asked.address).await?;
    Ok(json(StatusCode::OK, &LetterTaken::of(&letter)))
}
