//! What goes wrong, in this protocol's two shapes: the server's own, which is a plain text or
//! `{"error":…}` as each route has it, and the documentation's `{"error","code","status"}`.

use std::borrow::Cow;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::domain::error::Fault;
use crate::http::layers::Guard;

/// Which of the two contracts a request follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Contract {
    /// What the original's server and its app do.
    #[default]
    Server,
    /// What the original's documentation says.
    Document,
}

/// A failure as its route words it.
#[derive(Debug)]
pub struct Refusal {
    /// What the log gets, and what else follows: status, code, `Retry-After`.
    pub fault: Fault,
    /// The status of the server's contract, where it is not the fault's own.
    pub status: Option<StatusCode>,
    /// The text of the server's contract; the fault's own otherwise.
    pub text: Option<Cow<'static, str>>,
    /// Whether the server's contract says it as plain text, and not as `{"error":…}`.
    pub is_plain: bool,
    /// Which contract the request follows.
    pub contract: Contract,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { fault, status: None, text: None, is_plain: false, contract: Contract::Server }
    }
}

impl Refusal {
    /// A fault in words of the original.
    #[must_use]
    pub fn worded(fault: Fault, status: StatusCode, text: &'static str) -> Self {
        Self { status: Some(status), text: Some(text.into()), ..Self::from(fault) }
    }

    /// The same as plain text.
    #[must_use]
    pub fn plain(fault: Fault, status: StatusCode, text: &'static str) -> Self {
        Self { is_plain: true, ..Self::worded(fault, status, text) }
    }

    /// The same in the shape of a contract.
    #[must_use]
    pub fn under(self, contract: Contract) -> Self {
        Self { contract, ..self }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

/// Puts this dialect's layer around its routes.
pub(super) fn surround(router: Router, _guard: Guard) -> Router {
    router
}
