//! `GET /healthz` and `GET /readyz`: for whoever watches the gateway.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use moka::future::Cache;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};

use super::problem::{self, Problem};
use super::switch::{Effect, Switch};
use crate::domain::Gateway;

/// What the gateway says about its health.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
struct Health {
    /// `alive` or `ready`.
    #[schema(example = "ready")]
    status: &'static str,
}

/// How long "ready" is remembered.
const READY: Duration = Duration::from_secs(1);

/// Asks the database at most once at a time, and not again for a while once it was ready: anybody
/// may ask us, and each look takes the database's one place for writing.
#[derive(Clone)]
struct Readiness {
    gateway: Arc<Gateway>,
    switch: Arc<Switch>,
    remembered: Cache<(), ()>,
}

/// The two paths; the gateway is not ready while the switch lets nobody in.
pub fn router(gateway: Arc<Gateway>, switch: Arc<Switch>) -> Router {
    let remembered = Cache::builder().max_capacity(1).time_to_live(READY).build();
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .method_not_allowed_fallback(problem::unknown_method)
        .with_state(Readiness { gateway, switch, remembered })
}

/// The two paths' part of the OpenAPI document.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(
        paths(alive, ready),
        components(schemas(Health)),
        tags((name = "gateway", description = "The gateway itself; no credential needed")),
    )]
    struct Paths;
    Paths::openapi()
}

/// Whether the process answers
///
/// Says nothing about the database. Restart the gateway when it stays silent.
#[utoipa::path(
    get, path = "/healthz", tag = "gateway", operation_id = "check_alive",
    responses((status = 200, description = "The process answers.", body = Health)),
)]
async fn alive() -> Json<Health> {
    Json(Health { status: "alive" })
}

/// Whether the gateway can do its work
///
/// Asks the database, and the operator's switch. Send no requests while it does not answer 200.
#[utoipa::path(
    get, path = "/readyz", tag = "gateway", operation_id = "check_ready",
    responses(
        (status = 200, description = "The gateway can do its work.", body = Health),
        (status = 503, description = "The database does not answer, or the gateway is being \
            drained; try again later. A problem document (RFC 9457) says more.", content_type = "application/problem+json"),
    ),
)]
async fn ready(State(readiness): State<Readiness>) -> Result<Json<Health>, Problem> {
    readiness.switch.admit(Effect::Reads)?;
    let ping = readiness.gateway.store.ping();
    readiness.remembered.try_get_with((), ping).await.map_err(Problem::from)?;
    Ok(Json(Health { status: "ready" }))
}
