//! What `Debug` shows of everything that holds a secret, directly or within.

use sealpost_sdk::attachment::{AttachmentKey, encrypt};
use sealpost_sdk::envelope::{Recipient, WrapCache, parse, seal};
use sealpost_sdk::ids::{SessionId, UserId};
use sealpost_sdk::keys::{AgreementKey, SigningKey};
use sealpost_sdk::keystore::Keystore;
use sealpost_sdk::token::{RequestClaims, Unverified, sign};

use crate::generated::rng;

const ID: &str = "01010101-0101-0101-0101-010101010101";

fn keystore() -> Keystore {
    Keystore {
        user_id: UserId::from_bytes([1; 16]),
        session_id: SessionId::from_bytes([1; 16]),
        server_public_key: None,
        session_private_key: SigningKey::from_seed(&[0xab; 32]),
        base_url: None,
    }
}

#[test]
fn keys_show_their_names() {
    let signing = SigningKey::from_seed(&[0xab; 32]);
    let agreement = signing.agreement_secret();
    let shared = agreement.shared_secret(&AgreementKey::from_bytes([9; 32])).unwrap();
    let attachment = AttachmentKey::from_bytes(&[0xab; 64]);
    assert_eq!(format!("{signing:?}"), "SigningKey(..)");
    assert_eq!(format!("{agreement:#?}"), "AgreementSecret(..)");
    assert_eq!(format!("{shared:?}"), "SharedSecret(..)");
    assert_eq!(format!("{attachment:?}"), "AttachmentKey(..)");
    assert_eq!(format!("{:?}", encrypt(b"x", &mut rng(1))), "Sealed { length: 64, .. }");
}

#[test]
fn a_keystore_shows_everything_but_its_key() {
    let expected = format!(
        "Keystore {{ user_id: {ID}, session_id: {ID}, server_public_key: None, \
         session_private_key: SigningKey(..), base_url: None }}"
    );
    assert_eq!(format!("{:?}", keystore()), expected);
}

#[test]
fn a_cache_and_an_envelope_show_their_sizes() {
    let sender = keystore().session_private_key.agreement_secret();
    let key = SigningKey::from_seed(&[1; 32]).verifying_key().agreement_key();
    let recipients = [Recipient { session: SessionId::from_bytes([1; 16]), key }];
    let cache = WrapCache::new();
    let bytes = seal(b"secret", &sender, &recipients, Some(&cache), &mut rng(1)).unwrap();
    assert_eq!(format!("{cache:?}"), "WrapCache { len: 1, .. }");
    let envelope = parse(&bytes).unwrap();
    let public = sender.public().to_base64();
    let expected = format!(
        "Envelope {{ sender_key: AgreementKey({public}), slots: 1, ciphertext_length: 22 }}"
    );
    assert_eq!(format!("{envelope:?}"), expected);
    let slot = envelope.slots().next().unwrap();
    assert_eq!(format!("{slot:?}"), format!("Slot {{ session: {ID}, .. }}"));
}

#[test]
fn a_token_shows_whose_it_is_and_nothing_to_repeat_it_with() {
    let claims = RequestClaims {
        uid: UserId::from_bytes([1; 16]),
        sid: SessionId::from_bytes([1; 16]),
        iat: 1,
        exp: 2,
        jti: "token-id".to_owned(),
        sig: "digest".to_owned(),
        scp: String::new(),
    };
    let token = sign(&claims, &keystore().session_private_key).unwrap();
    let expected = format!(
        "Unverified {{ claims: RequestClaims {{ uid: {ID}, sid: {ID}, iat: 1, exp: 2, .. }}, .. }}"
    );
    assert_eq!(format!("{:?}", Unverified::parse(&token).unwrap()), expected);
}
