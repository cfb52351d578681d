//! What goes wrong, in this protocol's two shapes: the server's own, which is a plain text or
//! `{"error":…}` as each route has it, and the documentation's `{"error","code","status"}`.
//!
//! Every JSON error has all three members: whoever knows one of them passes over the others.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Serialize;
use utoipa::ToSchema;

pub use super::contract::Contract;
use super::contract::Style;
use crate::domain::error::Fault;
use crate::http::cors::Cors;
use crate::http::course::Course;
use crate::http::fault_log;
use crate::http::layers::{Asks, Guard};
use crate::http::matched;
use crate::http::problem;
use crate::http::ratelimit;
use crate::http::request_id::RequestId;
use crate::http::switch::Effect;

/// A failure as its route words it. Its shape is that of the request's contract, whatever the route
/// says of that.
#[derive(Debug)]
pub struct Refusal {
    /// What the log gets, and what else follows: status, code, `Retry-After`.
    pub fault: Fault,
    /// The status of the server's contract, where it is not the fault's own.
    pub status: Option<StatusCode>,
    /// The status of both, where no fault has it.
    pub always: Option<StatusCode>,
    /// The words of both contracts; the fault's own otherwise.
    pub text: Option<Cow<'static, str>>,
    /// Whether the server's contract says it as plain text, and not as `{"error":…}`.
    pub is_plain: bool,
    /// Which contract the request follows, where it does not tell by itself.
    pub contract: Contract,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            status: None,
            always: None,
            text: None,
            is_plain: false,
            contract: Contract::Server,
        }
    }
}

