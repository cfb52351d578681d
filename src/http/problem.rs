//! RFC 9457: what went wrong, as `application/problem+json`.
//!
//! Used by the admin API and by paths that belong to no protocol. A handler returns [`Problem`];
//! [`shape()`] turns it into a document with the request's id and logs what is ours. A
//! protocol with a shape of its own has a layer of its own further inside, see [`take()`].

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::fault_log;
use super::ratelimit::seconds;
use super::request_id::RequestId;
use crate::domain::Fault;

/// A fault on its way to the caller.
#[derive(Debug)]
pub struct Problem(pub Arc<Fault>);

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self(Arc::new(fault))
    }
}

impl From<Arc<Fault>> for Problem {
    fn from(fault: Arc<Fault>) -> Self {
        Self(fault)
    }
}

impl IntoResponse for Problem {
    /// The status with the fault beside it, for [`shape()`].
    fn into_response(self) -> Response {
        let mut response = status(&self.0).into_response();
        response.extensions_mut().insert(self.0);
        response
    }
}

/// What went wrong (RFC 9457). Some problems have more members, which their operation tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// Always `about:blank`: the status says it all, and `code` more.
    #[schema(example = "about:blank")]
    pub r#type: String,
    /// The status in words.
    #[schema(example = "Not Found")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// What went wrong, for a person.
    #[schema(example = "there is no such attachment")]
    pub detail: String,
    /// What went wrong, for a program; never changes.
    #[schema(example = "not_found")]
    pub code: String,
    /// The field that is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "size")]
    pub field: Option<String>,
    /// What was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<u64>,
    /// The largest value allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Seconds after which another try makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// The id under which the log has more.
    #[schema(example = "6b1e2c5e-7f33-4b1a-9d58-2f0c6c1b7a10")]
    pub request_id: String,
}

impl Document {
    /// The document for a fault. What is ours is not explained to the caller.
    #[must_use]
    pub fn of(fault: &Fault, id: &RequestId) -> Self {
        let document = Self::plain(status(fault), code(fault), fault.to_string(), id);
        match fault {
            Fault::Invalid { field, .. } | Fault::Conflict { field, .. } => {
                Self { field: Some(field.to_string()), ..document }
            }
            Fault::GroupFull { limit } => Self { limit: Some((*limit).into()), ..document },
            Fault::TooLarge { actual, limit, .. } => {
                Self { actual: Some(*actual), limit: Some(*limit), ..document }
            }
            Fault::Unavailable { retry_after, .. }
            | Fault::Closed { retry_after, .. }
            | Fault::Deferred { retry_after }
            | Fault::RateLimited { retry_after, .. } => {
                Self { retry_after: Some(seconds(*retry_after).max(1)), ..document }
            }
            Fault::Internal { .. } => {
                let detail = "the gateway made a mistake; its log has more under this request id";
                Self { detail: detail.to_owned(), ..document }
            }
            _ => document,
        }
    }

    fn plain(status: StatusCode, code: &str, detail: String, id: &RequestId) -> Self {
        Self {
            r#type: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or_default().to_owned(),
            status: status.as_u16(),
            detail,
            code: code.to_owned(),
            request_id: id.to_string(),
            ..Self::default()
        }
    }
}

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // A document is strings and numbers only, which always serialise.
        let json = serde_json::to_vec(&self).unwrap_or_default();
        let content_type = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(CONTENT_TYPE, content_type)], json).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// Logs the fault if it is ours and makes the answer.
#[must_use]
pub fn respond(fault: &Fault, id: &RequestId) -> Response {
    fault_log::log(fault, id);
    Document::of(fault, id).into_response()
}

/// The fault of a handler that answered with a [`Problem`], for the layer that gives it its shape.
#[must_use]
pub fn take(response: &mut Response) -> Option<Arc<Fault>> {
    response.extensions_mut().remove()
}

/// The status that an answer would have if its protocol did not tell its clients another one; among the
/// answer's extensions.
#[derive(Clone, Copy, Debug)]
pub struct TrueStatus(pub StatusCode);

/// What became of a request, whatever its client is told.
#[must_use]
pub fn true_status(response: &Response) -> StatusCode {
    response.extensions().get::<TrueStatus>().map_or(response.status(), |truth| truth.0)
}

