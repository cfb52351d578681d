//! The pages for people.

use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

/// Where the page for drop boxes is; its modules are below it.
pub const PAGE: &str = "/keyservice";

/// The answer to `GET` of a path at or below [`PAGE`], whatever the case of its letters.
#[must_use]
pub fn answer(path: &str, _asked: &HeaderMap) -> Option<Response> {
    path.eq_ignore_ascii_case(PAGE).then(|| "soon".into_response())
}

/// The page that shows a letter, and destroys nothing.
#[must_use]
pub fn letter(_asked: &HeaderMap) -> Response {
    "soon".into_response()
}
