//! Credentials in a handshake: browsers cannot give a socket any headers, so they may stand in its
//! query.

use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};

use crate::http::query::{decode, member};

/// What the query calls each of the headers.
const NAMES: [(&str, HeaderName); 3] = [
    ("ik", HeaderName::from_static("x-identity-key")),
    ("ts", HeaderName::from_static("x-timestamp")),
    ("sig", HeaderName::from_static("x-signature")),
];

/// Whether a handshake has credentials. Those in its query are in its headers from now on, unless
/// there are some already.
pub fn has_credentials(parts: &mut Parts) -> bool {
    if NAMES.iter().any(|(_, header)| parts.headers.contains_key(header)) {
        return true;
    }
    let query = parts.uri.query().unwrap_or_default();
    for (name, header) in NAMES {
        let value = member(query, name).and_then(decode);
        let value = value.and_then(|value| HeaderValue::from_bytes(&value).ok());
        if let Some(value) = value {
            parts.headers.insert(header, value);
        }
    }
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
