//! The files of a page: what a browser is given beside an API.
//!
//! The policy lets a page talk to this gateway only, and lets nothing become a script that is not
//! one of its files. Files are kept by browsers and asked for again each time, so that modules of
//! two releases never meet.

#[cfg(test)]
pub mod checks;
pub mod shared;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// What a page may do.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The media type of a page.
pub const HTML: &str = "text/html; charset=utf-8";
/// The media type of a module.
pub const SCRIPT: &str = "text/javascript; charset=utf-8";
/// The media type of a style sheet.
pub const STYLE: &str = "text/css; charset=utf-8";
/// The media type of a picture.
pub const PICTURE: &str = "image/svg+xml";

/// The modules of a page, each as the name of its file in the folder `page` beside the caller's.
macro_rules! modules {
    ($($name:literal),+ $(,)?) => {
        [$($crate::http::asset::Asset::new(
            $name,
            $crate::http::asset::SCRIPT,
            include_str!(concat!("page/", $name)),
        )),+]
    };
}
pub(crate) use modules;

/// One file that browsers are given.
#[derive(Debug)]
pub struct Asset {
    /// Its name below the page; empty for the page itself.
    pub name: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// What is in it.
    pub text: &'static str,
    /// Of the content, in quotes (RFC 9110, section 8.8.3).
    tag: HeaderValue,
}

impl Asset {
    /// The file with this content.
    #[must_use]
    pub fn new(name: &'static str, content_type: &'static str, text: &'static str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let digits: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let tag = format!("\"{digits}\"");
        // Digits in quotes are always a header's value.
        let tag = HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""));
        Self { name, content_type, text, tag }
    }

    /// The answer to a `GET` with these headers.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Asset {
        Asset::new("", HTML, "<!doctype html>")
    }

    #[test]
    fn a_page_is_bound_to_its_own_gateway() {
        let answer = page().answer(&HeaderMap::new());
        for (name, value) in [
            (CONTENT_TYPE, HTML),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "no-referrer"),
            (CACHE_CONTROL, "no-cache"),
        ] {
            assert_eq!(answer.headers()[&name], value, "{name}");
        }
    }

    #[test]
    fn a_browser_that_has_the_content_is_not_sent_it_again() {
        let tag = page().answer(&HeaderMap::new()).headers()[ETAG].clone();
        let weak = format!("\"other\", W/{}", tag.to_str().unwrap());
        for known in [tag, HeaderValue::from_str(&weak).unwrap()] {
            let asked = HeaderMap::from_iter([(IF_NONE_MATCH, known)]);
            assert_eq!(page().answer(&asked).status(), StatusCode::NOT_MODIFIED);
        }
        let asked = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static("\"old\""))]);
        assert_eq!(page().answer(&asked).status(), StatusCode::OK);
    }
}
