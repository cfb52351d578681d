//! Answers in the original's two formats, and what goes wrong: one string, as it always was.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{json, xml};
use crate::domain::error::Fault;
use crate::http::problem;
use crate::http::ratelimit;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Unless something else is asked for.
    Json,
    /// With a root `response`.
    Xml,
}

/// What an owner's request is told that is not about a box of theirs: there is none, it may not be
/// read yet, the secret is wrong. Which one is nobody else's business.
const NOT_FOUND: &str = "There is no key with this token, passphrase or privatekeyhash, or it is \
                         not released yet";

/// What somebody is told who comes for a file too late.
const TICKET_IS_OVER: &str =
    "There is no file with this fileId, or no longer; read the message again";

impl Format {
    /// XML for an `Accept` that is `application/xml` and nothing else, and for `format=xml` in the
    /// query. The original took no list for that, nor `text/xml`.
    pub(super) fn of(headers: &HeaderMap, query: &str) -> Self {
        let accept = headers.get(header::ACCEPT).map(HeaderValue::as_bytes);
        let accepts_xml =
            accept.is_some_and(|accept| accept.eq_ignore_ascii_case(b"application/xml"));
        let mut members = form_urlencoded::parse(query.as_bytes());
        let asks_for_xml =
            members.any(|(name, value)| name.eq_ignore_ascii_case("format") && value == "xml");
        if accepts_xml || asks_for_xml { Self::Xml } else { Self::Json }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json; charset=utf-8",
            Self::Xml => "text/xml; charset=utf-8",
        })
    }
}

/// A document in that format, for its reader alone.
pub(super) fn document(status: StatusCode, body: impl Into<Body>, format: Format) -> Response {
    let headers = [
        (header::CONTENT_TYPE, format.content_type()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, body.into()).into_response()
}

/// A string.
pub(super) fn text(status: StatusCode, text: &str, format: Format) -> Response {
    let written = match format {
        Format::Json => json::string_document(text),
        Format::Xml => xml::text_document(text),
    };
    document(status, written, format)
}

/// `true`.
pub(super) fn done(format: Format) -> Response {
    let written = match format {
        Format::Json => "true".to_owned(),
        Format::Xml => xml::text_document("true"),
    };
    document(StatusCode::OK, written, format)
}

/// What went wrong, as version 1 says it. It is logged nowhere here.
pub(in super::super) fn shape_fault(fault: &Fault, format: Format) -> Response {
    let mut response = text(status(fault), &words(fault), format);
    say_when(fault, &mut response);
    response
}

/// Says when to come again, if that is what is wrong.
pub(super) fn say_when(fault: &Fault, response: &mut Response) {
    if let Fault::RateLimited { retry_after, .. }
    | Fault::Unavailable { retry_after, .. }
    | Fault::Closed { retry_after, .. }
    | Fault::Deferred { retry_after } = fault
    {
        let seconds = ratelimit::seconds(*retry_after).max(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
}

/// The documentation knows 400 for whatever is wrong with a request.
pub(super) fn status(fault: &Fault) -> StatusCode {
    match fault {
        Fault::Invalid { .. } | Fault::Conflict { .. } => StatusCode::BAD_REQUEST,
        _ => problem::status(fault),
    }
}

/// What a caller reads of a fault. What is ours is not explained.
pub(super) fn words(fault: &Fault) -> Cow<'static, str> {
    match fault {
        Fault::Internal { .. } => "Server error".into(),
        Fault::Unavailable { .. } => "The server cannot do this now".into(),
        Fault::NotFound { what: "drop box" } => NOT_FOUND.into(),
        Fault::NotFound { what: "ticket" } => TICKET_IS_OVER.into(),
        _ => fault.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;

    use super::*;

    fn format(accept: Option<&'static str>, query: &str) -> Format {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        }
        Format::of(&headers, query)
    }

    #[test]
    fn xml_is_asked_for_exactly() {
        for (accept, query) in [
            (Some("application/xml"), ""),
            (Some("Application/XML"), ""),
            (None, "token=1&format=xml"),
            (Some("application/json"), "format=xml"),
        ] {
            assert_eq!(format(accept, query), Format::Xml, "{accept:?} {query}");
        }
        for (accept, query) in [
            (None, ""),
            (Some("text/xml"), ""),
            (Some("application/xml, */*"), ""),
            (Some("application/xml;q=1"), ""),
            (None, "format=XML"),
            (None, "format=json"),
        ] {
            assert_eq!(format(accept, query), Format::Json, "{accept:?} {query}");
        }
    }

    async fn shaped(fault: &Fault, format: Format) -> (u16, String) {
        let (parts, body) = shape_fault(fault, format).into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_fault_is_one_string() {
        let missing = Fault::malformed("token is required");
        assert_eq!(shaped(&missing, Format::Json).await, (400, "\"token is required\"".to_owned()));
        let (status, xml) = shaped(&missing, Format::Xml).await;
        assert_eq!((status, xml.contains("<response>token is required</response>")), (400, true));
        let ours = Fault::internal("reading", "a column is missing");
        assert_eq!(shaped(&ours, Format::Json).await, (500, "\"Server error\"".to_owned()));
        let invalid = Fault::invalid("publickey", "is no key");
        assert_eq!(
            shaped(&invalid, Format::Json).await,
            (400, "\"publickey: is no key\"".to_owned())
        );
    }

    #[test]
    fn who_has_to_wait_is_told_for_how_long() {
        let fault =
            Fault::RateLimited { what: "something", retry_after: Duration::from_millis(5500) };
        let response = shape_fault(&fault, Format::Json);
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (429, &HeaderValue::from(6))
        );
    }
}
