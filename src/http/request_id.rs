//! The id of a request: the caller's own or one that we make, echoed in the answer and in the log. And
//! the trace to which its caller says that it belongs.

use std::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use uuid::fmt::Hyphenated;

use crate::domain::ports::Entropy;
use crate::domain::trace::{TRACEPARENT, TraceParent};

/// The header that carries it, both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id taken from a caller, in characters.
const LIMIT: usize = 128;

/// The id of the request at hand; every handler finds it in the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub Arc<str>);

impl RequestId {
    /// The id of this request; a dash where the layer that gives ids is missing.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        request.extensions().get().cloned().unwrap_or_else(|| Self("-".into()))
    }

    /// The caller's id, if it is 1 to 128 visible ASCII characters.
    fn from_header(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        (visible && (1..=LIMIT).contains(&text.len())).then(|| Self(text.into()))
    }

    /// A version 4 UUID.
    fn random(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
        let mut text = [0; Hyphenated::LENGTH];
        Self((&*id.hyphenated().encode_lower(&mut text)).into())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Gives the request its id.
pub(super) fn give(request: &mut Request, entropy: &dyn Entropy) -> RequestId {
    let claimed = request.headers().get(X_REQUEST_ID).and_then(RequestId::from_header);
    let id = claimed.unwrap_or_else(|| RequestId::random(entropy));
    request.extensions_mut().insert(id.clone());
    id
}

/// The trace of a request, if it names one, and names it as it must.
pub(super) fn trace(headers: &HeaderMap) -> Option<TraceParent> {
    let mut named = headers.get_all(TRACEPARENT).iter();
    match (named.next(), named.next()) {
        (Some(only), None) => TraceParent::parse(only.to_str().ok()?),
        _ => None,
    }
}

/// Gives the answer the id of its request.
pub(super) fn echo(response: &mut Response, id: &RequestId) {
    // Visible ASCII is always a header value.
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> Option<String> {
        let value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
        RequestId::from_header(&value).map(|id| id.to_string())
    }

    #[test]
    fn a_callers_id_is_taken_as_it_is() {
        for good in ["a", "A-1_!~", &"x".repeat(128)] {
            assert_eq!(taken(good).as_deref(), Some(good));
        }
    }

    #[test]
    fn an_id_that_is_empty_too_long_or_invisible_is_replaced() {
        for bad in ["", " ", "a b", "ä", "a\tb", &"x".repeat(129)] {
            assert_eq!(taken(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_id_of_our_own_is_a_version_4_uuid() -> Result<(), uuid::Error> {
        struct Zeros;
        impl Entropy for Zeros {
            fn fill(&self, bytes: &mut [u8]) {
                bytes.fill(0);
            }
        }
        let id = uuid::Uuid::try_parse(&RequestId::random(&Zeros).0)?;
        assert_eq!(id.get_version_num(), 4);
        Ok(())
    }
}
