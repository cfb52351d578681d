//! `/Service/File`: files, on their way from and to the disk in pieces.

use std::io;
use std::net::IpAddr;
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
use crate::domain::ports::ByteStream;
use crate::http::gate::Gate;
use crate::http::leftovers::{Whose, log_late};

/// Bytes of a sealed file in which there is nothing: prefix and tag.
const EMPTY: u64 = 7 + 16;

/// The largest sealed name of a file, bytes.
const LONGEST_NAME: usize = 1024;

/// What is counted of a name that is longer.
pub(super) const LONG_NAME: &str = "the number of bytes in the name";

/// Leaves a file.
pub(super) async fn put(call: &Call, body: Body) -> Result<Response, Refusal> {
    let said = call.said_by_head()?;
    let (token, encryption_key) = (said.token()?, put::encryption_key(&said)?);
    let name = put::sealed(&said, "name")?;
    if name.len() > LONGEST_NAME {
        let (actual, limit) = (name.len() as u64, LONGEST_NAME as u64);
        return Err(Fault::TooLarge { what: LONG_NAME, actual, limit }.into());
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
        Err(fault) => Err(without(call, file, fault).await.into()),
    }
}

/// Lets go of a file that no message keeps. After a fault of ours nobody knows whether one does: then
/// it stays, and goes by itself if there is none.
async fn without(call: &Call, file: StoredFile, fault: Fault) -> Fault {
    if !fault.is_ours()
        && let Err(late) = call.state.depot.abandon(file).await
    {
        log_late(&late);
    }
    fault
}

async fn receive(call: &Call, body: Body) -> Result<StoredFile, Fault> {
    let (depot, gate) = (&call.state.depot, &call.state.gate);
    let address = call.asked.address;
    let _place = call.state.transfers.upload_place(address)?;
    let most = depot.policy().file_bytes;
    let announced = body.size_hint().lower();
    if announced <= most {
        gate.bytes(&Visitor { account: None, address }, announced)?;
    }
    let mut incoming = call.state.transfers.incoming(body, most);
    incoming.bytes = paid(incoming.bytes, gate.clone(), address, announced);
    let file = depot.receive(incoming, address).await?;
    if file.length < EMPTY {
        let fault = Fault::invalid("body", format!("has no {EMPTY} bytes"));
        return Err(without(call, file, fault).await);
    }
    Ok(file)
}

/// The same bytes; those that were not announced, and paid for, are as they come.
fn paid(
    bytes: ByteStream,
    gate: Arc<Gate>,
    address: Option<IpAddr>,
    mut announced: u64,
) -> ByteStream {
    let paid = bytes.map(move |piece| {
        let piece = piece?;
        let length = piece.len() as u64;
        gate.bytes(&Visitor { account: None, address }, length.saturating_sub(announced))?;
        announced = announced.saturating_sub(length);
        Ok(piece)
    });
    paid.boxed()
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
    let place = call.state.transfers.download_place(call.asked.address)?;
    let bytes = depot.bytes(file).await?;
    let bytes = call.state.transfers.outgoing(bytes, file.length, place);
    let body = match owned.content.after_reading.messages_go {
        false => Body::from_stream(bytes),
        true => Body::from_stream(then_goes(bytes, file.length, call.state.clone(), owned, found)),
    };
    Ok(answer(body, file.length))
}

/// A browser that is led here must make nothing of the bytes.
fn answer(body: Body, length: u64) -> Response {
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
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}

/// The same bytes; before the last piece is handed over, the message gets an end that is near. Nobody
/// is told whether a piece arrived: whoever did not get all of it may come again until then. Bytes
/// that break off earlier, or whose reader does, leave the message as it is.
fn then_goes(
    bytes: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    length: u64,
    state: Arc<KeyServiceState>,
    owned: DropBox,
    read: DropMessage,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let begin = (bytes.boxed(), length, Some((state, owned, read)));
    stream::unfold(begin, |(mut bytes, left, mut going)| async move {
        let piece = bytes.next().await?;
        let left = left.saturating_sub(piece.as_ref().map_or(0, |piece| piece.len() as u64));
        if left == 0
            && let Some((state, owned, read)) = going.take()
        {
            let depot = state.depot.clone();
            let end = async move {
                if let Err(fault) = depot.file_was_read(&owned, &read).await {
                    log_late(&fault);
                }
            };
            state.leftovers.finishing(Whose::Account(None), end.boxed(), drop).await;
        }
        Some((piece, (bytes, left, going)))
    })
}
