//! Credentials in a handshake: browsers cannot give a socket any headers, so they may stand in its
//! query. A strong signature there covers the path with all of the query before it.

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};

use crate::dialect::hushnet::auth::strong::SignedTarget;
use crate::http::query::{decode, member};

/// What the query calls the headers of both forms.
const NAMES: [(&str, HeaderName); 3] = [
    ("ik", HeaderName::from_static("x-identity-key")),
    ("ts", HeaderName::from_static("x-timestamp")),
    ("sig", HeaderName::from_static("x-signature")),
];

/// And those of the strong form alone.
const STRONG_NAMES: [(&str, HeaderName); 2] = [
    ("nonce", HeaderName::from_static("x-nonce")),
    ("v", HeaderName::from_static("x-signature-version")),
];

/// Whether a handshake has credentials. Those in its query are in its headers from now on, unless
/// there are some already.
pub fn has_credentials(parts: &mut Parts) -> bool {
    if are_there(parts) {
        return true;
    }
    let query = parts.uri.query().unwrap_or_default().to_owned();
    for (name, header) in NAMES.into_iter().chain(STRONG_NAMES) {
        parts.headers.remove(&header);
        let value = member(&query, name).and_then(decode);
        let value = value.and_then(|value| HeaderValue::from_bytes(&value).ok());
        if let Some(value) = value {
            parts.headers.insert(header, value);
        }
    }
    if let Some(target) = SignedTarget::before_signature(parts) {
        parts.extensions.insert(target);
    }
    are_there(parts)
}

fn are_there(parts: &Parts) -> bool {
    NAMES.iter().any(|(_, header)| parts.headers.contains_key(header))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn read(query: &str, header: Option<&str>) -> (bool, Vec<Option<String>>) {
        let mut request = Request::get(format!("/ws/x?{query}"));
        if let Some(header) = header {
            request = request.header("x-identity-key", header);
        }
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let has = has_credentials(&mut parts);
        let value = |name| Some(parts.headers.get(name)?.to_str().unwrap().to_owned());
        (has, NAMES.map(|(_, name)| value(name)).to_vec())
    }

    fn texts(expected: [&str; 3]) -> Vec<Option<String>> {
        expected.map(|it| Some(it.to_owned()).filter(|it| !it.is_empty())).to_vec()
    }

    #[test]
    fn the_query_stands_in_for_headers_that_are_not_there() {
        assert_eq!(read("", None), (false, texts(["", "", ""])));
        assert_eq!(read("user_id=x", None), (false, texts(["", "", ""])));
        assert_eq!(read("ik=a%2Bb%3D&ts=7&sig=c+d", None), (true, texts(["a+b=", "7", "c+d"])));
        assert_eq!(read("ik=a&sig=%zz", None), (true, texts(["a", "", ""])));
        assert_eq!(read("ik=a&ts=7", Some("b")), (true, texts(["b", "", ""])));
    }
}
