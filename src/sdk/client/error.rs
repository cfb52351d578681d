//! What can go wrong between a call and its answer.

use std::time::Duration;

use crate::token::TokenError;
use crate::types::ApiError;

use super::socket::SocketError;

/// Why a request failed, after every repetition that was allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The gateway answered with an error.
    #[error("the gateway answered {} (code {}): {}", .error.status, .error.code, .error.description)]
    Api {
        /// The gateway's own words. `status` is the true one, also when the HTTP status was 202.
        error: ApiError,
        /// How long the gateway asked to wait.
        retry_after: Option<Duration>,
        /// How often the request was tried.
        attempts: u32,
    },
    /// The gateway does not take this session for one of its own (any more). Nothing but another
    /// keystore helps.
    #[error(
        "the gateway refuses this session, which was revoked or is another gateway's: {}",
        .error.description
    )]
    SessionEnded {
        /// The gateway's own words.
        error: ApiError,
    },
    /// The socket to the gateway could not be opened, or broke.
    #[error("failed to talk to the gateway over its socket")]
    Socket(#[from] SocketError),
    /// The gateway could not be reached, or the connection broke, or time ran out.
    #[error("no answer from the gateway after {attempts} tries")]
    Transport {
        /// How often the request was tried.
        attempts: u32,
        /// The failure of the last try.
        #[source]
        source: reqwest::Error,
    },
    /// The answer is not what this protocol says.
    #[error("failed to read the gateway's answer")]
    Answer(#[source] serde_json::Error),
    /// The answer is larger than the client takes.
    #[error("the gateway's answer is larger than {limit} bytes")]
    AnswerTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer belongs to another request, so something between here and the gateway mixes them
    /// up.
    #[error("the answer carries request id {found:?} instead of {expected:?}")]
    RequestIdMismatch {
        /// The id that was sent.
        expected: String,
        /// The id that came back.
        found: String,
    },
    /// The request token could not be made.
    #[error("failed to sign the request")]
    Token(#[from] TokenError),
    /// The request could not be written as JSON.
    #[error("failed to write the request")]
    Body(#[source] serde_json::Error),
}

impl RequestError {
    /// The true status of the gateway's answer, when there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api { error, .. } | Self::SessionEnded { error } => Some(error.status),
            _ => None,
        }
    }

    /// How long the gateway asked to wait before the next try.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Whether the same request may succeed later: the gateway was busy, ill or out of reach.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Api { error, .. } => is_temporary_status(error.status),
            Self::Transport { source, .. } => !source.is_builder(),
            Self::Socket(error) => error.is_temporary(),
            // Among these are a stranger's page in place of an answer and a mix-up of answers:
            // somebody has to look at what stands in between.
            Self::Answer(_)
            | Self::AnswerTooLarge { .. }
            | Self::RequestIdMismatch { .. }
            | Self::SessionEnded { .. }
            | Self::Token(_)
            | Self::Body(_) => false,
        }
    }
}

/// 408 and 429, and everything that is the gateway's own fault except what it will never learn.
fn is_temporary_status(status: u16) -> bool {
    matches!(status, 408 | 429) || (status >= 500 && status != 501)
}
