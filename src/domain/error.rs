//! The few ways in which a request can fail, without a word of HTTP.

use std::borrow::Cow;
use std::error::Error;
use std::time::Duration;

/// A cause kept for the log; never shown to a caller.
pub type Source = Box<dyn Error + Send + Sync>;

/// Why the gateway did not do what it was asked. Each dialect gives it its own shape, once.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A field of the request cannot be used.
    #[error("{field}: {reason}")]
    Invalid {
        /// The field, in the words of the caller's protocol.
        field: Cow<'static, str>,
        /// What is wrong with it.
        reason: String,
    },
    /// The request as a whole cannot be read.
    #[error("{reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody we know, or no longer.
    #[error("{reason}")]
    Unauthorized {
        /// What was wrong with the credential; never the credential itself.
        reason: String,
    },
    /// Somebody we know, who may not do this.
    #[error("{reason}")]
    Forbidden {
        /// The field that the rule is about, in the words of the caller's protocol; empty when it
        /// is about the request as a whole.
        field: Cow<'static, str>,
        /// Which rule stands in the way.
        reason: String,
    },
    /// There is no such thing, or the caller may not know that there is.
    #[error("{what} not found")]
    NotFound {
        /// The kind of thing that was looked for.
        what: &'static str,
    },
    /// The request contradicts what is on file.
    #[error("{reason}")]
    Conflict {
        /// The field in contradiction, in the words of the caller's protocol.
        field: Cow<'static, str>,
        /// What it contradicts.
        reason: String,
    },
    /// A group has all the participants that it may have.
    #[error("the group has all the {limit} participants that it may have")]
    GroupFull {
        /// How many that are.
        limit: u32,
    },
    /// The list of sessions that the request was made for is no longer the right one.
    #[error("{field}: names another list of sessions")]
    Stale {
        /// The field that names the list, in the words of the caller's protocol.
        field: &'static str,
    },
    /// What the caller goes on from is of no use any more; it must begin again.
    #[error("{what} {reason}")]
    Outdated {
        /// What it is, in the words of the caller's protocol.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// More bytes or items than the gateway takes.
    #[error("{what} is {actual}, the limit is {limit}")]
    TooLarge {
        /// What was counted, with its unit.
        what: &'static str,
        /// The size found, or the first size known to be too large.
        actual: u64,
        /// The largest size allowed.
        limit: u64,
    },
    /// Too much in too short a time; the very same request may be repeated later.
    #[error("{what} is over what is allowed at the moment")]
    RateLimited {
        /// What was counted.
        what: &'static str,
        /// When there is room for it again.
        retry_after: Duration,
    },
    /// The gateway cannot do this now; the very same request may be repeated.
    #[error("not available now: {reason}")]
    Unavailable {
        /// What is missing.
        reason: &'static str,
        /// When to try again.
        retry_after: Duration,
        /// The cause, for the log.
        #[source]
        source: Option<Source>,
    },
    /// The operator has closed the gateway to this for a while; nobody's mistake.
    #[error("not now: {reason}")]
    Closed {
        /// In which way it is closed.
        reason: &'static str,
        /// When to try again.
        retry_after: Duration,
    },
    /// The recipient cannot be reached at this moment; nobody's mistake.
    #[error("the recipient cannot be reached now")]
    Deferred {
        /// When to try again.
        retry_after: Duration,
    },
    /// A mistake of ours.
    #[error("internal error while {doing}")]
    Internal {
        /// What was being done.
        doing: &'static str,
        /// The cause, for the log.
        #[source]
        source: Source,
    },
}

impl Fault {
    /// A field that cannot be used.
    pub fn invalid(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }

    /// A request that cannot be read.
    pub fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed { reason: reason.into() }
    }

    /// A credential that is not accepted.
    pub fn unauthorized(reason: impl Into<String>) -> Self {
        Self::Unauthorized { reason: reason.into() }
    }

    /// A rule that stands in the way of the whole request.
    pub fn forbidden(reason: impl Into<String>) -> Self {
        Self::forbidden_field("", reason)
    }

    /// A rule that stands in the way because of one field.
    pub fn forbidden_field(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self::Forbidden { field: field.into(), reason: reason.into() }
    }

    /// A contradiction to what is on file.
    pub fn conflict(field: impl Into<Cow<'static, str>>, reason: impl Into<String>) -> Self {
        Self::Conflict { field: field.into(), reason: reason.into() }
    }

    /// A mistake of ours, met while `doing` something.
    pub fn internal(doing: &'static str, source: impl Into<Source>) -> Self {
        Self::Internal { doing, source: source.into() }
    }

    /// The store or a queue cannot serve now; worth another try after a second.
    pub fn unavailable(reason: &'static str, source: Option<Source>) -> Self {
        Self::Unavailable { reason, retry_after: Duration::from_secs(1), source }
    }

    /// Whether the fault is ours, so that it belongs in the log.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Internal { .. })
    }
}

/// An error and its causes in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_names_every_cause_once() {
        let disk = std::io::Error::other("disk full");
        let fault = Fault::unavailable("the store", Some(disk.into()));
        assert_eq!(chain(&fault), "not available now: the store: disk full");
    }
}
