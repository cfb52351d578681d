//! Reads one HTTP answer: whether it is ours, how large it may be, and what it says.
//!
//! Whether a request failed is read from the body. A gateway that speaks to signed-token clients
//! answers 202 to nearly every error and puts the true status into the error document, as the
//! hosted Mixin API does; other servers use the HTTP status. Both are understood.

use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::types::ApiError;

use super::error::RequestError;
use super::gateway::Failure;
use super::retry;

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
struct ErrorDocument {
    #[serde(default)]
    error: Option<ApiError>,
}

/// Reads the `data` member of an answer that is no error.
pub(super) fn data<T: DeserializeOwned>(body: &[u8]) -> Result<T, RequestError> {
    let unreadable = |source| RequestError::Answer { status: 200, source };
    let document: Document<'_> = serde_json::from_slice(body).map_err(unreadable)?;
    let data = document.data.map_or("null", RawValue::get);
    serde_json::from_str(data).map_err(unreadable)
}

impl Reading<'_> {
    /// The body of a successful answer, or why there is none.
    pub(super) async fn read(&self, response: reqwest::Response) -> Result<Bytes, Failure> {
        let status = response.status();
        let retry_after = self.retry_after(response.headers());
        self.check_request_id(response.headers())
            .map_err(|error| Failure { error, may_have_acted: true })?;
        let body =
            self.body(response).await.map_err(|error| Failure { error, may_have_acted: true })?;
        let error = match error_in(&body) {
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

    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
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

    async fn body(&self, mut response: reqwest::Response) -> Result<Bytes, RequestError> {
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
fn error_in(body: &[u8]) -> Option<ApiError> {
    serde_json::from_slice::<ErrorDocument>(body).ok()?.error
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_found_whatever_stands_beside_it() {
        let body = br#"{"data":null,"error":{"status":403,"code":403,"description":"no"},"x":1}"#;
        assert_eq!(error_in(body).unwrap().status, 403);
        assert!(error_in(br#"{"data":{"error":{"status":403}}}"#).is_none());
        assert!(error_in(b"<html>").is_none());
    }

    #[test]
    fn data_may_be_missing_when_nothing_is_expected() {
        assert_eq!(data::<Option<u8>>(b"{}").unwrap(), None);
        assert_eq!(data::<Vec<u8>>(br#"{"data":[1,2]}"#).unwrap(), [1, 2]);
        assert!(data::<Vec<u8>>(br#"{"data":{}}"#).is_err());
    }
}
