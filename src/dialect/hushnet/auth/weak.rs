//! The signature of the time alone. The order of its checks and their texts are the original's.

use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{IDENTITY_KEY, SIGNATURE, TIMESTAMP, refused};
use crate::dialect::hushnet::HushNetState;
use crate::dialect::hushnet::error::Refusal;
use crate::domain::clock::Timestamp;
use crate::sdk::keys::VerifyingKey;

/// How far a signature's time may be from ours, each way.
pub(super) const WINDOW: Duration = Duration::from_secs(30);

/// Credentials as somebody wrote them.
#[derive(Clone, Copy, Debug)]
pub struct Weak<'a> {
    /// The identity key, base64.
    pub key: &'a str,
    /// The time, decimal seconds; what is signed.
    pub timestamp: &'a str,
    /// The signature, base64.
    pub signature: &'a str,
}

impl<'a> Weak<'a> {
    /// The credentials in the three headers.
    ///
    /// # Errors
    /// With the first header that is missing or no text.
    pub fn of(headers: &'a HeaderMap) -> Result<Self, Refusal> {
        let find = |name: &str, text: &'static str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.ok_or_else(|| refused(StatusCode::UNAUTHORIZED, text))
        };
        Ok(Self {
            key: find(IDENTITY_KEY, "Missing X-Identity-Key")?,
            signature: find(SIGNATURE, "Missing X-Signature")?,
            timestamp: find(TIMESTAMP, "Missing X-Timestamp")?,
        })
    }

    /// The key that has signed the time, if that is now.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn verify(&self, state: &HushNetState) -> Result<VerifyingKey, Refusal> {
        is_now(self.timestamp, state.messenger.gateway.clock.now())?;
        if let Some(key) = state.verified.verdict(self) {
            return Ok(key);
        }
        let signature = signature(self.signature)?;
        let key = key(self.key)?;
        let matches = key.verify(self.timestamp.as_bytes(), &signature);
        matches.map_err(|_| mismatch())?;
        state.verified.remember(self, key);
        Ok(key)
    }
}

/// Refuses a time too far from ours. What is no number counts as 0, which was long ago.
pub(super) fn is_now(timestamp: &str, now: Timestamp) -> Result<(), Refusal> {
    let seconds: i64 = timestamp.parse().unwrap_or(0);
    if seconds.abs_diff(now.as_seconds()) > WINDOW.as_secs() {
        return Err(refused(StatusCode::UNAUTHORIZED, "Expired timestamp"));
    }
    Ok(())
}

/// Reads a signature.
pub(in crate::dialect::hushnet) fn signature(text: &str) -> Result<[u8; 64], Refusal> {
    let bad = |text| refused(StatusCode::BAD_REQUEST, text);
    let bytes = STANDARD.decode(text).map_err(|_| bad("Bad signature b64"))?;
    bytes.try_into().map_err(|_| bad("Signature must be 64 bytes"))
}

/// Reads a key.
pub(in crate::dialect::hushnet) fn key(text: &str) -> Result<VerifyingKey, Refusal> {
    let bad = |text| refused(StatusCode::BAD_REQUEST, text);
    let bytes = STANDARD.decode(text).map_err(|_| bad("Bad pubkey b64"))?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| bad("Bad pubkey length"))?;
    // Whether it is safe to rely on was found out when it was enrolled, or it is nobody's.
    VerifyingKey::from_stored_bytes(&bytes).map_err(|_| bad("Bad pubkey"))
}

pub(super) fn mismatch() -> Refusal {
    refused(StatusCode::UNAUTHORIZED, MISMATCH)
}

const MISMATCH: &str = "Signature mismatch";

/// Whether a refusal is one of somebody who tries signatures, and not of a client that has none yet
/// or a clock that is wrong.
pub(super) fn is_worth_counting(refusal: &Refusal) -> bool {
    let text = refusal.text.as_deref().unwrap_or_default();
    !text.starts_with("Missing ") && text != "Expired timestamp"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> String {
        let refusal = outcome.unwrap_err();
        let status = refusal.status.unwrap_or_default().as_u16();
        format!("{status} {}", refusal.text.unwrap_or_default())
    }

    #[test]
    fn headers_are_missed_in_this_order() {
        let mut headers = HeaderMap::new();
        assert_eq!(text(Weak::of(&headers)), "401 Missing X-Identity-Key");
        headers.insert(IDENTITY_KEY, "x".parse().unwrap());
        assert_eq!(text(Weak::of(&headers)), "401 Missing X-Signature");
        headers.insert(SIGNATURE, "x".parse().unwrap());
        assert_eq!(text(Weak::of(&headers)), "401 Missing X-Timestamp");
        headers.insert(TIMESTAMP, axum::http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(text(Weak::of(&headers)), "401 Missing X-Timestamp");
    }

    #[test]
    fn hn27_the_window_is_thirty_seconds_each_way() {
        let now = Timestamp::from_micros(1_700_000_000_999_999);
        for (time, good) in [
            ("1700000000", true),
            ("1699999970", true),
            ("1699999969", false),
            ("1700000030", true),
            ("1700000031", false),
            ("+1700000000", true),
            ("0001700000000", true),
            ("1700000000000", false),
            ("now", false),
            ("", false),
            ("-9223372036854775808", false),
        ] {
            assert_eq!(is_now(time, now).is_ok(), good, "{time}");
        }
    }

    #[test]
    fn hn29_what_cannot_be_read_is_named() {
        let of = |length: usize| STANDARD.encode(vec![7; length]);
        assert_eq!(text(signature("!")), "400 Bad signature b64");
        assert_eq!(text(signature("AA")), "400 Bad signature b64");
        assert_eq!(text(signature(&of(63))), "400 Signature must be 64 bytes");
        assert_eq!(text(key("_-8=")), "400 Bad pubkey b64");
        assert_eq!(text(key(&of(31))), "400 Bad pubkey length");
        let no_point = STANDARD.encode([&[2][..], &[0; 31]].concat());
        assert_eq!(text(key(&no_point)), "400 Bad pubkey");
    }
}
