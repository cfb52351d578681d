//! Version 1, as the original has it.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Json, http::StatusCode};

use super::KeyServiceState;
use super::asked::Asked;
use crate::domain::error::Fault;
use crate::http::problem;

/// What an operator may choose for version 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneSettings {}

/// What version 1 works with.
pub struct One {}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As JSON.
    Json,
}

impl One {
    /// Version 1 under keys that follow from `seed`.
    #[must_use]
    pub fn new(_settings: OneSettings, _seed: &[u8; 32]) -> Self {
        Self {}
    }
}

/// How the answer to a request is written.
#[must_use]
pub fn format_of(_parts: &Parts) -> Format {
    Format::Json
}

/// The answer to a request of version 1.
pub async fn answer(_state: Arc<KeyServiceState>, _asked: Asked, _request: Request) -> Response {
    StatusCode::NOT_IMPLEMENTED.into_response()
}

/// A fault in the words of version 1.
#[must_use]
pub fn shape_fault(fault: &Fault, _format: Format) -> Response {
    (problem::status(fault), Json(fault.to_string())).into_response()
}
