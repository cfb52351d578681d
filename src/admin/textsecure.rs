//! `/admin/v1/textsecure/codes`: codes that wait for the operator to hand them over.

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};

use super::AdminState;
use super::types::{CodeInfo, CodeList};
use crate::domain::Fault;
use crate::domain::phone::verification::WaitingCode;
use crate::http::problem::Problem;

/// Codes in an answer.
const MOST: usize = 1000;

pub(super) async fn codes(State(state): State<AdminState>) -> Result<Response, Problem> {
    // One more than are shown tells whether there are more.
    let most = u32::try_from(MOST + 1).unwrap_or(u32::MAX);
    let switchboard = state.switchboard.ok_or_else(not_served)?;
    let mut waiting = switchboard.waiting_codes(most).await?;
    let more = waiting.len() > MOST;
    waiting.truncate(MOST);
    let codes = waiting.iter().map(info).collect();
    Ok(([(CACHE_CONTROL, "no-store")], Json(CodeList { codes, more })).into_response())
}

fn not_served() -> Fault {
    Fault::forbidden("this gateway serves no phones: `dialects.textsecure.enabled` is false")
}

fn info(waiting: &WaitingCode) -> CodeInfo {
    CodeInfo {
        number: waiting.number.as_str().to_owned(),
        transport: waiting.transport.as_str().to_owned(),
        code: waiting.dashed().to_string(),
        expires_at: waiting.expires_at.to_string(),
    }
}
