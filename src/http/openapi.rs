//! `GET /openapi.yaml`: the description of everything that the gateway speaks.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bytes::Bytes;
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::{Header, ObjectBuilder, RefOr, Response};

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

/// Describes an answer of an operation, unless that describes it itself.
pub fn describe(operation: &mut Operation, status: &str, description: &str) {
    let answers = &mut operation.responses.responses;
    answers.entry(status.to_owned()).or_insert_with(|| RefOr::T(Response::new(description)));
}

/// Describes the header `Retry-After` in those answers of an operation that have it.
pub fn describe_retry_after(operation: &mut Operation, statuses: &[&str]) {
    let integer = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer));
    let mut seconds = Header::new(integer.build());
    seconds.description = Some("Seconds to wait".to_owned());
    for status in statuses {
        if let Some(RefOr::T(later)) = operation.responses.responses.get_mut(*status) {
            later.headers.insert("Retry-After".to_owned(), seconds.clone().into());
        }
    }
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
