//! `PUT /Service`: leaves a text in a box.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;

use super::answers::Left;
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::{Call, json};
use crate::domain::dropbox::depot::Drop;
use crate::domain::dropbox::message::NewDropMessage;
use crate::domain::dropbox::{DropBox, Form};
use crate::domain::error::Fault;
use crate::http::course::Course;

/// Bytes of a sealed message key with the ephemeral key before it: 32, nonce, 32, tag.
const ENCRYPTION_KEY: usize = 32 + 12 + 32 + 16;

/// Bytes of something sealed in which there is nothing: nonce and tag.
pub(super) const EMPTY: usize = 12 + 16;

/// Leaves a text.
pub(super) async fn put(call: &Call, body: Body) -> Result<Response, Refusal> {
    let said = call.said(body).await?;
    let (token, encryption_key) = (said.token()?, encryption_key(&said)?);
    let data = sealed(&said, "message")?;
    let to = call.state.depot.drop_box(&token).await?;
    let drop =
        Drop { form: Form::Sealed, encryption_key, data, hash: None, name: Vec::new(), file: None };
    let left = leave(call, &to, drop).await?;
    Ok(json(StatusCode::CREATED, &Left::of(&left)))
}

/// Leaves one message, whether or not its sender waits for the answer.
pub(super) async fn leave(call: &Call, to: &DropBox, drop: Drop) -> Result<NewDropMessage, Fault> {
    Course::begin_work_of(&call.parts.extensions);
    let left = call.state.depot.put(to, call.asked.address, vec![drop]).await?;
    let none = || Fault::internal("leaving a message", "nothing came back");
    left.into_iter().next().ok_or_else(none)
}

/// The sealed key of a message.
pub(super) fn encryption_key(said: &Parameters) -> Result<Vec<u8>, Fault> {
    said.exactly::<ENCRYPTION_KEY>("encryptionkey").map(|key| key.to_vec())
}

/// Something sealed.
pub(super) fn sealed(said: &Parameters, name: &'static str) -> Result<Vec<u8>, Fault> {
    let sealed = said.bytes(name)?;
    if sealed.len() < EMPTY {
        let reason = format!("has {} bytes; nonce and tag have {EMPTY}", sealed.len());
        return Err(Fault::invalid(name, reason));
    }
    Ok(sealed)
}
