//! `GET /openapi.yaml`: the description of everything that the gateway speaks.

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bytes::Bytes;
use utoipa::OpenApi;

use super::problem;

/// Serves the document.
pub fn router(yaml: String) -> Router {
    let yaml = Bytes::from(yaml);
    let content_type = HeaderValue::from_static("application/yaml");
    let answer = async move || ([(CONTENT_TYPE, content_type)], yaml);
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
