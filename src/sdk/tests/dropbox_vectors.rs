//! `keyservice_v2.json`: bytes of another implementation, which open here and are made here when
//! the same random choices are; and changed ones, each refused for its own reason.

mod files;
mod letters;

use std::convert::Infallible;
use std::fs;
use std::sync::LazyLock;

use rand_core::{TryCryptoRng, TryRng};
use sealpost_sdk::base64url;
use sealpost_sdk::dropbox::{
    BoxKeys, BoxToken, Kdf, KdfError, KeysError, OpenError, PassphraseKeys, RecordError, SealError,
    SharedBox, open_text, seal_text,
};
use serde_json::Value;

use crate::generated::{list, path, text};

static VECTORS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_slice(&fs::read(path("tests/vectors/keyservice_v2.json")).unwrap()).unwrap()
});

/// The boxes of the file, opened.
static BOXES: LazyLock<Vec<BoxKeys>> = LazyLock::new(|| {
    let open = |case: &Value| {
        let shared = shared(case).unwrap();
        let secrets = PassphraseKeys::derive(text(case, "passphrase"), shared.kdf()).unwrap();
        BoxKeys::open(secrets, &shared, &bytes(case, "private_key")).unwrap()
    };
    list(&VECTORS, "boxes").iter().map(open).collect()
});

/// Random choices that were made before; to run out of them fails.
struct Chosen(std::collections::VecDeque<u8>);

impl Chosen {
    fn of(case: &Value, members: &[&str]) -> Self {
        Self(members.iter().flat_map(|member| bytes(case, member)).collect())
    }
}

impl TryRng for Chosen {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unreachable!("bytes are all that is drawn")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unreachable!("bytes are all that is drawn")
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        target.iter_mut().for_each(|byte| *byte = self.0.pop_front().unwrap());
        Ok(())
    }
}

impl TryCryptoRng for Chosen {}

fn bytes(case: &Value, member: &str) -> Vec<u8> {
    base64url::decode(text(case, member)).unwrap()
}

fn box_of(case: &Value) -> &'static BoxKeys {
    &BOXES[usize::try_from(case["box"].as_u64().unwrap()).unwrap()]
}

fn shared(case: &Value) -> Result<SharedBox, RecordError> {
    let token = BoxToken::parse(text(case, "token")).unwrap();
    SharedBox::verify(token, &bytes(case, "public_key"), text(case, "kdf"))
}

fn reason_of_open(error: OpenError) -> &'static str {
    match error {
        OpenError::KeyLength { .. } => "key length",
        OpenError::WeakKey => "weak key",
        OpenError::Key => "key",
        OpenError::Message => "message",
        OpenError::Name => "name",
        OpenError::NotText => "not text",
    }
}

#[test]
fn dropbox_passphrases_prove_what_others_prove() {
    for case in list(&VECTORS, "passphrases") {
        let kdf = Kdf::parse(text(case, "kdf")).unwrap();
        assert_eq!(kdf.to_string(), text(case, "kdf"));
        let keys = PassphraseKeys::derive(text(case, "passphrase"), &kdf).unwrap();
        assert_eq!(*keys.auth_key().to_base64(), text(case, "auth_key"));
        assert_eq!(keys.auth_key().digest(), bytes(case, "auth_digest").as_slice());
    }
}

#[test]
fn dropbox_kdfs_of_another_spelling_or_strength_are_refused() {
    for case in list(&VECTORS, "kdfs_refused") {
        let reason = match Kdf::parse(text(case, "kdf")).unwrap_err() {
            KdfError::TooLong { .. } => "length",
            KdfError::Unknown => "function",
            KdfError::Form => "form",
            KdfError::OutOfBounds { .. } => "bounds",
            KdfError::Salt => "salt",
        };
        assert_eq!(reason, text(case, "reason"), "{case}");
    }
}

#[test]
fn dropbox_boxes_open_and_are_made_as_others_make_them() {
    for (case, keys) in list(&VECTORS, "boxes").iter().zip(&*BOXES) {
        assert_eq!(keys.auth_digest(), bytes(case, "auth_digest").as_slice());
        let again = keys.seal_private_key(&mut Chosen::of(case, &["nonce"])).unwrap();
        assert_eq!(again, bytes(case, "private_key"));
        let kdf = Kdf::parse(text(case, "kdf")).unwrap();
        let secret = &mut Chosen::of(case, &["secret"]);
        let made = BoxKeys::create(text(case, "passphrase"), kdf, secret).unwrap();
        assert_eq!(made.token().to_string(), text(case, "token"));
        assert_eq!(made.public_key(), bytes(case, "public_key").as_slice());
        assert_eq!(made.shared(), keys.shared());
    }
}

#[test]
fn dropbox_records_that_are_not_those_of_their_token_are_refused() {
    for case in list(&VECTORS, "records_refused") {
        let reason = match shared(case).unwrap_err() {
            RecordError::PublicKey => "public key",
            RecordError::Kdf(_) => "kdf",
            RecordError::Token => "token",
        };
        assert_eq!(reason, text(case, "reason"), "{case}");
    }
}

#[test]
fn dropbox_private_keys_of_others_are_refused() {
    for case in list(&VECTORS, "private_keys_refused") {
        let shared = box_of(case).shared();
        let secrets = PassphraseKeys::derive(text(case, "passphrase"), shared.kdf()).unwrap();
        let reason = match BoxKeys::open(secrets, shared, &bytes(case, "private_key")).unwrap_err()
        {
            KeysError::Derive(_) => "derive",
            KeysError::Length { .. } => "length",
            KeysError::Sealed => "sealed",
            KeysError::Malformed => "malformed",
            KeysError::Mismatch => "mismatch",
        };
        assert_eq!(reason, text(case, "reason"), "{case}");
    }
}

#[test]
fn dropbox_texts_open_and_are_sealed_as_others_seal_them() {
    for case in list(&VECTORS, "texts") {
        let keys = box_of(case);
        let (key, message) = (bytes(case, "encryption_key"), bytes(case, "message"));
        assert_eq!(open_text(keys, &key, &message).unwrap(), text(case, "text"));
        let chosen = ["ephemeral", "message_key", "key_nonce", "message_nonce"];
        let chosen = &mut Chosen::of(case, &chosen);
        let sealed = seal_text(keys.shared(), text(case, "text"), chosen).unwrap();
        assert_eq!((sealed.encryption_key.as_slice(), sealed.message), (key.as_slice(), message));
    }
}

#[test]
fn dropbox_texts_of_others_and_changed_ones_are_refused() {
    for case in list(&VECTORS, "texts_refused") {
        let (key, message) = (bytes(case, "encryption_key"), bytes(case, "message"));
        let error = open_text(box_of(case), &key, &message).unwrap_err();
        assert_eq!(reason_of_open(error), text(case, "reason"), "{case}");
    }
}

#[test]
fn dropbox_keys_of_small_order_are_not_sealed_to() {
    for case in list(&VECTORS, "boxes_that_cannot_be_sealed_to") {
        let shared = shared(case).unwrap();
        let rng = &mut crate::generated::rng(1);
        assert_eq!(seal_text(&shared, "hello", rng), Err(SealError::WeakKey));
    }
}
