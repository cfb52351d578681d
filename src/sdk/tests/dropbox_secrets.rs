//! What `Debug` shows of everything in a drop box that holds a secret.

use sealpost_sdk::dropbox::{
    BoxKeys, FileOpener, FileSealer, Kdf, LetterId, LetterLink, LetterSecret, PassphraseKeys,
    ShareLink, seal_text,
};

use crate::generated::rng;

#[test]
fn dropbox_keys_show_their_names() {
    let rng = &mut rng(1);
    let keys = BoxKeys::create("a long passphrase", Kdf::random_pbkdf2(rng), rng).unwrap();
    let secrets = PassphraseKeys::derive("a long passphrase", keys.kdf()).unwrap();
    assert_eq!(format!("{keys:?}"), "BoxKeys(..)");
    assert_eq!(format!("{secrets:?}"), "PassphraseKeys(..)");
    assert_eq!(format!("{:?}", keys.auth_key()), "AuthKey(..)");
    assert_eq!(format!("{:?}", keys.token()), "BoxToken(..)");
    assert_eq!(format!("{:?}", keys.shared()), "SharedBox { token: BoxToken(..), .. }");

    let sealed = seal_text(keys.shared(), "hello", rng).unwrap();
    assert_eq!(format!("{sealed:?}"), "SealedText { length: 33, .. }");
    let sealer = FileSealer::new(keys.shared(), "cat.png", rng).unwrap();
    assert_eq!(format!("{sealer:?}"), "FileSealer { chunks: 0, .. }");
    let opener = FileOpener::new(&keys, sealer.encryption_key(), sealer.name()).unwrap();
    assert_eq!(format!("{opener:?}"), "FileOpener { chunks: 0, .. }");
    let link = ShareLink::new("https://box.example", keys.token()).unwrap();
    assert_eq!(format!("{link:?}"), r#"ShareLink { base: "https://box.example", .. }"#);
}

#[test]
fn dropbox_letters_show_neither_secret_nor_link() {
    let secret = LetterSecret::from_bytes([7; 32]);
    assert_eq!(format!("{secret:?}"), "LetterSecret(..)");
    assert_eq!(format!("{:?}", secret.auth_key()), "AuthKey(..)");
    let link = LetterLink::new("https://box.example", LetterId::from_bytes([1; 16]), secret);
    let shown = format!("{:?}", link.unwrap());
    assert_eq!(shown, r#"LetterLink { base: "https://box.example", .. }"#);
}
