//! `GET /openapi.yaml`: the description of everything that the gateway speaks.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bytes::Bytes;
use utoipa::OpenApi;

use super::problem;

/// Serves the document, which is written when somebody first asks for it: that takes some megabytes
/// and most gateways are never asked.
pub fn router(write: impl Fn() -> String + Send + Sync + 'static) -> Router {
    let (written, write) = (Arc::new(OnceLock::new()), Arc::new(write));
    let content_type = HeaderValue::from_static("application/yaml");
    let answer = async move || {
        let yaml: Bytes = written.get_or_init(|| Bytes::from(write())).clone();
        ([(CONTENT_TYPE, content_type)], yaml)
    };
    Router::new()
        .route("/openapi.yaml", get(answer))
        .method_not_allowed_fallback(problem::unknown_method)
}

/// The path's own part of the document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(document))]
    struct Paths;
    Paths::openapi()
}

/// This document
#[utoipa::path(
    get, path = "/openapi.yaml", tag = "gateway", operation_id = "openapi",
    responses((status = 200, description = "This document.", content_type = "application/yaml",
        body = String)),
)]
#[expect(dead_code, reason = "carries the description; the route is a closure over the text")]
fn document() {}
