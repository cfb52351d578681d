//! Tokens with which numbers register without a code: the operator's word that somebody has a
//! number, given by whoever has the key.
//!
//! `NUMBER:SECONDS:HEX`, where `HEX` is the first ten bytes of the HMAC-SHA256 of `NUMBER:SECONDS`,
//! 20 digits. It is good for a day before and after its time.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::number::PhoneNumber;
use crate::domain::clock::Timestamp;

const DAY_SECONDS: u64 = 24 * 60 * 60;
const SIGNATURE_BYTES: usize = 10;

/// The key of tokens.
#[derive(Clone)]
pub struct TokenKey(Zeroizing<Vec<u8>>);

impl TokenKey {
    /// The key that is these bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Whether a token is good for this number at this moment.
    #[must_use]
    pub fn proves(&self, token: &str, number: &PhoneNumber, now: Timestamp) -> bool {
        let Some((signed, signature)) = token.rsplit_once(':') else { return false };
        let Some((named, seconds)) = signed.rsplit_once(':') else { return false };
        let expected = self.signature(signed);
        let is_signed = bool::from(expected.as_bytes().ct_eq(signature.as_bytes()));
        let age = seconds.parse().ok().map(|time: i64| time.abs_diff(now.as_seconds()));
        is_signed && named == number.as_str() && age.is_some_and(|age| age < DAY_SECONDS)
    }

    /// The signature of `NUMBER:SECONDS`, in hex.
    fn signature(&self, signed: &str) -> Zeroizing<String> {
        // HMAC takes keys of any length.
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0);
        let mac = mac.expect("HMAC takes keys of any length").chain_update(signed);
        let bytes = mac.finalize().into_bytes();
        let hex = bytes.iter().take(SIGNATURE_BYTES).map(|byte| format!("{byte:02x}"));
        Zeroizing::new(hex.collect())
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key and token of the tests of the protocol's first server.
    const KEY: [u8; 32] = [
        0x3a, 0x07, 0x85, 0x86, 0xee, 0xa8, 0x97, 0x11, 0x55, 0xf5, 0xc1, 0xeb, 0xd7, 0x3c, 0x8c,
        0x92, 0x3c, 0xbe, 0xc1, 0xc3, 0xed, 0x22, 0xa5, 0x47, 0x22, 0xe4, 0xe8, 0x83, 0x21, 0xdc,
        0x74, 0x9f,
    ];
    const TOKEN: &str = "+14152222222:1415906573:af4f046107c21721224a";
    const TIME: i64 = 1_415_906_573;

    fn proves(token: &str, number: &str, seconds: i64) -> bool {
        let number = PhoneNumber::parse(number).unwrap();
        let now = Timestamp::from_micros(seconds * 1_000_000);
        TokenKey::new(KEY.to_vec()).proves(token, &number, now)
    }

    #[test]
    fn a_token_is_good_for_its_number_within_a_day_of_its_time() {
        for (seconds, good) in [(0, true), (86_399, true), (-86_399, true), (86_400, false)] {
            assert_eq!(proves(TOKEN, "+14152222222", TIME + seconds), good, "{seconds}");
        }
        assert!(!proves(TOKEN, "+14152222223", TIME));
    }

    #[test]
    fn what_was_changed_proves_nothing() {
        for bad in [
            "",
            ":",
            "::",
            "+14152222222:1415906573",
            "+14152222222:1415906573:",
            "+14152222222:1415906574:af4f046107c21721224a",
            "+14152222222:1415906573:af4f046107c21721224b",
            "+14152222222:1415906573:af4f046107c21721224",
            "+14152222222:1415906573:af4f046107c21721224a00",
        ] {
            assert!(!proves(bad, "+14152222222", TIME), "{bad}");
        }
    }

    #[test]
    fn the_key_is_never_shown() {
        assert_eq!(format!("{:?}", TokenKey::new(KEY.to_vec())), "TokenKey(..)");
    }
}
