//! `/admin/v1/status`: what runs here, and since when; `/admin/v1/check`: whether it is sound.

use std::time::Duration;

use axum::Json;
use axum::extract::State;

use super::AdminState;
use super::types::{DatabaseCheck, Status, StorageStatus};
use crate::http::problem::Problem;

/// How long a look for damage may take: less than a request may.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn status(State(state): State<AdminState>) -> Result<Json<Status>, Problem> {
    let now = state.gateway.clock.now();
    let uptime = now.as_seconds().saturating_sub(state.started_at.as_seconds());
    let statistics = state.gateway.store.statistics().await?;
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        // A clock that was set back makes no negative uptime.
        uptime_seconds: u64::try_from(uptime).unwrap_or(0),
        address: state.address.map(|address| address.to_string()),
        server_public_key: state.server_public_key.to_string(),
        sockets: (state.sockets)(),
        mode: state.switch.mode().into(),
        storage: Some(StorageStatus {
            commit_groups: statistics.commit_groups,
            waiting_writes: statistics.waiting_writes,
            database_bytes: statistics.database_bytes,
            set_aside: statistics.set_aside,
            newest_message_at: statistics.newest_message.map(|at| at.to_string()),
        }),
    }))
}

pub(super) async fn check(State(state): State<AdminState>) -> Result<Json<DatabaseCheck>, Problem> {
    let found = state.gateway.store.check(PATIENCE).await?;
    Ok(Json(DatabaseCheck { complete: found.complete, damage: found.damage }))
}
