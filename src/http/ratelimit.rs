//! The headers `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10): what an
//! account may do, and where it stands.
//!
//! ```text
//! RateLimit-Policy: "requests";q=60000;w=60, "bytes";q=6442450944;w=60;qu="content-bytes"
//! RateLimit: "requests";r=59999;t=1, "bytes";r=6442450000;t=1
//! ```
//!
//! `q` may be done in `w` seconds, and at once; `r` is left, and in `t` seconds all of it is there
//! again. `qu` is what is counted, requests unless it says otherwise.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use crate::domain::ids::AccountNumber;
use crate::domain::limits::{Kind, Limiter, Quotas, Standing, WINDOW};

/// What an account may do.
pub const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Where an account stands.
pub const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// What accounts are told of their limits.
pub struct Tidings {
    limiter: Arc<Limiter>,
    /// The same for everybody; without any limit there is nothing to tell.
    policy: Option<HeaderValue>,
}

impl Tidings {
    /// What this limiter has to tell.
    #[must_use]
    pub fn new(limiter: Arc<Limiter>) -> Self {
        let policy = value(policy(limiter.account_quotas()));
        Self { limiter, policy }
    }

    /// Tells the account behind a request where it stands. Answers to strangers are left alone.
    pub fn tell(&self, account: Option<AccountNumber>, response: &mut Response) {
        let (Some(account), Some(policy)) = (account, &self.policy) else { return };
        let headers = response.headers_mut();
        headers.insert(RATELIMIT_POLICY, policy.clone());
        if let Some(standing) = value(standing(&self.limiter.standing(account))) {
            headers.insert(RATELIMIT, standing);
        }
    }
}

/// Words, digits and signs, which are always a header value, unless there are none.
fn value(text: String) -> Option<HeaderValue> {
    HeaderValue::try_from(text).ok().filter(|value| !value.is_empty())
}

fn policy(quotas: &Quotas) -> String {
    list(Kind::ALL.iter().filter_map(|kind| Some((*kind, quotas.of(*kind)?))), |text, (kind, q)| {
        let window = WINDOW.as_secs();
        write!(text, "\"{}\";q={q};w={window}", kind.as_str())?;
        match kind {
            Kind::Requests | Kind::Strangers => Ok(()),
            Kind::Bytes => text.write_str(";qu=\"content-bytes\""),
            Kind::Messages | Kind::Sockets => write!(text, ";qu=\"{}\"", kind.as_str()),
        }
    })
}

fn standing(standing: &[Standing]) -> String {
    list(standing, |text, one| {
        write!(text, "\"{}\";r={};t={}", one.kind.as_str(), one.left, seconds(one.until_full))
    })
}

/// A list of structured fields (RFC 9651, section 3.1).
fn list<T>(
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T) -> std::fmt::Result,
) -> String {
    let mut text = String::new();
    for item in items {
        if !text.is_empty() {
            text.push_str(", ");
        }
        // Writing to a string does not fail.
        let _ = write(&mut text, item);
    }
    text
}

/// Whole seconds, rounded up, so that nobody comes back too early.
#[must_use]
pub fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_lists_what_is_limited() {
        let quotas = Quotas { requests: 10, messages: 20, bytes: 30, ..Quotas::default() };
        let expected = r#""requests";q=10;w=60, "messages";q=20;w=60;qu="messages", "bytes";q=30;w=60;qu="content-bytes""#;
        assert_eq!(policy(&quotas), expected);
        assert_eq!(policy(&Quotas::default()), "");
    }

    #[test]
    fn the_standing_is_rounded_up_to_seconds() {
        let until_full = Duration::from_millis(1001);
        let one = Standing { kind: Kind::Requests, quota: 10, left: 9, until_full };
        assert_eq!(standing(&[one]), r#""requests";r=9;t=2"#);
        assert_eq!(seconds(Duration::ZERO), 0);
    }
}
