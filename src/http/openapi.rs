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
use utoipa::openapi::{Content, Header, ObjectBuilder, RefOr, Response, Schema};

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

/// Describes the bodies of an operation's failures, by media type, unless the operation says itself
/// what it answers then.
pub fn describe_failures(operation: &mut Operation, bodies: &[(&str, RefOr<Schema>)]) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if !status.starts_with(['4', '5']) || !response.content.is_empty() {
            continue;
        }
        for (media_type, schema) in bodies {
            let body = Content::new(Some(schema.clone()));
            response.content.insert((*media_type).to_owned(), body.into());
        }
    }
}

/// A body that is text.
#[must_use]
pub fn text() -> RefOr<Schema> {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).into()
}

/// The path's own part of the document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(document), components(schemas(problem::Document)))]
    struct Paths;
    Paths::openapi()
}

/// This document
///
/// All that the gateway speaks, in OpenAPI 3.1; `sealpost openapi --as 3.0` writes an older version.
#[utoipa::path(
    get, path = "/openapi.yaml", tag = "gateway", operation_id = "read_openapi",
    responses((status = 200, description = "This document.", content_type = "application/yaml",
        body = String)),
)]
#[expect(dead_code, reason = "carries the description; the route is a closure over the text")]
fn document() {}
