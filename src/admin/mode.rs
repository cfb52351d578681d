//! `/admin/v1/mode`: whether the gateway takes changes, and whether it takes anything.

use axum::Json;
use axum::body::Body;
use axum::extract::State;

use super::AdminState;
use super::request;
use super::types::Mode;
use crate::http::problem::Problem;
use crate::http::switch;

pub(super) async fn show(State(state): State<AdminState>) -> Json<Mode> {
    Json(state.switch.mode().into())
}

pub(super) async fn set(
    State(state): State<AdminState>,
    body: Body,
) -> Result<Json<Mode>, Problem> {
    let Mode { read_only, draining } = request::json(body).await?;
    state.switch.turn(switch::Mode { read_only, draining });
    tracing::info!(read_only, draining, "an operator turned the switch");
    Ok(Json(state.switch.mode().into()))
}

impl From<switch::Mode> for Mode {
    fn from(switch::Mode { read_only, draining }: switch::Mode) -> Self {
        Self { read_only, draining }
    }
}
