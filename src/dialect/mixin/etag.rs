//! Answers that a caller may have already: `ETag` and `If-None-Match` (RFC 9110, section 8.8.3).
//!
//! A tag is the digest of the answer's bytes, so it is a strong one, and whoever asks the same
//! again with it gets 304 in place of the same bytes. `POST /sessions/fetch` asks a question and
//! changes nothing, so it follows this rule too, although HTTP has it for GET alone.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;
use sealpost_sdk::base64url;
use sealpost_sdk::types::Data;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::answer::Answer;
use crate::domain::error::Fault;

/// The tags that a caller has answers for.
#[derive(Clone, Debug, Default)]
pub struct IfNoneMatch(Vec<HeaderValue>);

impl<S: Send + Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl IfNoneMatch {
    fn of(headers: &HeaderMap) -> Self {
        Self(headers.get_all(header::IF_NONE_MATCH).iter().cloned().collect())
    }

    /// Whether the tag is among them. `W/` makes no difference here (RFC 9110, section 13.1.2).
    fn has(&self, tag: &str) -> bool {
        let texts = self.0.iter().filter_map(|value| value.to_str().ok());
        texts
            .flat_map(|text| text.split(','))
            .map(str::trim)
            .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
    }
}

/// `{"data": …}` with its tag, or 304 without a body when the caller has it.
///
/// # Errors
/// Only when `data` cannot be written as JSON.
pub fn data<T: Serialize>(known: &IfNoneMatch, data: T) -> Answer {
    let json = serde_json::to_vec(&Data { data });
    let json = json.map_err(|error| Fault::internal("writing an answer", error))?;
    let digest = Sha256::digest(&json);
    let tag = format!("\"{}\"", base64url::encode(&digest[..16]));
    let headers = [
        // Kept by the caller alone, and asked about every time.
        (header::CACHE_CONTROL, "private, no-cache"),
        (header::VARY, "Authorization"),
        (header::ETAG, tag.as_str()),
    ];
    if known.has(&tag) {
        return Ok((StatusCode::NOT_MODIFIED, headers, Body::empty()).into_response());
    }
    let body = ([(header::CONTENT_TYPE, "application/json")], json);
    Ok((StatusCode::OK, headers, body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(texts: &[&'static str]) -> IfNoneMatch {
        IfNoneMatch(texts.iter().map(|text| HeaderValue::from_static(text)).collect())
    }

    #[test]
    fn a_tag_is_found_among_several_weak_or_not() {
        for texts in [&["\"a\""][..], &["\"x\", W/\"a\""], &["\"x\"", "\"a\""], &["*"]] {
            assert!(known(texts).has("\"a\""), "{texts:?}");
        }
        for texts in [&[][..], &["a"], &["\"A\""], &["\"ab\""]] {
            assert!(!known(texts).has("\"a\""), "{texts:?}");
        }
    }

    #[test]
    fn the_same_content_has_the_same_tag() {
        let first = data(&known(&[]), [1, 2]).unwrap();
        let tag = first.headers()[header::ETAG].clone();
        assert_eq!(data(&known(&[]), [1, 2]).unwrap().headers()[header::ETAG], tag);
        assert_ne!(data(&known(&[]), [1, 3]).unwrap().headers()[header::ETAG], tag);
        let again = data(&IfNoneMatch(vec![tag.clone()]), [1, 2]).unwrap();
        assert_eq!(
            (again.status(), &again.headers()[header::ETAG]),
            (StatusCode::NOT_MODIFIED, &tag)
        );
    }
}
