//! Firebase Cloud Messaging.

use std::time::Duration;

use ring::rsa::KeyPair;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use sealpost::config::dialects::textsecure::PushServices;
use sealpost::domain::phone::PushKind;
use sealpost::domain::ports::{Notification, Push, Pushed};
use sealpost::outside::push::Services;
use serde_json::{Value, json};

use super::stand_in::{NOW, Seen, StandIn, clock, services, token};

/// Made for these tests; good for nothing else.
const KEY: &str = include_str!("../vectors/rsa_for_tests.pem");

const SEND: &str = "/v1/projects/phones/messages:send";

fn settings(stand_in: &StandIn) -> PushServices {
    let account = json!({
        "type": "service_account",
        "project_id": "phones",
        "private_key_id": "key-1",
        "private_key": KEY,
        "client_email": "gateway@phones.example",
        "token_uri": format!("{}/token", stand_in.url),
    });
    let mut settings = PushServices::default();
    settings.fcm.service_account = account.to_string().into();
    settings.fcm.url = stand_in.url.clone();
    settings
}

fn grant(stand_in: &StandIn, bearer: &str) {
    let granted = json!({ "access_token": bearer, "expires_in": 3599, "token_type": "Bearer" });
    stand_in.replies(200, granted.to_string());
}

async fn push(services: &Services, what: Notification) -> Pushed {
    services.push(PushKind::Gcm, b"device-token", what).await
}

fn message() -> Notification {
    Notification::Message("AaChoqM=".to_owned())
}

fn paths(seen: &[Seen]) -> Vec<&str> {
    seen.iter().map(|seen| seen.path.as_str()).collect()
}

/// A field of a form.
fn field(form: &str, name: &str) -> String {
    let url = format!("x:?{form}");
    let url = reqwest::Url::parse(&url).unwrap();
    url.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned()
}

#[tokio::test]
async fn the_account_proves_itself_and_a_message_leaves() {
    let stand_in = StandIn::start().await;
    grant(&stand_in, "first");
    assert_eq!(push(&services(&settings(&stand_in), &clock()), message()).await, Pushed::Taken);
    let seen = stand_in.seen();
    assert_eq!(paths(&seen), ["/token", SEND]);

    let grant_type = field(seen[0].text(), "grant_type");
    assert_eq!(grant_type, "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let (header, claims, signed, signature) = token(&field(seen[0].text(), "assertion"));
    assert_eq!(header, json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" }));
    let expected = json!({
        "iss": "gateway@phones.example",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": format!("{}/token", stand_in.url),
        "iat": NOW,
        "exp": NOW + 3600,
    });
    assert_eq!(claims, expected);
    let der = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).unwrap();
    let pair = KeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let verifier = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public());
    verifier.verify(signed.as_bytes(), &signature).unwrap();

    assert_eq!(seen[1].header("authorization"), "Bearer first");
    let expected = json!({ "message": {
        "token": "device-token",
        "data": { "type": "message", "message": "AaChoqM=" },
        "android": { "priority": "high" },
    } });
    assert_eq!(seen[1].json(), expected);
}

#[tokio::test]
async fn a_token_serves_until_shortly_before_its_end() {
    let (stand_in, clock) = (StandIn::start().await, clock());
    let services = services(&settings(&stand_in), &clock);
    grant(&stand_in, "first");
    push(&services, message()).await;
    clock.advance(Duration::from_secs(3599 - 61));
    push(&services, message()).await;
    assert_eq!(paths(&stand_in.seen()), ["/token", SEND, SEND]);
    clock.advance(Duration::from_secs(1));
    grant(&stand_in, "second");
    push(&services, message()).await;
    let seen = stand_in.seen();
    assert_eq!(paths(&seen), ["/token", SEND, SEND, "/token", SEND]);
    assert_eq!(seen[4].header("authorization"), "Bearer second");
}

#[tokio::test]
async fn a_token_that_was_taken_back_is_replaced() {
    let stand_in = StandIn::start().await;
    grant(&stand_in, "first");
    stand_in.replies(401, "{}");
    grant(&stand_in, "second");
    assert_eq!(push(&services(&settings(&stand_in), &clock()), message()).await, Pushed::Taken);
    assert_eq!(paths(&stand_in.seen()), ["/token", SEND, "/token", SEND]);
}

fn refusal(code: &str) -> String {
    let kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
    json!({ "error": { "code": 404, "details": [{ "@type": kind, "errorCode": code }] } })
        .to_string()
}

#[tokio::test]
async fn what_google_says_is_understood() {
    for (status, body, expected) in [
        (404, refusal("UNREGISTERED"), Pushed::Dead),
        // The project is wrong, which is no fault of the phone's.
        (404, refusal("NOT_FOUND"), Pushed::Failed),
        (404, "<html>".to_owned(), Pushed::Failed),
        (400, refusal("INVALID_ARGUMENT"), Pushed::Failed),
        (403, refusal("SENDER_ID_MISMATCH"), Pushed::Failed),
        (429, String::new(), Pushed::Later(None)),
        (503, String::new(), Pushed::Later(None)),
    ] {
        let stand_in = StandIn::start().await;
        grant(&stand_in, "first");
        stand_in.replies(status, body);
        let pushed = push(&services(&settings(&stand_in), &clock()), message()).await;
        assert_eq!(pushed, expected, "{status}");
    }
}

#[tokio::test]
async fn without_a_token_nothing_leaves() {
    let stand_in = StandIn::start().await;
    stand_in.replies(400, r#"{"error":"invalid_grant"}"#);
    let services = services(&settings(&stand_in), &clock());
    assert_eq!(push(&services, message()).await, Pushed::Failed);
    assert_eq!(paths(&stand_in.seen()), ["/token"]);
}

#[tokio::test]
async fn each_kind_of_notification_has_its_data() {
    let stand_in = StandIn::start().await;
    let services = services(&settings(&stand_in), &clock());
    grant(&stand_in, "first");
    let wake = json!({ "type": "notification", "notification": "" });
    for (what, data) in [
        (Notification::Receipt("Aa==".to_owned()), json!({ "type": "receipt", "receipt": "Aa==" })),
        (Notification::Wake, wake.clone()),
        (Notification::Message("x".repeat(4001)), wake),
    ] {
        push(&services, what).await;
        let sent: Value = stand_in.seen().last().unwrap().json();
        assert_eq!(sent["message"]["data"], data);
    }
}
