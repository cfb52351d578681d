//! `GET /metrics`: what the gateway counts about itself, for Prometheus and whoever reads its text.
//!
//! Never at the address of clients: operators ask at the admin socket, or at an address of its own.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::problem::{self, Problem};
use crate::domain::Fault;

/// The version of the text that is written (OpenMetrics 1.0, which Prometheus and others read).
const TEXT: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

/// Writes the text anew.
pub type Page = Arc<dyn Fn() -> BoxFuture<'static, Result<String, Fault>> + Send + Sync>;

/// The path, and who may ask.
#[derive(Clone)]
struct Metrics {
    page: Page,
    /// The SHA-256 of the token that is asked for, if one is.
    token: Option<[u8; 32]>,
}

/// The path, for whoever can reach it; with a `token`, for whoever shows that as
/// `Authorization: Bearer …`.
pub fn router(page: Page, token: Option<&str>) -> Router {
    let token = token.map(|token| Sha256::digest(token).into());
    Router::new()
        .route("/metrics", get(read))
        .method_not_allowed_fallback(problem::unknown_method)
        .with_state(Metrics { page, token })
}

async fn read(State(metrics): State<Metrics>, headers: HeaderMap) -> Result<Response, Problem> {
    if metrics.token.is_some_and(|token| !shows(&headers, &token)) {
        return Err(Fault::unauthorized("the token for metrics is missing or wrong").into());
    }
    let text = (metrics.page)().await?;
    Ok(([(header::CONTENT_TYPE, TEXT)], text).into_response())
}

fn shows(headers: &HeaderMap, token: &[u8; 32]) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.split_once(' '));
    let shown = shown.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    shown.is_some_and(|(_, shown)| {
        let shown: [u8; 32] = Sha256::digest(shown.trim()).into();
        shown.ct_eq(token).into()
    })
}
