//! What a handler gives: success in Mixin's words, or a fault for [`super::error::Shape`] to give its form.

use axum::Json;
use axum::response::{IntoResponse, Response};
use sealpost_sdk::types::Data;
use serde::Serialize;

use crate::http::problem::Problem;

/// What a handler gives.
pub type Answer = Result<Response, Problem>;

/// `{"data": …}` with status 200.
pub fn data<T: Serialize>(data: T) -> Response {
    Json(Data { data }).into_response()
}
