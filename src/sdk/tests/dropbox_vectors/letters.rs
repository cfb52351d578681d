//! Letters, and the links of letters and boxes.

use sealpost_sdk::dropbox::{
    BoxToken, LetterError, LetterId, LetterLink, LetterSecret, LinkError, ShareLink,
};
use serde_json::Value;

use super::{Chosen, VECTORS, bytes};
use crate::generated::{list, text};

fn secret(case: &Value) -> LetterSecret {
    LetterSecret::from_bytes(bytes(case, "secret").try_into().unwrap())
}

fn reason(error: LinkError) -> &'static str {
    match error {
        LinkError::Base => "base",
        LinkError::Path => "path",
        LinkError::Fragment => "fragment",
        LinkError::Version => "version",
    }
}

#[test]
fn dropbox_letters_open_and_are_sealed_as_others_seal_them() {
    for case in list(&VECTORS, "letters") {
        let secret = secret(case);
        assert_eq!(secret.open(&bytes(case, "letter")).unwrap(), text(case, "text"));
        let sealed = secret.seal(text(case, "text"), &mut Chosen::of(case, &["nonce"])).unwrap();
        assert_eq!(sealed, bytes(case, "letter"));
        assert_eq!(*secret.auth_key().to_base64(), text(case, "auth_key"));
        assert_eq!(secret.auth_key().digest(), bytes(case, "auth_digest").as_slice());
    }
}

#[test]
fn dropbox_letters_of_others_and_changed_ones_are_refused() {
    for case in list(&VECTORS, "letters_refused") {
        let reason = match secret(case).open(&bytes(case, "letter")).unwrap_err() {
            LetterError::TooLong { .. } => "length",
            LetterError::Sealed => "letter",
            LetterError::NotText => "not text",
        };
        assert_eq!(reason, text(case, "reason"), "{case}");
    }
}

#[test]
fn dropbox_links_are_those_of_others() {
    for case in list(&VECTORS, "letters") {
        let id = LetterId::parse(text(case, "id")).unwrap();
        let link = LetterLink::new(text(case, "base"), id, secret(case)).unwrap();
        assert_eq!(*link.to_url(), text(case, "link"));
        assert_eq!(LetterLink::parse(text(case, "link")), Ok(link));
    }
    for case in list(&VECTORS, "share_links") {
        let token = BoxToken::parse(text(case, "token")).unwrap();
        let link = ShareLink::new(text(case, "base"), token).unwrap();
        assert_eq!(link.to_url(), text(case, "link"));
        assert_eq!(ShareLink::parse(text(case, "link")), Ok(link));
    }
}

#[test]
fn dropbox_links_of_another_form_are_refused() {
    for case in list(&VECTORS, "letter_links_refused") {
        let error = LetterLink::parse(text(case, "link")).unwrap_err();
        assert_eq!(reason(error), text(case, "reason"), "{case}");
    }
    for case in list(&VECTORS, "share_links_refused") {
        let error = ShareLink::parse(text(case, "link")).unwrap_err();
        assert_eq!(reason(error), text(case, "reason"), "{case}");
    }
}
