//! What the gateway says of itself: `/` and `/health`.

use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::Routes;

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new().route("/", get(start)).route("/health", get(health))
}

/// The root once more, with a slash at the end of the path under which it is mounted.
pub(super) fn with_slash(prefix: &str) -> Router {
    Router::new().route(&format!("{prefix}/"), get(start))
}

/// This file's part of the OpenAPI document.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(start, health))]
    struct Paths;
    Paths::openapi()
}

/// What answers here.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetGreeting)]
struct Greeting {
    /// A greeting, as the original has it.
    #[schema(example = "Welcome to the HushNet API")]
    message: &'static str,
    /// The gateway's version.
    #[schema(example = "0.1.0")]
    version: &'static str,
    /// Always `healthy`.
    #[schema(example = "healthy")]
    status: &'static str,
}

/// That the gateway is up.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetHealth)]
struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    status: &'static str,
}

/// `GET /`: what answers here.
#[utoipa::path(
    get, path = "/", operation_id = "read_hushnet_greeting", tag = "HushNet",
    summary = "What answers here",
    description = "Needs no credentials.",
    responses((status = 200, body = Greeting, description = "A greeting")),
)]
async fn start() -> Json<Greeting> {
    let message = "Welcome to the HushNet API";
    Json(Greeting { message, version: env!("CARGO_PKG_VERSION"), status: "healthy" })
}

/// `GET /health`: that the gateway is up. Whether it is ready is told by `/readyz`.
#[utoipa::path(
    get, path = "/health", operation_id = "check_hushnet_health", tag = "HushNet",
    summary = "That the gateway is up",
    description = "Needs no credentials, and does not ask the database: `/readyz` does.",
    responses((status = 200, body = Health, description = "It is up")),
)]
async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}
