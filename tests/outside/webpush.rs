//! Web Push and UnifiedPush.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hmac::{HMAC_SHA256, Key, sign};
use ring::rand::SystemRandom;
use ring::signature::{self, ECDSA_P256_SHA256_FIXED};
use sealpost::config::dialects::textsecure::PushServices;
use sealpost::domain::phone::PushKind;
use sealpost::domain::phone::push_address::{Endpoint, EndpointKeys};
use sealpost::domain::ports::{Notification, Push, Pushed};

use super::stand_in::{NOW, Seen, StandIn, clock, services, token};

/// A browser, or a phone that has a push service do as browsers do.
struct Subscriber {
    private: EphemeralPrivateKey,
    public: Vec<u8>,
    auth: [u8; 16],
}

impl Subscriber {
    fn new() -> Self {
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
        let public = private.compute_public_key().unwrap().as_ref().to_vec();
        Self { private, public, auth: [7; 16] }
    }

    fn endpoint(&self, stand_in: &StandIn) -> Endpoint {
        let (p256dh, auth) = (BASE64.encode(&self.public), BASE64.encode(self.auth));
        Endpoint { keys: Some(EndpointKeys { p256dh, auth }), ..plain(stand_in) }
    }

    /// Reads a message as RFC 8291 and RFC 8188 say, with nothing but HMAC and AES.
    fn read(self, body: &[u8]) -> String {
        let (salt, rest) = body.split_at(16);
        assert_eq!(rest[..5], [0, 0, 16, 0, 65]);
        let (their_public, record) = rest[5..].split_at(65);
        let peer = UnparsedPublicKey::new(&ECDH_P256, their_public);
        let secret = agree_ephemeral(self.private, &peer, <[u8]>::to_vec).unwrap();
        let info = [b"WebPush: info\0", &self.public[..], their_public, &[1]].concat();
        let material = hmac(&hmac(&self.auth, &secret), &info);
        let key = hmac(salt, &material);
        let content_key = hmac(&key, b"Content-Encoding: aes128gcm\0\x01");
        let nonce = hmac(&key, b"Content-Encoding: nonce\0\x01");
        let cipher = UnboundKey::new(&AES_128_GCM, &content_key[..16]).unwrap();
        let nonce = Nonce::try_assume_unique_for_key(&nonce[..12]).unwrap();
        let mut record = record.to_vec();
        let opened = LessSafeKey::new(cipher).open_in_place(nonce, Aad::empty(), &mut record);
        let text = opened.unwrap().strip_suffix(&[2]).expect("the mark of the last record");
        String::from_utf8(text.to_vec()).unwrap()
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, key), message).as_ref().to_vec()
}

fn plain(stand_in: &StandIn) -> Endpoint {
    Endpoint { url: format!("{}/push/7734", stand_in.url), keys: None }
}

async fn push(endpoint: &Endpoint, what: Notification) -> Pushed {
    let services = services(&PushServices::default(), &clock());
    services.push(PushKind::WebPush, &endpoint.to_bytes(), what).await
}

fn message() -> Notification {
    Notification::Message("AaChoqOkpaanqKmqq6ytrq8=".to_owned())
}

fn assert_lasts(seen: &Seen) {
    assert_eq!(seen.header("ttl"), "604800");
    assert_eq!(seen.header("urgency"), "high");
}

