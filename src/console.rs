//! The operator's console: pages and an API at `/console`, for people with the password and for
//! programs with the token.
//!
//! What it shows of accounts, and what it changes, is the operator's API ([`crate::admin`]), of which
//! it hands out the part that oversees. Beside that it has figures over time ([`mod@figures`]) and the
//! settings in force. Whoever may come in is decided in [`login`]; nobody is asked for anything but
//! the page and its modules before that.

pub mod figures;
pub mod login;
mod page;

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::admin::{self, AdminState};
use crate::config::shown::Setting;
use crate::http::matched::note_route;
use crate::http::problem;
use figures::{Figures, Point, STEP};
use login::Door;

/// What the console is below.
pub const PLACE: &str = "/console";

/// What the handlers work with.
pub struct ConsoleState {
    /// Who may come in.
    pub door: Door,
    /// What happened in the last hour.
    pub figures: Figures,
    /// The settings in force, without secrets.
    pub settings: Vec<Setting>,
}

/// Everything at and below [`PLACE`].
pub fn router(state: Arc<ConsoleState>, admin: AdminState) -> Router {
    let api = Router::new()
        .route("/figures", get(figures))
        .route("/settings", get(settings))
        .with_state(state.clone())
        .merge(admin::overseeing_router(admin))
        .layer(from_fn_with_state(state.clone(), login::require));
    let own = Router::new()
        .route("/console/login", post(login::log_in))
        .route("/console/logout", post(login::log_out))
        .with_state(state);
    let guarded = Router::new().nest("/console/api", api).merge(own).layer(from_fn(never_kept));
    guarded
        .route(PLACE, get(page::serve))
        .route("/console/", get(page::serve))
        .route("/console/{name}", get(page::serve))
        .fallback(problem::unknown_path)
        .method_not_allowed_fallback(problem::unknown_method)
        .layer(from_fn(note_route))
}

/// What only operators may see is kept by no browser and no proxy.
async fn never_kept(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// From when on.
#[derive(Debug, Default, Deserialize)]
struct Since {
    #[serde(default)]
    since: i64,
}

/// What happened, in steps.
#[derive(Debug, Serialize)]
struct FigureList {
    /// How long a step is.
    step_seconds: u64,
    /// The steps, the oldest first.
    points: Vec<Point>,
}

async fn figures(
    State(state): State<Arc<ConsoleState>>,
    since: Result<Query<Since>, QueryRejection>,
) -> Json<FigureList> {
    // Whoever asks for what cannot be read gets everything.
    let since = since.map_or(0, |Query(since)| since.since);
    Json(FigureList { step_seconds: STEP.as_secs(), points: state.figures.since(since) })
}

/// The settings in force.
#[derive(Debug, Serialize)]
struct SettingList {
    /// In the order of their paths.
    settings: Vec<Setting>,
}

async fn settings(State(state): State<Arc<ConsoleState>>) -> Json<SettingList> {
    Json(SettingList { settings: state.settings.clone() })
}
