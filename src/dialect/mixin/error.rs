//! A fault in Mixin's words: `{"error":{"status","code","description","extra"}}`.
//!
//! A handler answers with a [`Problem`]; the layer around it ([`Shape`]) gives
//! it this shape. So do the time limit and the unknown paths: whatever a client of this dialect is
//! told, it can read.
//!
//! The hosted API answers nearly every error with HTTP 202, and its Node SDK raises its typed
//! error only for statuses of success; a client made from an OpenAPI document expects the opposite.
//! So the credential decides: see [`ErrorStatus`].

use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sealpost_sdk::types::blaze::CHECKSUM_INVALID;
use sealpost_sdk::types::{ApiError, DEFERRED, ErrorBody, ErrorExtra};

use super::MixinState;
use super::auth::{bearer, looks_signed};
use crate::domain::error::Fault;
use crate::http::fault_log;
use crate::http::problem::{self, Problem, TrueStatus};
use crate::http::ratelimit;
use crate::http::request_id::RequestId;

/// Which HTTP status an error has. `error.status` always holds the true one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ErrorStatus {
    /// 202 for a signed token, as the hosted API does it; the true status for an API token and
    /// where there is no token.
    #[default]
    Auto,
    /// Always 202.
    Always202,
    /// Always the true status.
    AlwaysTrue,
}

/// How this request wants its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorStyle {
    /// HTTP 202.
    Accepted,
    /// The true status.
    True,
}

impl ErrorStatus {
    /// The style for a request that shows a signed token, or does not.
    #[must_use]
    pub fn style(self, signed: bool) -> ErrorStyle {
        match self {
            Self::Always202 => ErrorStyle::Accepted,
            Self::Auto if signed => ErrorStyle::Accepted,
            Self::Auto | Self::AlwaysTrue => ErrorStyle::True,
        }
    }
}

/// The shape that the failures of one request get.
#[derive(Clone, Debug)]
pub struct Shape {
    style: ErrorStyle,
    id: RequestId,
}

impl Shape {
    /// The shape for this request.
    #[must_use]
    pub fn of(state: &MixinState, request: &Request) -> Self {
        let signed = bearer(request.headers()).is_some_and(looks_signed);
        let style = state.settings.error_status.style(signed);
        Self { style, id: RequestId::of(request) }
    }

    /// Gives a failure this dialect's shape, and logs it when it is ours. An answer that has its
    /// shape stays as it is.
    #[must_use]
    pub fn give(&self, response: Response) -> Response {
        shape(response, self.style, &self.id)
    }
}

fn shape(mut response: Response, style: ErrorStyle, id: &RequestId) -> Response {
    if let Some(fault) = problem::take(&mut response) {
        fault_log::log(&fault, id);
        return answer(&fault, style);
    }
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let mut answer = shaped(no_such_method(), style);
        // What the path does know stands in `Allow`.
        answer.headers_mut().extend(response.headers_mut().drain());
        return answer;
    }
    response
}

/// A failure with its true status, for requests whose client cannot read anything else.
#[must_use]
pub fn refusal(fault: &Fault) -> Response {
    answer(fault, ErrorStyle::True)
}

