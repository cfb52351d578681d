//! What the fuzz targets exercise, here so that the tests can replay their corpora.
//!
//! Not a part of the interface: names and behaviour change without notice. Each function panics
//! when a promise of this crate is broken.

use crate::envelope::{WrapCache, open, open_cached, parse, slice};
use crate::ids::SessionId;
use crate::keys::{AgreementSecret, SigningKey};
use crate::token::{TokenLimits, Unverified, check_claims, sign};

/// What every envelope of the corpus that opens at all opens to.
pub const PLAINTEXT: &[u8] = b"meet me at noon";

/// The device that the corpus seals to.
pub const SESSION: SessionId = SessionId::from_bytes([0xd1; 16]);

/// The key that signs the tokens of the corpus.
#[must_use]
pub fn signing_key() -> SigningKey {
    SigningKey::from_seed(&[0x51; 32])
}

/// The key of [`SESSION`].
#[must_use]
pub fn device_secret() -> AgreementSecret {
    SigningKey::from_seed(&[0xd1; 32]).agreement_secret()
}

/// Whatever parses is made of its parts, and opens to what was sealed or not at all.
pub fn envelope_parse_open(bytes: &[u8]) {
    let Ok(envelope) = parse(bytes) else { return };
    let mut again = vec![1];
    again.extend(u16::try_from(envelope.len()).unwrap_or_default().to_le_bytes());
    again.extend(envelope.sender_key().as_bytes());
    again.extend(envelope.slots().flat_map(|slot| slot.bytes));
    again.extend(envelope.nonce());
    again.extend(envelope.ciphertext());
    assert_eq!(again, bytes, "an envelope is the sum of its parts");

    let shared = envelope.shared_bytes();
    for slot in envelope.slots() {
        let cut = envelope.slice_for(slot.session);
        assert_eq!(slice(&shared, slot.bytes).ok(), cut, "both ways to a slice meet");
        let cut = cut.unwrap_or_default();
        let one = parse(&cut).map(|one| (one.len(), one.shared_bytes()));
        assert_eq!(one.as_ref(), Ok(&(1, shared.clone())), "a slice is an envelope");
    }

    let (secret, cache) = (device_secret(), WrapCache::with_capacity(4));
    let opened = open(bytes, SESSION, &secret, None);
    if let Ok(plaintext) = &opened {
        assert_eq!(plaintext, PLAINTEXT, "a changed envelope opens to nothing else");
    }
    for _ in 0..2 {
        let cached = open_cached(bytes, SESSION, &secret, None, &cache);
        assert_eq!(cached, opened, "the cache changes nothing");
    }
}

/// Whatever parses can be checked, and what verifies says what it said before.
pub fn token_parse(bytes: &[u8]) {
    let Ok(token) = std::str::from_utf8(bytes) else {
        return;
    };
    let Ok(unverified) = Unverified::parse(token) else {
        return;
    };
    let claims = unverified.claims();
    let limits = TokenLimits::default();
    for now in [i64::MIN, 0, 1_750_000_000, i64::MAX] {
        let _any_verdict_will_do = check_claims(claims, now, &claims.sig, &limits);
    }
    let key = signing_key();
    let again = sign(claims, &key)
        .and_then(|token| Unverified::parse(&token)?.verify(&key.verifying_key()));
    assert_eq!(again.as_ref(), Ok(claims), "claims survive being signed");
    if let Ok(verified) = unverified.verify(&key.verifying_key()) {
        assert_eq!(&verified, claims, "verifying changes no claim");
        assert!(token.is_ascii(), "a token that verifies is base64url with dots");
    }
}
