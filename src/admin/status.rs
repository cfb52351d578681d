//! `/admin/v1/status`: what runs here, and since when.

use axum::Json;
use axum::extract::State;

use super::AdminState;
use super::types::Status;

pub(super) async fn status(State(state): State<AdminState>) -> Json<Status> {
    let now = state.gateway.clock.now();
    let uptime = now.as_seconds().saturating_sub(state.started_at.as_seconds());
    Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // A clock that was set back makes no negative uptime.
        uptime_seconds: u64::try_from(uptime).unwrap_or(0),
        address: state.address.map(|address| address.to_string()),
        server_public_key: state.server_public_key.to_string(),
    })
}