/// A failure as the caller gets it.
fn answer(fault: &Fault, style: ErrorStyle) -> Response {
    let mut response = shaped(api_error(fault), style);
    if let Fault::Unavailable { retry_after, .. }
    | Fault::Closed { retry_after, .. }
    | Fault::RateLimited { retry_after, .. } = fault
    {
        let seconds = ratelimit::seconds(*retry_after).max(1);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn shaped(error: ApiError, style: ErrorStyle) -> Response {
    let truth = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // Overload must be visible to whatever stands in between.
    let must_be_true =
        matches!(truth, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let status = match style {
        ErrorStyle::Accepted if !must_be_true => StatusCode::ACCEPTED,
        ErrorStyle::Accepted | ErrorStyle::True => truth,
    };
    let mut response = (status, Json(ErrorBody { error })).into_response();
    response.extensions_mut().insert(TrueStatus(truth));
    response
}

/// The answer for a path that nobody knows.
pub async fn unknown_path() -> Problem {
    Fault::NotFound { what: "path" }.into()
}

/// The answer for a known path with another method; [`Shape::give`] gives it its body.
pub async fn method_not_allowed() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

fn no_such_method() -> ApiError {
    ApiError {
        status: 405,
        code: 405,
        description: "This path does not know this method.".to_owned(),
        extra: None,
    }
}

/// The `error` object for a fault; also the one inside a receipt.
#[must_use]
pub fn api_error(fault: &Fault) -> ApiError {
    let plain = |status: u16, code: u32, extra: Option<ErrorExtra>| ApiError {
        status,
        code,
        description: description(fault),
        extra,
    };
    let extra = |field: &str, reason: &str| {
        let (field, reason) = (field.to_owned(), shortened(reason));
        Some(ErrorExtra { field, reason, ..ErrorExtra::default() })
    };
    match fault {
        Fault::Malformed { reason } => plain(400, 400, extra("body", reason)),
        Fault::Invalid { field, reason } => plain(422, 10_002, extra(field, reason)),
        Fault::Unauthorized { reason } => plain(401, 401, extra("authorization", reason)),
        Fault::Forbidden { field, reason } => plain(403, 403, extra(field, reason)),
        Fault::NotFound { .. } => plain(404, 404, None),
        Fault::Conflict { field, reason } => plain(409, 409, extra(field, reason)),
        Fault::GroupFull { .. } => plain(409, 20_116, extra("participants", &fault.to_string())),
        // Clients look up the sessions again on this code, seal again and send again.
        Fault::Stale { field } => {
            plain(409, CHECKSUM_INVALID, extra(field, "names another list of sessions"))
        }
        // Programs look for the word; the sentence says why.
        Fault::Outdated { what, .. } => plain(410, 410, extra(what, "reset")),
        Fault::TooLarge { .. } => plain(413, 413, extra("body", &fault.to_string())),
        Fault::RateLimited { .. } => plain(429, 429, extra("", &fault.to_string())),
        Fault::Unavailable { .. } => plain(503, 503, None),
        Fault::Closed { reason, .. } => plain(503, 503, extra("", reason)),
        Fault::Deferred { retry_after } => {
            let seconds = ratelimit::seconds(*retry_after).max(1);
            let retry_after = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
            let reason = DEFERRED.to_owned();
            let extra = ErrorExtra { reason, retry_after, ..ErrorExtra::default() };
            plain(503, 503, Some(extra))
        }
        Fault::Internal { .. } => plain(500, 500, None),
    }
}

/// The longest reason, in characters. Reasons may quote what they speak of, and an answer must not
/// become a mirror for whatever somebody sends.
const REASON_LIMIT: usize = 300;

fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(REASON_LIMIT) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}

/// A sentence for people. Faults of ours say no more than that: the log has the cause, under the
/// request's id.
fn description(fault: &Fault) -> String {
    match fault {
        Fault::Malformed { .. } => "The request body can't be parsed.".to_owned(),
        Fault::Invalid { .. } => "The request has an invalid field.".to_owned(),
        Fault::Unauthorized { .. } => "Unauthorized, maybe invalid token.".to_owned(),
        Fault::Forbidden { .. } => "Forbidden.".to_owned(),
        Fault::NotFound { what } => format!("No such {what}."),
        Fault::Conflict { .. } => "The request contradicts what is on file.".to_owned(),
        Fault::GroupFull { .. } => "The group chat is full.".to_owned(),
        Fault::Stale { .. } => "The checksum is not that of the sessions by now.".to_owned(),
        Fault::Outdated { what, reason } => {
            format!("The {what} {reason}; begin again without one.")
        }
        Fault::TooLarge { what, actual, limit } => {
            format!("Too large: {what} is {actual}, the limit is {limit}.")
        }
        Fault::RateLimited { .. } => "Too many requests; come again later.".to_owned(),
        Fault::Unavailable { .. } => "Not available now; repeat the same request later.".to_owned(),
        Fault::Closed { reason, .. } => {
            format!("Not now: {reason}. Repeat the same request later.")
        }
        Fault::Deferred { .. } => "The recipient cannot be reached now.".to_owned(),
        Fault::Internal { .. } => "Internal server error.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn status(fault: &Fault, style: ErrorStyle) -> u16 {
        answer(fault, style).status().as_u16()
    }

    #[test]
    fn a_signed_token_gets_202_unless_the_gateway_is_overloaded() {
        let style = ErrorStatus::Auto.style(true);
        assert_eq!(status(&Fault::forbidden("no"), style), 202);
        assert_eq!(status(&Fault::unavailable("full", None), style), 503);
    }

    #[test]
    fn an_api_token_gets_the_true_status() {
        let style = ErrorStatus::Auto.style(false);
        assert_eq!(status(&Fault::invalid("checksum", "no"), style), 422);
        assert_eq!(status(&Fault::unauthorized("no"), style), 401);
    }

    #[test]
    fn an_operator_can_force_either() {
        assert_eq!(ErrorStatus::Always202.style(false), ErrorStyle::Accepted);
        assert_eq!(ErrorStatus::AlwaysTrue.style(true), ErrorStyle::True);
    }

    #[test]
    fn an_overload_says_when_to_come_back() {
        let fault =
            Fault::Unavailable { reason: "x", retry_after: Duration::from_secs(7), source: None };
        let response = answer(&fault, ErrorStyle::True);
        assert_eq!(response.headers()["retry-after"], "7");
    }

    #[test]
    fn our_own_mistakes_keep_their_cause_to_themselves() {
        let fault = Fault::internal("reading", "secret path".to_owned());
        let text = serde_json::to_string(&api_error(&fault)).unwrap();
        assert!(!text.contains("secret"), "{text}");
    }
}
