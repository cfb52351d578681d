//! Reads one HTTP answer: whether it is ours, how large it may be, and what it says.
//!
//! Whether a request failed is read from the body. A gateway that speaks to signed-token clients
//! answers 202 to nearly every error and puts the true status into the error document, as the
//! hosted Mixin API does; other servers use the HTTP status. Both are understood.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::types::ApiError;

use super::error::RequestError;
use super::gateway::Failure;
use super::retry;

/// How many characters of a description are kept.
pub(super) const DESCRIPTION_LIMIT: usize = 1000;

/// What is known of the request whose answer is read.
pub(super) struct Reading<'a> {
    pub(super) attempt: u32,
    pub(super) limit: usize,
    pub(super) request_id: &'a str,
    pub(super) now: SystemTime,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ErrorDocument<'a> {
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// Reads the `data` member of an answer that is no error.
pub(super) fn data<T: DeserializeOwned>(body: &[u8]) -> Result<T, RequestError> {
    let document: Document<'_> = serde_json::from_slice(body).map_err(RequestError::Answer)?;
    let data = document.data.map_or("null", RawValue::get);
    serde_json::from_str(data).map_err(RequestError::Answer)
}

impl Reading<'_> {
    /// The body of a successful answer, or why there is none.
    pub(super) async fn read(&self, response: reqwest::Response) -> Result<Bytes, Failure> {
        let status = response.status();
        let retry_after = self.retry_after(response.headers());
        self.check_request_id(response.headers())
            .map_err(|error| Failure { error, may_have_acted: true })?;
        self.read_body(response, status, retry_after).await
    }

    /// As [`read`](Self::read), of a server that was given no request id.
    pub(super) async fn read_stranger(
        &self,
        response: reqwest::Response,
    ) -> Result<Bytes, Failure> {
        let status = response.status();
        let retry_after = self.retry_after(response.headers());
        self.read_body(response, status, retry_after).await
    }

    async fn read_body(
        &self,
        response: reqwest::Response,
        status: StatusCode,
        retry_after: Option<Duration>,
    ) -> Result<Bytes, Failure> {
        let body =
            self.body(response).await.map_err(|error| Failure { error, may_have_acted: true })?;
        let error = match error_in(&body, status) {
            Some(error) => error,
            None if status.is_success() => return Ok(body),
            None => ApiError {
                status: status.as_u16(),
                code: u32::from(status.as_u16()),
                description: "no error document in the answer".to_owned(),
                extra: None,
            },
        };
        // A gateway that is too busy says so before it does anything.
        let may_have_acted = error.status >= 500 && error.status != 503;
        let error = RequestError::Api { error, retry_after, attempts: self.attempt };
        Err(Failure { error, may_have_acted })
    }

    pub(super) fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        retry::parse_retry_after(headers.get(RETRY_AFTER)?.to_str().ok()?, self.now)
    }

    fn check_request_id(&self, headers: &HeaderMap) -> Result<(), RequestError> {
        let Some(found) = headers.get("x-request-id") else {
            return Ok(());
        };
        if found.as_bytes() == self.request_id.as_bytes() {
            return Ok(());
        }
        Err(RequestError::RequestIdMismatch {
            expected: self.request_id.to_owned(),
            found: String::from_utf8_lossy(found.as_bytes()).chars().take(128).collect(),
        })
    }

    pub(super) async fn body(
        &self,
        mut response: reqwest::Response,
    ) -> Result<Bytes, RequestError> {
        let mut body = BytesMut::new();
        let broken = |source: reqwest::Error| RequestError::Transport {
            attempts: self.attempt,
            source: source.without_url(),
        };
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > self.limit {
                return Err(RequestError::AnswerTooLarge { limit: self.limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

/// The error of a body that carries one. A body that is no JSON carries none.
///
/// Something is an error whatever it looks like: nobody must take a failure for a success because
/// the gateway describes it in an unknown way.
fn error_in(body: &[u8], http: StatusCode) -> Option<ApiError> {
    let document = serde_json::from_slice::<ErrorDocument<'_>>(body).ok()?.error?;
    let http = if http.is_success() { StatusCode::INTERNAL_SERVER_ERROR } else { http };
    Some(error_from(document, http.as_u16()))
}

/// The error that a document describes; `status` where it names none.
pub(super) fn error_from(document: &RawValue, status: u16) -> ApiError {
    let mut error = serde_json::from_str(document.get()).unwrap_or_else(|_| ApiError {
        status: 0,
        code: 0,
        description: "an error document in an unknown form".to_owned(),
        extra: None,
    });
    // It ends up on somebody's terminal.
    let shown = error.description.chars().filter(|letter| !letter.is_control());
    error.description = shown.take(DESCRIPTION_LIMIT).collect();
    if error.status == 0 {
        error.status = status;
    }
    error
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn status_in(body: &str, http: u16) -> Option<u16> {
        error_in(body.as_bytes(), StatusCode::from_u16(http).unwrap()).map(|error| error.status)
    }

    #[test]
    fn an_error_is_found_whatever_stands_beside_it() {
        let body = r#"{"data":null,"error":{"status":403,"code":403,"description":"no"},"x":1}"#;
        assert_eq!(status_in(body, 202), Some(403));
        assert_eq!(status_in(r#"{"data":{"error":{"status":403}}}"#, 200), None);
        assert_eq!(status_in(r#"{"data":[],"error":null}"#, 200), None);
        assert_eq!(status_in("<html>", 502), None);
    }

    #[test]
    fn an_error_without_a_status_has_that_of_the_answer_and_never_that_of_a_success() {
        for error in [r#"{"code":7}"#, r#""no""#, r#"{"status":"503"}"#, "7", "[]"] {
            let body = format!(r#"{{"data":{{}},"error":{error}}}"#);
            assert_eq!(status_in(&body, 503), Some(503), "{error}");
            assert_eq!(status_in(&body, 202), Some(500), "{error}");
        }
    }

    #[test]
    fn a_description_is_cut_and_moves_no_cursor() {
        let long = "x".repeat(5000);
        let body = format!(r#"{{"error":{{"status":400,"description":"\u001b[2J\nno {long}"}}}}"#);
        let error = error_in(body.as_bytes(), StatusCode::OK).unwrap();
        assert!(error.description.starts_with("[2Jno xxx"));
        assert_eq!(error.description.len(), DESCRIPTION_LIMIT);
    }

    #[test]
    fn data_may_be_missing_when_nothing_is_expected() {
        assert_eq!(data::<Option<u8>>(b"{}").unwrap(), None);
        assert_eq!(data::<Vec<u8>>(br#"{"data":[1,2]}"#).unwrap(), [1, 2]);
        assert!(data::<Vec<u8>>(br#"{"data":{}}"#).is_err());
    }
}