/// Writes the document of a handler's [`Problem`]; other answers stay as they are.
#[must_use]
pub fn shape(mut response: Response, id: &RequestId) -> Response {
    let Some(fault) = take(&mut response) else { return response };
    let mut document = respond(&fault, id);
    // Which route it was, for the log.
    document.extensions_mut().extend(std::mem::take(response.extensions_mut()));
    // What the path has said beside it: when to come again, or who may read the answer.
    let said = response.headers().iter().filter(|(name, _)| *name != CONTENT_LENGTH);
    for (name, value) in said {
        document.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    document
}

/// The answer for a path that nobody knows.
pub async fn unknown_path(request: Request) -> Response {
    let id = RequestId::of(&request);
    let path = request.uri().path();
    let detail = format!("there is nothing at {path}");
    Document::plain(StatusCode::NOT_FOUND, "not_found", detail, &id).into_response()
}

/// The answer for a known path with another method.
pub async fn unknown_method(request: Request) -> Response {
    let id = RequestId::of(&request);
    let detail = format!("{} does not take {}", request.uri().path(), request.method());
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Document::plain(status, "method_not_allowed", detail, &id).into_response()
}

/// The true HTTP status of a fault.
#[must_use]
pub fn status(fault: &Fault) -> StatusCode {
    match fault {
        Fault::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Fault::Malformed { .. } => StatusCode::BAD_REQUEST,
        Fault::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
        Fault::Forbidden { .. } => StatusCode::FORBIDDEN,
        Fault::NotFound { .. } => StatusCode::NOT_FOUND,
        Fault::Conflict { .. } | Fault::GroupFull { .. } | Fault::Stale { .. } => {
            StatusCode::CONFLICT
        }
        Fault::Outdated { .. } => StatusCode::GONE,
        Fault::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Fault::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
        Fault::Unavailable { .. } | Fault::Closed { .. } | Fault::Deferred { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Fault::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn code(fault: &Fault) -> &'static str {
    match fault {
        Fault::Invalid { .. } => "invalid_field",
        Fault::Malformed { .. } => "malformed",
        Fault::Unauthorized { .. } => "unauthorized",
        Fault::Forbidden { .. } => "forbidden",
        Fault::NotFound { .. } => "not_found",
        Fault::Conflict { .. } => "conflict",
        Fault::GroupFull { .. } => "group_full",
        Fault::Stale { .. } => "stale_sessions",
        Fault::Outdated { .. } => "outdated",
        Fault::TooLarge { .. } => "too_large",
        Fault::RateLimited { .. } => "rate_limited",
        Fault::Unavailable { .. } => "unavailable",
        Fault::Closed { .. } => "closed",
        Fault::Deferred { .. } => "deferred",
        Fault::Internal { .. } => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(fault: &Fault) -> String {
        let document = Document::of(fault, &RequestId("r-1".into()));
        serde_json::to_string_pretty(&document).unwrap_or_default()
    }

    #[test]
    fn a_field_is_named_with_its_reason() {
        insta::assert_snapshot!(json(&Fault::invalid("public_key", "has small order")), @r#"
        {
          "type": "about:blank",
          "title": "Unprocessable Entity",
          "status": 422,
          "detail": "public_key: has small order",
          "code": "invalid_field",
          "field": "public_key",
          "request_id": "r-1"
        }
        "#);
    }

    #[test]
    fn a_size_comes_with_its_limit() {
        let fault = Fault::TooLarge { what: "the body's size in bytes", actual: 9, limit: 8 };
        insta::assert_snapshot!(json(&fault), @r#"
        {
          "type": "about:blank",
          "title": "Payload Too Large",
          "status": 413,
          "detail": "the body's size in bytes is 9, the limit is 8",
          "code": "too_large",
          "actual": 9,
          "limit": 8,
          "request_id": "r-1"
        }
        "#);
    }

    #[test]
    fn a_mistake_of_ours_is_not_explained() {
        let fault = Fault::internal("reading rosters", "column `secret_thing` is missing");
        let json = json(&fault);
        assert!(!json.contains("secret_thing") && !json.contains("rosters"), "{json}");
        assert!(json.contains("\"status\": 500"), "{json}");
    }

    #[test]
    fn what_is_unavailable_says_when_to_come_again() {
        let answer = respond(&Fault::unavailable("the store", None), &RequestId("r-1".into()));
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.headers()[RETRY_AFTER], "1");
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
    }
}
