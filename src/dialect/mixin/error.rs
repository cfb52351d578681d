//! A fault in Mixin's words: `{"error":{"status","code","description","extra"}}`.
//!
//! The hosted API answers nearly every error with HTTP 202, and its Node SDK raises its typed
//! error only for statuses of success; a client made from an OpenAPI document expects the opposite.
//! So the credential decides: see [`ErrorStatus`].

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sealpost_sdk::types::{ApiError, ErrorBody, ErrorExtra};

use crate::domain::error::Fault;

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

/// A fault on its way to the caller.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub fault: Fault,
    /// How this request wants to hear it.
    pub style: ErrorStyle,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = api_error(&self.fault);
        let truth = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        // Overload must be visible to whatever stands in between.
        let must_be_true =
            matches!(truth, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let status = match self.style {
            ErrorStyle::Accepted if !must_be_true => StatusCode::ACCEPTED,
            ErrorStyle::Accepted | ErrorStyle::True => truth,
        };
        let mut response = (status, Json(ErrorBody { error })).into_response();
        if let Fault::Unavailable { retry_after, .. } = &self.fault {
            let seconds = retry_after.as_secs().max(1);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
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
    let field = |field: &str, reason: &str| {
        Some(ErrorExtra { field: field.to_owned(), reason: reason.to_owned() })
    };
    match fault {
        Fault::Malformed { reason } => plain(400, 400, field("", reason)),
        Fault::Invalid { field: name, reason } => plain(422, 10_002, field(name, reason)),
        Fault::Unauthorized { reason } => plain(401, 401, field("", reason)),
        Fault::Forbidden { reason } => plain(403, 403, field("", reason)),
        Fault::NotFound { .. } => plain(404, 404, None),
        Fault::Conflict { field: name, reason } => plain(409, 409, field(name, reason)),
        Fault::TooLarge { .. } => plain(413, 413, None),
        Fault::Unavailable { .. } => plain(503, 503, None),
        Fault::Internal { .. } => plain(500, 500, None),
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
        Fault::TooLarge { what, actual, limit } => {
            format!("Too large: {what} is {actual}, the limit is {limit}.")
        }
        Fault::Unavailable { .. } => "Not available now; nothing was stored.".to_owned(),
        Fault::Internal { .. } => "Internal server error.".to_owned(),
    }
}

/// The answer for a path of this API that does not know the method.
pub async fn method_not_allowed() -> Response {
    let error = ApiError {
        status: 405,
        code: 405,
        description: "This path does not know this method.".to_owned(),
        extra: None,
    };
    (StatusCode::METHOD_NOT_ALLOWED, Json(ErrorBody { error })).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn status(fault: Fault, style: ErrorStyle) -> u16 {
        Failure { fault, style }.into_response().status().as_u16()
    }

    #[test]
    fn a_signed_token_gets_202_unless_the_gateway_is_overloaded() {
        let style = ErrorStatus::Auto.style(true);
        assert_eq!(status(Fault::forbidden("no"), style), 202);
        assert_eq!(status(Fault::unavailable("full", None), style), 503);
    }

    #[test]
    fn an_api_token_gets_the_true_status() {
        let style = ErrorStatus::Auto.style(false);
        assert_eq!(status(Fault::invalid("checksum", "no"), style), 422);
        assert_eq!(status(Fault::unauthorized("no"), style), 401);
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
        let response = Failure { fault, style: ErrorStyle::True }.into_response();
        assert_eq!(response.headers()["retry-after"], "7");
    }

    #[test]
    fn our_own_mistakes_keep_their_cause_to_themselves() {
        let fault = Fault::internal("reading", "secret path".to_owned());
        let text = serde_json::to_string(&api_error(&fault)).unwrap();
        assert!(!text.contains("secret"), "{text}");
    }
}