#[tokio::test]
async fn an_endpoint_without_keys_gets_the_message_as_it_is() {
    let stand_in = StandIn::start().await;
    stand_in.replies(201, "");
    assert_eq!(push(&plain(&stand_in), message()).await, Pushed::Taken);
    let seen = stand_in.only();
    assert_eq!((seen.path.as_str(), seen.text()), ("/push/7734", "AaChoqOkpaanqKmqq6ytrq8="));
    assert_lasts(&seen);
    assert!(!seen.headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_subscription_with_keys_gets_it_encrypted_and_learns_who_sends() {
    let stand_in = StandIn::start().await;
    let subscriber = Subscriber::new();
    assert_eq!(push(&subscriber.endpoint(&stand_in), message()).await, Pushed::Taken);
    let seen = stand_in.only();
    assert_eq!(seen.header("content-encoding"), "aes128gcm");
    assert_lasts(&seen);
    assert_eq!(subscriber.read(&seen.body), "AaChoqOkpaanqKmqq6ytrq8=");
    let credential = seen.header("authorization").strip_prefix("vapid t=").unwrap();
    let (jwt, key) = credential.split_once(", k=").unwrap();
    let (header, claims, signed, signature) = token(jwt);
    assert_eq!(header["alg"], "ES256");
    assert_eq!(claims["aud"], stand_in.url);
    assert_eq!(claims["exp"], NOW + 12 * 60 * 60);
    assert_eq!(claims["sub"], "https://gateway.example");
    let key =
        signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, BASE64.decode(key).unwrap());
    key.verify(signed.as_bytes(), &signature).unwrap();
}

#[tokio::test]
async fn what_does_not_fit_becomes_a_wake_up() {
    for (length, is_whole) in [(4096, true), (4097, false)] {
        let stand_in = StandIn::start().await;
        push(&plain(&stand_in), Notification::Message("x".repeat(length))).await;
        let seen = stand_in.only();
        assert_eq!(seen.body.len(), if is_whole { length } else { 2 });
        assert_eq!(seen.header("topic"), if is_whole { "" } else { "wake" });
    }
    for (length, is_whole) in [(3993, true), (3994, false)] {
        let (stand_in, subscriber) = (StandIn::start().await, Subscriber::new());
        let endpoint = subscriber.endpoint(&stand_in);
        push(&endpoint, Notification::Message("x".repeat(length))).await;
        let seen = stand_in.only();
        assert!(seen.body.len() <= 4096);
        assert_eq!(subscriber.read(&seen.body).len(), if is_whole { length } else { 2 });
    }
}

#[tokio::test]
async fn a_service_with_less_room_gets_a_wake_up() {
    let stand_in = StandIn::start().await;
    stand_in.replies(413, "");
    assert_eq!(push(&plain(&stand_in), message()).await, Pushed::Taken);
    assert_eq!(stand_in.seen()[1].text(), "{}");
}

#[tokio::test]
async fn what_a_service_says_is_understood() {
    for (status, expected) in [
        (404, Pushed::Dead),
        (410, Pushed::Dead),
        (429, Pushed::Later(None)),
        (503, Pushed::Later(None)),
        (400, Pushed::Failed),
        (301, Pushed::Failed),
    ] {
        let stand_in = StandIn::start().await;
        stand_in.replies(status, "");
        assert_eq!(push(&plain(&stand_in), message()).await, expected, "{status}");
        assert_eq!(stand_in.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_service_that_wants_a_long_pause_says_so() {
    let stand_in = StandIn::start().await;
    stand_in.replies_with(429, &[("retry-after", "3600")], "");
    let hour = std::time::Duration::from_secs(3600);
    assert_eq!(push(&plain(&stand_in), message()).await, Pushed::Later(Some(hour)));
}

#[tokio::test]
async fn an_endpoint_that_nobody_answers_at_is_unreachable() {
    for url in ["http://127.0.0.1:1/", "https://nobody.invalid/", "http://10.0.0.1/"] {
        let endpoint = Endpoint { url: url.to_owned(), keys: None };
        assert_eq!(push(&endpoint, message()).await, Pushed::Unreachable, "{url}");
    }
}

#[tokio::test]
async fn an_address_that_is_none_disturbs_nobody() {
    let services = services(&PushServices::default(), &clock());
    let pushed = services.push(PushKind::WebPush, b"a token", message()).await;
    assert_eq!(pushed, Pushed::Failed);
}

#[tokio::test]
async fn without_credentials_the_vendors_are_not_set_up() {
    let services = services(&PushServices::default(), &clock());
    for kind in [PushKind::Gcm, PushKind::Apn] {
        assert_eq!(services.push(kind, b"token", message()).await, Pushed::NotSetUp);
    }
}
