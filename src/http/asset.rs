//! Files of pages for people: each with a policy that lets a page talk to its own gateway only, and
//! lets nothing become a script that is not one of the gateway's files.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// What a browser lets a page do.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The content type of a page.
pub const HTML: &str = "text/html; charset=utf-8";

/// That of a module.
pub const SCRIPT: &str = "text/javascript; charset=utf-8";

/// That of a stylesheet.
pub const STYLE: &str = "text/css; charset=utf-8";

/// That of a picture.
pub const PICTURE: &str = "image/svg+xml";

/// One file that browsers are given.
#[derive(Debug)]
pub struct Asset {
    /// Its name below the page; empty for the page itself.
    pub name: &'static str,
    /// What is in it.
    pub text: &'static str,
    content_type: &'static str,
    /// Of the content, in quotes (RFC 9110, section 8.8.3).
    tag: HeaderValue,
}

impl Asset {
    /// A file with this content.
    #[must_use]
    pub fn new(name: &'static str, content_type: &'static str, text: &'static str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let digits: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let tag = format!("\"{digits}\"");
        // Digits in quotes are always a header's value.
        let tag = HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""));
        Self { name, text, content_type, tag }
    }

    /// The answer to a request with these headers.
    #[must_use]
    pub fn answer(&self, asked: &HeaderMap) -> Response {
        let text = HeaderValue::from_static;
        let headers = [
            (CONTENT_TYPE, text(self.content_type)),
            (CONTENT_SECURITY_POLICY, text(POLICY)),
            (X_CONTENT_TYPE_OPTIONS, text("nosniff")),
            (REFERRER_POLICY, text("no-referrer")),
            (HeaderName::from_static("cross-origin-opener-policy"), text("same-origin")),
            (HeaderName::from_static("cross-origin-resource-policy"), text("same-origin")),
            // Kept, and asked for again each time: modules of two releases never meet.
            (CACHE_CONTROL, text("no-cache")),
            (ETAG, self.tag.clone()),
        ];
        if is_known(asked, &self.tag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, self.text).into_response()
    }
}

/// Whether the browser has this content already. A proxy may have weakened the tag.
fn is_known(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    let lists = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == *tag)
}
