//! `GET /`: what answers here, for a person with a browser and for a program.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_SECURITY_POLICY};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::problem;

/// What answers here.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Greeting {
    /// The program's name.
    #[schema(example = "sealpost")]
    name: &'static str,
    /// The program's version.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// The gateway's own Ed25519 public key, in hex: the `aud` of tokens for signing up.
    #[schema(example = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")]
    server_public_key: String,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

const PAGE: &str = concat!(
    "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Sealpost</title>\n",
    "<h1>Sealpost ",
    env!("CARGO_PKG_VERSION"),
    "</h1>\n<p>A gateway for end-to-end encrypted bot messages. It cannot read what it carries.</p>\n",
    "<p>Its API is described in <a href=\"/openapi.yaml\">/openapi.yaml</a>.</p>\n</html>\n",
);

/// The path, at the root.
pub fn router(server_public_key: Arc<str>) -> Router {
    Router::new()
        .route("/", get(start))
        .method_not_allowed_fallback(problem::unknown_method)
        .with_state(server_public_key)
}

/// The path's part of the OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(start), components(schemas(Greeting)))]
    struct Paths;
    Paths::openapi()
}

/// What answers here
///
/// A page for a browser (`Accept: text/html`), otherwise the name, the version and the
/// gateway's key.
#[utoipa::path(
    get, path = "/", tag = "gateway", operation_id = "read_greeting",
    responses((status = 200, description = "Name, version and key.",
        content((Greeting = "application/json"), (String = "text/html")))),
)]
async fn start(State(key): State<Arc<str>>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if !accept.is_some_and(|accept| accept.contains("text/html")) {
        let server_public_key = key.to_string();
        let greeting = Greeting { name: "sealpost", version: VERSION, server_public_key };
        return Json(greeting).into_response();
    }
    const NO_SNIFFING: HeaderName = HeaderName::from_static("x-content-type-options");
    let policy = HeaderValue::from_static("default-src 'none'");
    let headers =
        [(CONTENT_SECURITY_POLICY, policy), (NO_SNIFFING, HeaderValue::from_static("nosniff"))];
    (headers, Html(PAGE)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn content_type(accept: &'static str) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        let answer = start(State("key".into()), headers).await;
        answer.headers()["content-type"].to_str().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn a_browser_gets_a_page_and_a_program_gets_json() {
        assert_eq!(content_type("text/html,*/*;q=0.8").await, "text/html; charset=utf-8");
        assert_eq!(content_type("*/*").await, "application/json");
    }

    #[test]
    fn the_page_names_the_version() {
        assert!(PAGE.contains(VERSION));
    }
}
