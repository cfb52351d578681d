//! Tokens that enrol devices: JWTs (RFC 7519) with HS256, made when a member is, each for one device.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sealpost_sdk::base64url;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;
use crate::domain::ports::Entropy;

/// The longest token that is looked at. One of ours has about 200 bytes.
pub const LONGEST_TOKEN: usize = 1024;

/// The one header, as it stands in a token: `{"alg":"HS256","typ":"JWT"}`.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// The key of tokens.
pub struct EnrolmentKey(Zeroizing<[u8; 32]>);

/// What a good token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// Names the token: the first 16 bytes of its SHA-256.
    pub hash: [u8; 16],
    /// When its time is over.
    pub until: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    jti: String,
}

impl EnrolmentKey {
    /// The key that follows from the gateway's own secret. No other use of the secret gives the
    /// same key.
    #[must_use]
    pub fn derive(secret: &[u8; 32]) -> Self {
        let mac = hmac(secret).chain_update("hushnet enrolment 1");
        Self(Zeroizing::new(mac.finalize().into_bytes().into()))
    }

    /// A token that enrols one device of a member.
    #[must_use]
    pub fn issue(
        &self,
        user: UserId,
        now: Timestamp,
        life: Duration,
        entropy: &dyn Entropy,
    ) -> String {
        let mut jti = [0; 16];
        entropy.fill(&mut jti);
        let exp = now.plus(life).as_seconds();
        let claims = Claims { sub: user.to_string(), exp, jti: base64url::encode(&jti) };
        // Texts and a number, which always serialise.
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let signed = format!("{HEADER}.{}", base64url::encode(&claims));
        let signature = base64url::encode(&self.signature(&signed).finalize().into_bytes());
        format!("{signed}.{signature}")
    }

    /// What a token says, if it is one of ours, for this member, and its time is not over.
    #[must_use]
    pub fn read(&self, token: &str, user: UserId, now: Timestamp) -> Option<Enrolment> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        // Each token has one spelling, so that it is used once however it is written.
        let bytes = base64url::decode(signature).ok()?;
        if header != HEADER || base64url::encode(&bytes) != signature {
            return None;
        }
        self.signature(signed).verify_slice(&bytes).ok()?;
        let claims: Claims = serde_json::from_slice(&base64url::decode(claims).ok()?).ok()?;
        let until = Timestamp::from_micros(claims.exp.saturating_mul(1_000_000));
        if claims.sub != user.to_string() || until <= now {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        Some(Enrolment { hash: *digest.first_chunk()?, until })
    }

    fn signature(&self, signed: &str) -> Hmac<Sha256> {
        hmac(&self.0).chain_update(signed)
    }
}

/// HMAC fills a short key up to the hash's block with zeroes (RFC 2104).
fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    <Hmac<Sha256> as KeyInit>::new((&*block).into())
}

impl fmt::Debug for EnrolmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnrolmentKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;
    impl Entropy for Sevens {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
    const LIFE: Duration = Duration::from_secs(300);

    fn user(last: u8) -> UserId {
        UserId::parse(&format!("00000000-0000-4000-8000-0000000000{last:02x}")).unwrap()
    }

    #[test]
    fn a_token_is_good_for_its_member_until_its_time_is_over() {
        let key = EnrolmentKey::derive(&[1; 32]);
        let token = key.issue(user(1), NOW, LIFE, &Sevens);
        let read = |token: &str, user, seconds| {
            key.read(token, user, NOW.plus(Duration::from_secs(seconds)))
        };
        assert_eq!(read(&token, user(1), 0).unwrap().until, NOW.plus(LIFE));
        assert!(read(&token, user(1), 299).is_some());
        assert_eq!(read(&token, user(1), 300), None);
        assert_eq!(read(&token, user(2), 0), None);
        assert_eq!(EnrolmentKey::derive(&[2; 32]).read(&token, user(1), NOW), None);
    }

    #[test]
    fn what_is_no_token_of_ours_is_none() {
        let key = EnrolmentKey::derive(&[1; 32]);
        let token = key.issue(user(1), NOW, LIFE, &Sevens);
        assert!(token.len() < 250, "{}", token.len());
        let unsigned = token.replace(HEADER, "eyJhbGciOiJub25lIn0");
        let mut changed = token.clone();
        changed.replace_range(50..51, if &token[50..51] == "A" { "B" } else { "A" });
        let long = "x".repeat(9000);
        let bads = ["", "..", "a.b.c", &token[..token.len() - 1], &unsigned, &changed, &long];
        for bad in bads {
            assert_eq!(key.read(bad, user(1), NOW), None, "{bad}");
        }
        assert_eq!(key.read(&format!("{token}="), user(1), NOW), None);
        assert_eq!(format!("{key:?}"), "EnrolmentKey(..)");
    }
}