impl Refusal {
    /// A fault in words of the original.
    #[must_use]
    pub fn worded(fault: Fault, status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status: Some(status), text: Some(text.into()), ..Self::from(fault) }
    }

    /// The same as plain text.
    #[must_use]
    pub fn plain(fault: Fault, status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { is_plain: true, ..Self::worded(fault, status, text) }
    }

    /// The same in the shape of a contract.
    #[must_use]
    pub fn under(self, contract: Contract) -> Self {
        Self { contract, ..self }
    }

    /// The answer.
    #[must_use]
    pub fn answer(&self, contract: Contract) -> Response {
        let is_documented = [contract, self.contract].contains(&Contract::Document);
        let own = problem::status(&self.fault);
        let status = self.always.or(self.status.filter(|_| !is_documented)).unwrap_or(own);
        let text = self.text.clone().unwrap_or_else(|| words(&self.fault));
        let mut response = if self.is_plain && !is_documented {
            (status, text.into_owned()).into_response()
        } else {
            let code = match &self.text {
                Some(Cow::Borrowed(text)) => upper_snake(text),
                // A text that quotes the request is another one each time.
                Some(Cow::Owned(_)) | None => code(&self.fault).to_owned(),
            };
            let error = ErrorBody { error: text.into_owned(), code, status: status.as_u16() };
            (status, Json(error)).into_response()
        };
        if let Some(seconds) = retry_after(&self.fault) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Refusal {
    /// The status with the refusal beside it, for the layer that knows the contract.
    fn into_response(self) -> Response {
        let mut response = problem::status(&self.fault).into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// What went wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = HushNetError)]
pub(super) struct ErrorBody {
    /// What went wrong, for a person.
    #[schema(example = "User already exists")]
    error: String,
    /// What went wrong, for a program.
    #[schema(example = "USER_ALREADY_EXISTS")]
    code: String,
    /// The HTTP status.
    #[schema(example = 409)]
    status: u16,
}

/// What the layer around this dialect knows.
struct Around {
    guard: Guard,
    prefix: Arc<str>,
    pages: Cors,
}

/// Puts this dialect's layer around its routes, which are below `prefix`.
pub(super) fn surround(router: Router, guard: Guard, prefix: &str, pages: Cors) -> Router {
    let around = Arc::new(Around { guard, prefix: prefix.into(), pages });
    router.layer(from_fn_with_state(around, enclose))
}

async fn enclose(State(around): State<Arc<Around>>, mut request: Request, next: Next) -> Response {
    if let Some(answer) = around.pages.preflight(request.method(), request.headers()) {
        return answer;
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let course = Course::of(request.extensions_mut());
    let id = RequestId::of(&request);
    let style = Arc::new(Style::of(&request, around.prefix.clone()));
    request.extensions_mut().insert(style.clone());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let asks = Asks::briefly(effect(request.method(), path.as_ref()));
    let answer = around.guard.answer(course, asks, next.run(request)).await;
    let mut response = shape(answer, &style, &id);
    around.pages.allow(origin.as_ref(), &mut response);
    matched::note(path, &mut response);
    response
}

/// What is asked by `POST` and changes nothing for others: acknowledging, and logging in.
const READING: [&str; 4] = ["/messages/ack", "/s2s/ack", "/users/login", "/login"];

fn effect(method: &Method, path: Option<&MatchedPath>) -> Effect {
    // The prefix stands before it.
    let reads = path.is_some_and(|path| READING.iter().any(|end| path.as_str().ends_with(end)));
    Effect::changing(!method.is_safe() && !reads)
}

/// Gives a failure its shape, and logs it when it is ours. Other answers stay as they are.
fn shape(mut response: Response, style: &Style, id: &RequestId) -> Response {
    if let Some(refusal) = response.extensions_mut().remove::<Arc<Refusal>>() {
        fault_log::log(&refusal.fault, id);
        return refusal.answer(style.contract());
    }
    let Some(fault) = problem::take(&mut response) else { return response };
    fault_log::log(&fault, id);
    // Those of the layers further inside, which several may hold.
    let status = problem::status(&fault);
    let error = words(&fault).into_owned();
    let code = code(&fault).to_owned();
    let mut response =
        (status, Json(ErrorBody { error, code, status: status.as_u16() })).into_response();
    if let Some(seconds) = retry_after(&fault) {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// What a caller reads of a fault. What is ours is not explained.
fn words(fault: &Fault) -> Cow<'static, str> {
    match fault {
        Fault::Internal { .. } => "internal server error".into(),
        Fault::Unavailable { .. } => "service unavailable".into(),
        _ => fault.to_string().into(),
    }
}

fn retry_after(fault: &Fault) -> Option<u64> {
    match fault {
        Fault::RateLimited { retry_after, .. }
        | Fault::Unavailable { retry_after, .. }
        | Fault::Closed { retry_after, .. }
        | Fault::Deferred { retry_after } => Some(ratelimit::seconds(*retry_after).max(1)),
        _ => None,
    }
}

fn code(fault: &Fault) -> &'static str {
    match fault {
        Fault::Invalid { .. } => "VALIDATION_FAILED",
        Fault::Malformed { .. } => "BAD_REQUEST",
        Fault::Unauthorized { .. } => "UNAUTHORIZED",
        Fault::Forbidden { .. } => "FORBIDDEN",
        Fault::NotFound { .. } => "NOT_FOUND",
        Fault::Conflict { .. } | Fault::GroupFull { .. } | Fault::Stale { .. } => "CONFLICT",
        Fault::Outdated { .. } => "GONE",
        Fault::TooLarge { .. } => "TOO_LARGE",
        Fault::RateLimited { .. } => "RATE_LIMITED",
        Fault::Unavailable { .. } | Fault::Deferred { .. } => "UNAVAILABLE",
        Fault::Closed { .. } => "CLOSED",
        Fault::Internal { .. } => "INTERNAL",
    }
}

/// A text as a code: `Unknown device` is `UNKNOWN_DEVICE`.
fn upper_snake(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_uppercase).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn read(refusal: Refusal, contract: Contract) -> (u16, String) {
        let (parts, body) = refusal.answer(contract).into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_refusal_has_the_shape_of_its_contract() {
        let unknown = || {
            let fault = Fault::unauthorized("no live device signs with this key");
            Refusal::plain(fault, StatusCode::UNAUTHORIZED, "Unknown device")
        };
        let plain = read(unknown(), Contract::Server).await;
        assert_eq!(plain, (401, "Unknown device".to_owned()));
        let json = r#"{"error":"Unknown device","code":"UNKNOWN_DEVICE","status":401}"#;
        assert_eq!(read(unknown(), Contract::Document).await, (401, json.to_owned()));
        let by_route = unknown().under(Contract::Document);
        assert_eq!(read(by_route, Contract::Server).await, (401, json.to_owned()));
    }

    #[tokio::test]
    async fn a_text_that_quotes_the_request_is_no_code() {
        let fault = Fault::invalid("username", "is a number");
        let text = String::from("username: invalid type at line 1 column 14");
        let refusal = Refusal::plain(fault, StatusCode::UNPROCESSABLE_ENTITY, text.clone());
        let (status, json) = read(refusal, Contract::Document).await;
        let code = "VALIDATION_FAILED";
        let expected = format!(r#"{{"error":"{text}","code":"{code}","status":422}}"#);
        assert_eq!((status, json), (422, expected));
    }

    #[tokio::test]
    async fn a_status_of_the_server_is_the_servers_alone() {
        let taken = || {
            let fault = Fault::NotFound { what: "user" };
            Refusal::worded(fault, StatusCode::BAD_REQUEST, "User ID does not exist")
        };
        assert_eq!(read(taken(), Contract::Server).await.0, 400);
        assert_eq!(read(taken(), Contract::Document).await.0, 404);
    }

    #[tokio::test]
    async fn what_is_ours_is_not_explained() {
        let broken = Refusal::from(Fault::internal("reading members", "a column is missing"));
        let (status, text) = read(broken, Contract::Server).await;
        let expected = r#"{"error":"internal server error","code":"INTERNAL","status":500}"#;
        assert_eq!((status, text.as_str()), (500, expected));
    }
}
