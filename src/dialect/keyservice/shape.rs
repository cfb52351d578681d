//! The one layer around this dialect: pages and preflights, who is asked in which version, within
//! what bounds, and the shape of what goes wrong.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::asked::{Asked, Operation, Wrong, in_query, operation, version};
use super::{KeyServiceState, cors, grid, page, v1, v2};
use crate::domain::dropbox::Version;
use crate::domain::error::Fault;
use crate::http::cors::Cors;
use crate::http::course::Course;
use crate::http::fault_log;
use crate::http::layers::{Asks, Guard, LoggedPath};
use crate::http::problem::{self, Problem};
use crate::http::request_id::RequestId;

/// What is around.
struct Around {
    state: Arc<KeyServiceState>,
    guard: Guard,
    pages: Cors,
}

/// Everything that is answered here. Paths are told apart by [`operation`]: their letters may be of
/// either case, which the router's own may not.
pub(super) fn surround(state: Arc<KeyServiceState>, guard: Guard) -> Router {
    let pages = cors::pages(state.settings.origins.clone());
    let around = Arc::new(Around { state, guard, pages });
    Router::new().fallback(serve).with_state(around)
}

async fn serve(State(around): State<Arc<Around>>, request: Request) -> Response {
    let arrived = Instant::now();
    let (parts, body) = request.into_parts();
    if parts.method == Method::OPTIONS {
        return around.options(&parts);
    }
    if let Some(page) = around.page(&parts) {
        return page;
    }
    let origin = parts.headers.get(header::ORIGIN).cloned();
    let mut response = around.answer(parts, body, arrived).await;
    around.pages.allow(origin.as_ref(), &mut response);
    response
}

impl Around {
    /// What pages of other origins may do, and anybody by which method.
    fn options(&self, parts: &Parts) -> Response {
        if let Some(mut allowed) = self.pages.preflight(&parts.method, &parts.headers) {
            *allowed.status_mut() = StatusCode::NO_CONTENT;
            return allowed;
        }
        let allow = HeaderValue::from_static(self.pages.methods);
        (StatusCode::NO_CONTENT, [(header::ALLOW, allow)]).into_response()
    }

    /// What is for people, and changes nothing. A link of version 1 has its letter in the query.
    fn page(&self, parts: &Parts) -> Option<Response> {
        if ![Method::GET, Method::HEAD].contains(&parts.method) {
            return None;
        }
        let path = parts.uri.path();
        if path == "/" && self.state.settings.has_own_address {
            return Some(page::from_root());
        }
        let is_letter = operation(&Method::GET, path) == Ok(Some(Operation::ShowLetter))
            && in_query(parts, "messageid").is_none();
        let letter = || is_letter.then(|| page::letter(path, &parts.headers));
        page::answer(path, &parts.headers).or_else(letter)
    }

    async fn answer(&self, mut parts: Parts, body: Body, arrived: Instant) -> Response {
        let operation = operation(&parts.method, parts.uri.path());
        let shape = Shape::of(&parts, operation.as_ref().ok().copied().flatten());
        let operation = match operation {
            Ok(Some(operation)) => operation,
            Ok(None) => return shape.give(&Fault::NotFound { what: "path" }),
            Err(Wrong::Method { allowed }) => return shape.wrong_method(&parts.method, allowed),
        };
        let course = Course::of(&mut parts.extensions);
        let effect = operation.effect(&parts.method);
        let asks = Asks { effect, is_poll: operation.brings_file(&parts) };
        let work = begin(self.state.clone(), operation, parts, body, arrived);
        let answer = self.guard.answer(course, asks, work).await;
        let mut response = shape.finish(answer);
        if grid::is_for(operation, response.status()) {
            grid::reach(arrived).await;
        }
        response.extensions_mut().insert(LoggedPath(operation.path()));
        response
    }
}

async fn begin(
    state: Arc<KeyServiceState>,
    operation: Operation,
    parts: Parts,
    body: Body,
    arrived: Instant,
) -> Response {
    let asked = match admit(&state, operation, &parts, arrived) {
        Ok(asked) => asked,
        Err(fault) => return Problem::from(fault).into_response(),
    };
    match asked.version {
        Version::One => v1::answer(state, asked, Request::from_parts(parts, body)).await,
        Version::Two => v2::answer(state, asked, Request::from_parts(parts, body)).await,
    }
}

/// Counts a request, and finds out its version.
fn admit(
    state: &KeyServiceState,
    operation: Operation,
    parts: &Parts,
    arrived: Instant,
) -> Result<Asked, Fault> {
    let address = state.gate.address(&parts.extensions, &parts.headers);
    state.gate.may_knock(address)?;
    state.gate.guest(address)?;
    let version = version(parts)?;
    if version == Version::One && state.v1.is_none() {
        return Err(Fault::malformed("version 1 is switched off here; append v=2"));
    }
    Ok(Asked { operation, version, address, arrived })
}

/// The shape that the failures of one request get.
struct Shape {
    id: RequestId,
    version: Shaped,
}

enum Shaped {
    One(v1::Format),
    /// Version 1 for a person who reads a letter.
    Page,
    Two,
}

impl Shape {
    fn of(parts: &Parts, operation: Option<Operation>) -> Self {
        let is_page = matches!(operation, Some(Operation::ShowLetter | Operation::TakeLetter));
        let id = parts.extensions.get().cloned().unwrap_or_else(|| RequestId("-".into()));
        let version = match version(parts) {
            Ok(Version::One) if is_page => Shaped::Page,
            Ok(Version::One) => Shaped::One(v1::format_of(parts)),
            Ok(Version::Two) | Err(_) => Shaped::Two,
        };
        Self { id, version }
    }

    /// Gives a failure its shape, and logs it when it is ours. Other answers stay as they are.
    fn finish(&self, mut response: Response) -> Response {
        let Some(fault) = problem::take(&mut response) else { return response };
        fault_log::log(&fault, &self.id);
        let mut shaped = match response.extensions().get::<v2::ReleaseDate>() {
            Some(release) => v2::not_released(&fault, *release, &self.id),
            None => self.give(&fault),
        };
        let said = response.headers().iter().filter(|(name, _)| *name != header::CONTENT_LENGTH);
        for (name, value) in said {
            shaped.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        shaped
    }

    fn give(&self, fault: &Fault) -> Response {
        match &self.version {
            Shaped::One(format) => v1::shape_fault(fault, *format),
            Shaped::Page => v1::fault_page(fault),
            Shaped::Two => v2::shape_fault(fault, &self.id),
        }
    }

    fn wrong_method(&self, method: &Method, allowed: &'static str) -> Response {
        let mut response = match &self.version {
            Shaped::Two => v2::wrong_method(method, &self.id),
            _ => self.give(&Fault::malformed(format!("{method} is not for this path"))),
        };
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        response
    }
}
