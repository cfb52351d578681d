//! Bytes on their way out: all of them, or the part that was asked for.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;

use super::pace::paced;
use super::range::{Wanted, wanted};
use super::{empty, harmless};
use crate::domain::Fault;
use crate::domain::attachment::{Content, Files};
use crate::domain::ids::AttachmentId;

/// What is to be answered.
pub(super) struct Plan {
    id: AttachmentId,
    content: Content,
    wanted: Wanted,
    /// Whether the caller has the bytes.
    is_known: bool,
}

/// The name of some bytes for ever: their SHA-256.
pub(super) fn etag(content: &Content) -> HeaderValue {
    use std::fmt::Write;
    let mut text = String::from("\"");
    for byte in content.digest {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('"');
    // Hexadecimal and quotes are always a header value.
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// Finds out what is asked for.
///
/// # Errors
/// [`Fault::NotFound`] when nothing was uploaded, or no longer.
pub(super) async fn plan(
    files: &Files,
    id: AttachmentId,
    headers: &HeaderMap,
) -> Result<Plan, Fault> {
    let attachment = files.attachment(id).await?;
    let content = attachment.content.ok_or(Fault::NotFound { what: "attachment" })?;
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let etag = etag(&content);
    let etag = etag.to_str().unwrap_or_default();
    let is_named =
        |list: &str| list.split(',').any(|one| matches!(one.trim(), "*") || one.trim() == etag);
    let is_known = text(header::IF_NONE_MATCH).is_some_and(is_named);
    // A range that was meant for other bytes is no range; we give no dates that it could name.
    let is_meant = text(header::IF_RANGE).is_none_or(|condition| condition.trim() == etag);
    let range = text(header::RANGE).filter(|_| is_meant);
    Ok(Plan { id, content, wanted: wanted(range, content.length), is_known })
}

/// The answer to a `GET`; the place is kept until the last byte is gone, or the reader takes too
/// long.
///
/// # Errors
/// When the file cannot be opened.
pub(super) async fn answer(
    files: &Files,
    plan: Plan,
    stall: Duration,
    place: OwnedSemaphorePermit,
) -> Result<Response<Body>, Fault> {
    let mut response = head(&plan);
    let (start, length) = match plan.wanted {
        _ if plan.is_known => return Ok(response),
        Wanted::Nothing => return Ok(response),
        Wanted::All => (0, plan.content.length),
        Wanted::Part { start, length } => (start, length),
    };
    let bytes = files.read(plan.id, start, length).await?;
    *response.body_mut() = Body::from_stream(paced(bytes, length, stall, place));
    Ok(response)
}

/// The same answer without the bytes.
pub(super) fn head(plan: &Plan) -> Response<Body> {
    let length = plan.content.length;
    let mut response = Response::new(empty());
    let headers = response.headers_mut();
    harmless(headers);
    headers.insert(header::ETAG, etag(&plan.content));
    let (status, sent) = match plan.wanted {
        _ if plan.is_known => (StatusCode::NOT_MODIFIED, None),
        Wanted::All => (StatusCode::OK, Some(length)),
        Wanted::Nothing => {
            headers.insert(header::CONTENT_RANGE, text(format!("bytes */{length}")));
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(0))
        }
        Wanted::Part { start, length: part } => {
            let last = start + part - 1;
            headers.insert(header::CONTENT_RANGE, text(format!("bytes {start}-{last}/{length}")));
            (StatusCode::PARTIAL_CONTENT, Some(part))
        }
    };
    if let Some(sent) = sent {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(sent));
    }
    *response.status_mut() = status;
    response
}

/// A header value of digits and a few signs.
fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
