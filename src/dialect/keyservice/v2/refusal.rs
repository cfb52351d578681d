//! What goes wrong, as problem documents (RFC 9457). A member that cannot be used is 400 here.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::file::LONG_NAME;
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::message::{FULL_OF_BYTES, FULL_OF_MESSAGES};
use crate::domain::dropbox::stock;
use crate::domain::error::Fault;
use crate::http::problem::{Document, Problem};
use crate::http::request_id::RequestId;

/// When a box may be read; beside a fault, for the document.
#[derive(Clone, Copy, Debug)]
pub(in crate::dialect::keyservice) struct ReleaseDate(pub(super) Timestamp);

/// A fault, and what its document says beside it.
#[derive(Debug)]
pub(super) struct Refusal {
    fault: Fault,
    release: Option<ReleaseDate>,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { fault, release: None }
    }
}

impl Refusal {
    /// The same; if it is that the box may not be read yet, with when it may.
    pub(super) fn until(self, release_at: Option<Timestamp>) -> Self {
        let is_that =
            matches!(&self.fault, Fault::Forbidden { field, .. } if field == "releasedate");
        Self { release: release_at.filter(|_| is_that).map(ReleaseDate), ..self }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = Problem::from(self.fault).into_response();
        if let Some(release) = self.release {
            response.extensions_mut().insert(release);
        }
        response
    }
}

/// The document for a fault.
#[must_use]
pub(in crate::dialect::keyservice) fn shape_fault(fault: &Fault, id: &RequestId) -> Response {
    document(fault, id).into_response()
}

/// The document for a box that may not be read yet, with the date.
#[must_use]
pub(in crate::dialect::keyservice) fn not_released(
    fault: &Fault,
    release: ReleaseDate,
    id: &RequestId,
) -> Response {
    let document = document(fault, id);
    let status = StatusCode::from_u16(document.status).unwrap_or(StatusCode::FORBIDDEN);
    // A document is strings and numbers only, which always serialise.
    let mut json = serde_json::to_value(document).unwrap_or_default();
    json["releasedate"] = Value::String(release.0.to_string());
    let content_type = HeaderValue::from_static("application/problem+json");
    (status, [(CONTENT_TYPE, content_type)], json.to_string()).into_response()
}

/// The document for a path that does not take this method.
#[must_use]
pub(in crate::dialect::keyservice) fn wrong_method(method: &Method, id: &RequestId) -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let fault = Fault::malformed(format!("{method} is not for this path"));
    let document = Document {
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        status: status.as_u16(),
        code: "method_not_allowed".to_owned(),
        ..document(&fault, id)
    };
    document.into_response()
}

fn document(fault: &Fault, id: &RequestId) -> Document {
    let document = Document::of(fault, id);
    match fault {
        Fault::Invalid { .. } => {
            let status = StatusCode::BAD_REQUEST;
            let title = status.canonical_reason().unwrap_or_default().to_owned();
            Document { title, status: status.as_u16(), ..document }
        }
        Fault::TooLarge { what: LONG_NAME, .. } => {
            Document { field: Some("name".to_owned()), ..document }
        }
        Fault::TooLarge { what: FULL_OF_MESSAGES | FULL_OF_BYTES, .. } => {
            Document { code: "box_full".to_owned(), actual: None, ..document }
        }
        Fault::TooLarge { what: stock::FULL, .. } => {
            Document { code: "gateway_full".to_owned(), actual: None, ..document }
        }
        Fault::Forbidden { field, reason } if !field.is_empty() => {
            let detail = format!("{field}: {reason}");
            Document { field: Some(field.to_string()), detail, ..document }
        }
        _ => document,
    }
}
