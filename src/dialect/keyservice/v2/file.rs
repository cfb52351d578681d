//! `/Service/File`: files, on their way from and to the disk in pieces.

use std::io;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    HeaderValue, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{FutureExt, Stream, StreamExt, stream};

use super::answers::Left;
use super::refusal::Refusal;
use super::{Call, json, put};
use crate::dialect::keyservice::KeyServiceState;
use crate::domain::dropbox::depot::Drop;
use crate::domain::dropbox::{DropBox, DropMessage, Form, StoredFile};
use crate::domain::error::Fault;
use crate::domain::limits::Visitor;
use crate::http::leftovers::{Whose, log_late};

/// Bytes of a sealed file in which there is nothing: prefix and tag.
const EMPTY: u64 = 7 + 16;

/// The largest sealed name of a file, bytes.
const LONGEST_NAME: usize = 1024;

/// Leaves a file.
pub(super) async fn put(call: &Call, body: Body) -> Result<Response, Refusal> {
    let said = call.said_by_head()?;
    let (token, encryption_key) = (said.token()?, put::encryption_key(&said)?);
    let name = put::sealed(&said, "name")?;
    if name.len() > LONGEST_NAME {
        let (actual, limit) = (name.len() as u64, LONGEST_NAME as u64);
        let what = "the number of bytes in the name";
        return Err(Fault::TooLarge { what, actual, limit }.into());
    }
    let depot = &call.state.depot;
    let to = depot.drop_box(&token).await?;
    depot.require_open(&to)?;
    let file = receive(call, body).await?;
    let drop = Drop {
        form: Form::File,
        encryption_key,
        data: Vec::new(),
        hash: None,
        name,
        file: Some(file),
    };
    match put::leave(call, &to, drop).await {
        Ok(left) => Ok(json(StatusCode::CREATED, &Left::of(&left))),
        Err(fault) => {
            depot.abandon(file).await?;
            Err(fault.into())
        }
    }
}

async fn receive(call: &Call, body: Body) -> Result<StoredFile, Fault> {
    let (depot, gate) = (&call.state.depot, &call.state.gate);
    let _place = call.state.transfers.upload_place()?;
    let visitor = Visitor { account: None, address: call.asked.address };
    let most = depot.policy().file_bytes;
    let announced = body.size_hint().lower();
    if announced <= most {
        gate.bytes(&visitor, announced)?;
    }
    let file = depot.receive(call.state.transfers.incoming(body, most), call.asked.address).await?;
    let counted = gate.bytes(&visitor, file.length.saturating_sub(announced));
    let is_sealed = match file.length {
        0..EMPTY => Err(Fault::invalid("body", format!("has no {EMPTY} bytes"))),
        _ => Ok(()),
    };
    match counted.and(is_sealed) {
        Ok(()) => Ok(file),
        Err(fault) => {
            depot.abandon(file).await?;
            Err(fault)
        }
    }
}

/// A file, for its owner.
pub(super) async fn fetch(call: &Call) -> Result<Response, Refusal> {
    let said = call.said_by_head()?;
    let (token, id) = (said.token()?, said.needed_id("messageid")?);
    let key = call.needed_auth_key()?;
    let depot = &call.state.depot;
    let owned = call.owned(token, &key).await?;
    let found = depot.message(&owned, id).await;
    let found = found.map_err(|fault| Refusal::from(fault).until(owned.content.release_at))?;
    let Some(file) = found.content.file else {
        return Err(Fault::NotFound { what: "file" }.into());
    };
    let bytes = depot.bytes(file).await?;
    let bytes = call.state.transfers.outgoing(bytes, file.length)?;
    if !owned.content.after_reading.messages_go {
        return Ok(answer(Body::from_stream(bytes), Some(file.length)));
    }
    // The library hears nothing of the end of a body whose length it knows.
    let body = Body::from_stream(then_gone(bytes, call.state.clone(), owned, found));
    Ok(answer(body, None))
}

/// A browser that is led here must make nothing of the bytes.
fn answer(body: Body, length: Option<u64>) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "application/octet-stream"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CONTENT_DISPOSITION, "attachment"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// The same bytes; once they are written, the message is gone, and only then they end. Bytes that
/// break off, or whose reader does, leave the message where it is.
fn then_gone(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    state: Arc<KeyServiceState>,
    owned: DropBox,
    read: DropMessage,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let begin = (bytes.boxed(), Some((state, owned, read)));
    stream::unfold(begin, |(mut bytes, mut left)| async move {
        match bytes.next().await {
            Some(Ok(piece)) => return Some((Ok(piece), (bytes, left))),
            Some(Err(error)) => return Some((Err(error), (bytes, None))),
            None => {}
        }
        let (state, owned, read) = left.take()?;
        // The library gets a chance to send the last piece before it asks for the end.
        tokio::task::yield_now().await;
        let depot = state.depot.clone();
        let forget = async move {
            if let Err(fault) = depot.file_was_read(&owned, &read).await {
                log_late(&fault);
            }
        };
        state.leftovers.finishing(Whose::Account(None), forget.boxed(), drop).await;
        None
    })
}
