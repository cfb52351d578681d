//! Attachments: a number for an encrypted file, and where its bytes go and come from.
//!
//! The bytes themselves pass at `/blobs/{number}`, which belongs to no protocol.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Body;
use axum::extract::{RawQuery, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::TextSecureState;
use super::auth::Caller;
use super::paths::{Acting, Routes, get_only, route};
use super::relay;
use crate::domain::attachment::AttachmentNumber;
use crate::domain::error::Fault;
use crate::domain::phone::PhoneLimit;
use crate::domain::ports::RelayRequest;
use crate::http::path::PathPart;
use crate::http::problem::Problem;

/// When an account should come again whose uploads are all still to come.
const WAIT_FOR_UPLOADS: Duration = Duration::from_secs(600);

/// How long an address for reading is good: this protocol's clients rely on it.
const VIEW_LIFE: Duration = Duration::from_secs(3600);

/// The routes of this file.
pub(super) fn routes() -> Routes {
    let routes = route(Routes::new(), "/v1/attachments", get_only(open));
    route(routes, "/v1/attachments/{number}", get_only(locate))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(open, locate))]
    struct Paths;
    Paths::openapi()
}

/// Numbers above 2^53 lose digits in some clients, which find them in the text and at the end of
/// the location's path as well.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = OpenedAttachment)]
struct Opened {
    /// The number that goes to the readers.
    #[schema(example = 7000000000000000001_u64)]
    id: u64,
    /// The same as a text.
    #[schema(example = "7000000000000000001")]
    id_string: String,
    /// Where the bytes go, for an hour.
    #[schema(
        example = "https://gateway.example/blobs/6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10?expires=1767323045&signature=c2ln"
    )]
    location: String,
}

/// Where a file is.
#[derive(Serialize, ToSchema)]
#[schema(as = LocatedAttachment)]
pub(super) struct Located {
    /// Where the bytes are, for an hour.
    #[schema(
        example = "https://gateway.example/blobs/6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10?expires=1767323045&signature=c2ln"
    )]
    location: String,
}

/// URLs are credentials, so nobody may keep the answer.
type Unkept<T> = ([(HeaderName, HeaderValue); 1], Body<T>);

fn unkept<T>(answer: T) -> Unkept<T> {
    ([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Body(answer))
}

/// `GET /v1/attachments/`: room for a file, and where to upload it.
#[utoipa::path(
    get, path = "/v1/attachments", operation_id = "open_phone_attachment", tag = "TextSecure",
    summary = "Open an attachment",
    description = "Room for an encrypted file. Its bytes go to `location` with one `PUT` and `application/octet-stream`, without credentials.",
    responses(
        (status = 200, body = Opened, description = "The attachment, with the address to upload to"),
    ),
    security(("phone" = [])),
)]
async fn open(
    State(state): State<Arc<TextSecureState>>,
    uri: Uri,
    headers: HeaderMap,
    Acting(caller): Acting,
) -> Result<Unkept<Opened>, Problem> {
    let key = caller.phone.number.as_str();
    state.switchboard.limits.take(PhoneLimit::Attachments, key, 1)?;
    let base = base(&state, &uri, &headers)?;
    let opened = state.files.open_numbered(caller.phone.account).await;
    let (number, attachment) = opened.map_err(as_limit)?;
    let (until, most) = (state.files.upload_until(&attachment), state.files.limits().bytes);
    let location = state.urls.upload(&base, attachment.id, until, most);
    let id = number.get();
    Ok(unkept(Opened { id, id_string: id.to_string(), location }))
}

/// `GET /v1/attachments/{number}`: where a file can be read. Whether there is one shows there.
#[utoipa::path(
    get, path = "/v1/attachments/{number}", operation_id = "find_phone_attachment", tag = "TextSecure",
    summary = "Find an attachment",
    description = "Whether there is one shows at its location.",
    params(
        ("number" = String, Path, description = "The attachment's number"),
        ("relay" = Option<String>, Query, description = "The gateway that the phone is at; empty or left out for this one"),
    ),
    responses(
        (status = 200, body = Located, description = "Where it can be read"),
        (status = 404, description = "That is no number of an attachment, or the relay is unknown"),
    ),
    security(("phone" = [])),
)]
async fn locate(
    State(state): State<Arc<TextSecureState>>,
    PathPart(number): PathPart,
    uri: Uri,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    _caller: Caller,
) -> Result<Response, Problem> {
    let Some(relay) = relay::in_query(query.as_deref()) else {
        return Ok(located(&state, &number, &uri, &headers)?);
    };
    let request = RelayRequest::Attachment(parse(&number)?);
    let mut answer = relay::pass(relay::ask(&state, relay, request).await?);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// Where a file that is here can be read.
pub(super) fn located(
    state: &TextSecureState,
    number: &str,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Fault> {
    let id = parse(number)?.id();
    let base = base(state, uri, headers)?;
    let location = state.urls.view_until(&base, id, state.files.now().plus(VIEW_LIFE));
    Ok(unkept(Located { location }).into_response())
}

fn parse(number: &str) -> Result<AttachmentNumber, Fault> {
    AttachmentNumber::parse(number).ok_or(Fault::NotFound { what: "attachment" })
}

fn base(state: &TextSecureState, uri: &Uri, headers: &HeaderMap) -> Result<String, Fault> {
    let base = state.addresses.base(uri, headers);
    base.ok_or_else(|| Fault::invalid("host", "the request has no usable `Host` header"))
}

/// Too many uploads that are still to come are, in this protocol's words, too many requests.
fn as_limit(fault: Fault) -> Fault {
    match fault {
        Fault::Conflict { .. } => {
            let (what, retry_after) = ("the number of new attachments", WAIT_FOR_UPLOADS);
            Fault::RateLimited { what, retry_after }
        }
        other => other,
    }
}
