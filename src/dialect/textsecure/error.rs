//! A fault in this protocol's words: a bare status. Answers that carry something, such as which
//! devices are missing, are made where they arise.

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::domain::error::Fault;
use crate::http::fault_log;
use crate::http::problem::{self, Problem};
use crate::http::ratelimit;
use crate::http::request_id::RequestId;

/// What clients are asked for, as the first servers of this protocol did.
const CHALLENGE: &str = "Basic realm=\"WhisperServer\"";

/// The shape that the failures of one request get.
#[derive(Clone, Debug)]
pub struct Shape {
    id: RequestId,
}

impl Shape {
    /// The shape for this request.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        Self { id: RequestId::of(request) }
    }

    /// Gives a failure this dialect's shape, and logs it when it is ours. Other answers stay as
    /// they are.
    #[must_use]
    pub fn give(&self, mut response: Response) -> Response {
        let Some(fault) = problem::take(&mut response) else { return response };
        fault_log::log(&fault, &self.id);
        answer(&fault)
    }
}

/// The status for a fault.
fn status(fault: &Fault) -> StatusCode {
    match fault {
        Fault::Invalid { .. } | Fault::Malformed { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Fault::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
        Fault::Forbidden { .. } => StatusCode::FORBIDDEN,
        Fault::NotFound { .. } => StatusCode::NOT_FOUND,
        Fault::Conflict { .. } | Fault::GroupFull { .. } | Fault::Stale { .. } => {
            StatusCode::CONFLICT
        }
        Fault::Outdated { .. } => StatusCode::GONE,
        Fault::TooLarge { .. } | Fault::RateLimited { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Fault::Unavailable { .. } | Fault::Closed { .. } | Fault::Deferred { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Fault::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// A failure as the caller gets it. Every 413 and 503 says when to come again.
#[must_use]
pub fn answer(fault: &Fault) -> Response {
    let status = status(fault);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = [(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE))];
        return (status, challenge, "Credentials are required to access this resource.")
            .into_response();
    }
    let mut response = status.into_response();
    let retry_after = match fault {
        Fault::RateLimited { retry_after, .. }
        | Fault::Unavailable { retry_after, .. }
        | Fault::Closed { retry_after, .. }
        | Fault::Deferred { retry_after } => Some(ratelimit::seconds(*retry_after).max(1)),
        // What is too large now is too large later; clients take it for a limit of their speed.
        Fault::TooLarge { .. } => Some(TOO_LARGE_RETRY),
        _ => None,
    };
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// When clients may try something else, seconds, that will never take what they sent.
const TOO_LARGE_RETRY: u64 = 60;

/// The answer for a path that nobody knows.
pub async fn unknown_path() -> Problem {
    Fault::NotFound { what: "path" }.into()
}

/// The answer for a known path with another method.
pub async fn method_not_allowed() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}
