//! Success in Mixin's words: `{"data": …}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use sealpost_sdk::types::Data;
use serde::Serialize;

/// `{"data": …}` with status 200.
pub fn data<T: Serialize>(data: T) -> Response {
    Json(Data { data }).into_response()
}
