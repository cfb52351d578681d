//! Attachments: where an encrypted file goes, and where it comes from.
//!
//! The bytes themselves pass at `/blobs/{id}`, which belongs to no protocol.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use sealpost_sdk::ids::AttachmentId;
use sealpost_sdk::types::{Attachment, Data, ErrorBody, ObjectType};

use super::MixinState;
use super::answer::{self, Answer};
use super::request::SignedRequest;
use super::sessions::path_id;
use crate::domain::attachment;
use crate::domain::error::Fault;
use crate::domain::ids::AccountNumber;
use crate::domain::session::Scope;
use crate::http::path::PathPart;

/// Open an attachment
///
/// Makes room for an encrypted file. Its bytes go to `upload_url` with one `PUT` and
/// `application/octet-stream`, without any other credential and within an hour; the id goes to the
/// readers inside a message, beside the file's key and digest. The file is kept for 30 days.
#[utoipa::path(
    post,
    path = "/attachments",
    operation_id = "create_attachment",
    tag = "attachments",
    responses(
        (status = 200, body = Data<Attachment>, description = "The attachment, with the address to upload to"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `send`"),
        (status = 409, body = ErrorBody, description = "Too many attachments of this account wait for their upload"),
        (status = 413, body = ErrorBody, description = "The account keeps as many bytes, or as many files, as it may"),
        (status = 422, body = ErrorBody, description = "The request does not say by which host it came"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn create(
    State(state): State<Arc<MixinState>>,
    uri: Uri,
    headers: HeaderMap,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Send)?;
    let caller = request.caller.owner.account.number;
    let base = base(&state, &uri, &headers)?;
    let opened = state.files.open(caller).await?;
    Ok(shown(&state, &base, caller, &opened))
}

/// Find an attachment
///
/// For whoever knows its id. `view_url` is good for a day without any other credential; ask again
/// for a fresh one. `upload_url` is shown to the owner, until the upload is done.
#[utoipa::path(
    get,
    path = "/attachments/{id}",
    operation_id = "read_attachment",
    tag = "attachments",
    params(("id" = AttachmentId, Path, description = "The attachment")),
    responses(
        (status = 200, body = Data<Attachment>, description = "The attachment"),
        (status = 403, body = ErrorBody, description = "The API token lacks the scope `read`"),
        (status = 404, body = ErrorBody, description = "There is no such attachment, or no longer"),
        (status = 422, body = ErrorBody, description = "`id` is no attachment id"),
    ),
    security(("signed_token" = []), ("api_token" = [])),
)]
pub async fn read(
    State(state): State<Arc<MixinState>>,
    PathPart(id): PathPart,
    uri: Uri,
    headers: HeaderMap,
    request: SignedRequest,
) -> Answer {
    request.caller.require(Scope::Read)?;
    let id: AttachmentId = path_id("id", &id)?;
    let base = base(&state, &uri, &headers)?;
    let found = state.files.attachment(id).await?;
    Ok(shown(&state, &base, request.caller.owner.account.number, &found))
}

fn base(state: &MixinState, uri: &Uri, headers: &HeaderMap) -> Result<String, Fault> {
    let base = state.addresses.base(uri, headers);
    base.ok_or_else(|| Fault::invalid("host", "the request has no usable `Host` header"))
}

/// The attachment for this caller. URLs are credentials, so nobody may keep the answer.
fn shown(
    state: &MixinState,
    base: &str,
    caller: AccountNumber,
    found: &attachment::Attachment,
) -> Response {
    let (now, until) = (state.files.now(), state.files.upload_until(found));
    let may_upload = found.owner == caller && found.content.is_none() && now < until;
    let most = state.files.limits().bytes;
    let mut response = answer::data(Attachment {
        kind: ObjectType::Attachment,
        attachment_id: found.id,
        upload_url: may_upload.then(|| state.urls.upload(base, found.id, until, most)),
        view_url: state.urls.view(base, found.id, now),
        created_at: found.created_at.to_string(),
    });
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
