//! Apple's push service.

use std::time::Duration;

use axum::http::Version;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use sealpost::config::dialects::textsecure::PushServices;
use sealpost::domain::phone::PushKind;
use sealpost::domain::ports::{Notification, Push, Pushed};
use sealpost::outside::push::Services;
use sealpost::outside::signed::EcKey;
use serde_json::json;

use super::stand_in::{NOW, StandIn, clock, services, token};

const DEVICE: &str = "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0";

fn settings(stand_in: &StandIn, key: &[u8]) -> PushServices {
    let key = BASE64_STANDARD.encode(key);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
    let mut settings = PushServices::default();
    settings.apns.key = pem.into();
    settings.apns.key_id = "KEY1234567".to_owned();
    settings.apns.team_id = "TEAM123456".to_owned();
    settings.apns.topic = "org.example.phones".to_owned();
    settings.apns.url = stand_in.url.clone();
    settings
}

async fn push(services: &Services) -> Pushed {
    let message = Notification::Message("never leaves".to_owned());
    services.push(PushKind::Apn, DEVICE.as_bytes(), message).await
}

#[tokio::test]
async fn a_wake_up_leaves_over_http_2_with_a_signed_token() {
    let (stand_in, key) = (StandIn::start().await, EcKey::generate().unwrap());
    assert_eq!(push(&services(&settings(&stand_in, &key), &clock())).await, Pushed::Taken);
    let seen = stand_in.only();
    assert_eq!(seen.version, Version::HTTP_2);
    assert_eq!(seen.path, format!("/3/device/{DEVICE}"));
    assert_eq!(seen.header("apns-topic"), "org.example.phones");
    assert_eq!(seen.header("apns-push-type"), "alert");
    assert_eq!(seen.header("apns-priority"), "10");
    assert_eq!(seen.header("apns-expiration"), (NOW + 7 * 24 * 60 * 60).to_string());
    assert_eq!(seen.json()["aps"]["alert"]["loc-key"], "APN_Message");
    assert_eq!(seen.json()["aps"]["content-available"], 1);
    assert!(!seen.text().contains("never leaves"));

    let jwt = seen.header("authorization").strip_prefix("bearer ").unwrap();
    let (header, claims, signed, signature) = token(jwt);
    assert_eq!(header, json!({ "alg": "ES256", "kid": "KEY1234567" }));
    assert_eq!(claims, json!({ "iss": "TEAM123456", "iat": NOW }));
    let key = EcKey::from_pkcs8(&key).unwrap();
    let verifier = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public());
    verifier.verify(signed.as_bytes(), &signature).unwrap();
}

#[tokio::test]
async fn a_token_is_kept_for_forty_minutes() {
    let (stand_in, key, clock) = (StandIn::start().await, EcKey::generate().unwrap(), clock());
    let services = services(&settings(&stand_in, &key), &clock);
    for minutes in [0, 39, 1, 20] {
        clock.advance(Duration::from_secs(minutes * 60));
        push(&services).await;
    }
    let seen = stand_in.seen();
    let tokens: Vec<_> = seen.iter().map(|seen| seen.header("authorization")).collect();
    assert_eq!(tokens[0], tokens[1]);
    assert_ne!(tokens[1], tokens[2]);
    assert_eq!(tokens[2], tokens[3]);
}

#[tokio::test]
async fn what_apple_says_is_understood() {
    for (status, reason, expected) in [
        (410, "Unregistered", Pushed::Dead),
        // Perhaps the topic is the wrong one, or the server that for development.
        (400, "BadDeviceToken", Pushed::Failed),
        (403, "InvalidProviderToken", Pushed::Failed),
        (403, "ExpiredProviderToken", Pushed::Later(None)),
        (429, "TooManyRequests", Pushed::Later(None)),
        (503, "Shutdown", Pushed::Later(None)),
    ] {
        let (stand_in, key) = (StandIn::start().await, EcKey::generate().unwrap());
        stand_in.replies(status, json!({ "reason": reason }).to_string());
        let services = services(&settings(&stand_in, &key), &clock());
        assert_eq!(push(&services).await, expected, "{reason}");
        if let Pushed::Later(_) = expected {
            assert_eq!(push(&services).await, Pushed::Taken, "{reason}");
        }
    }
}

#[tokio::test]
async fn what_is_no_token_of_a_device_gets_into_no_url() {
    let (stand_in, key) = (StandIn::start().await, EcKey::generate().unwrap());
    let services = services(&settings(&stand_in, &key), &clock());
    for bad in ["", "../admin", "00 11", "xyz"] {
        let pushed = services.push(PushKind::Apn, bad.as_bytes(), Notification::Wake).await;
        assert_eq!(pushed, Pushed::Failed, "{bad}");
    }
    assert!(stand_in.seen().is_empty());
}
