//! Neither a number nor a code nor anything else of a phone gets into the log.

use axum::http::Method;
use serde_json::{Value, json};

use super::federation::with_peer;
use super::letters::{BERT, part, says, unlimited_with};
use super::socket_client::encoded;
use crate::harness::log::Log;
use crate::harness::{Phone, TestApp};
use crate::outside::stand_in::StandIn;

const NUMBER: &str = "+14152222277";

#[tokio::test]
async fn nothing_of_a_phone_is_logged() {
    let log = Log::listen();
    let secrets = much_happens().await;
    let log = log.end();
    for expected in ["path=\"/v1/accounts/code/{code}\"", "path=\"/v1/directory/{*token}\""] {
        assert!(log.contains(expected), "{expected} is not in the log:\n{log}");
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "`{secret}` is in the log");
    }
}

#[tokio::test]
async fn nothing_that_phones_say_is_logged() {
    let log = Log::listen();
    let secrets = much_is_said().await;
    let log = log.end();
    for expected in ["a push service", "cannot ask another gateway: could not ask: ", "refused"] {
        assert!(log.contains(expected), "{expected} is not in the log:\n{log}");
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "`{secret}` is in the log");
    }
}

/// Leaves prekeys, opens sockets, writes to somebody whose push service fails and to somebody at a
/// gateway that cannot be reached; returns what must not be found.
async fn much_is_said() -> Vec<String> {
    let stand_in = StandIn::start().await;
    let app = unlimited_with(|config| {
        let phones = &mut config.dialects.textsecure;
        phones.push.webpush.private_networks = "127.0.0.0/8".to_owned();
        phones.federation = with_peer("there");
    })
    .await;
    let (anna, bert) = (app.phone(NUMBER).await, app.phone(BERT).await);
    let key =
        json!({ "keyId": 7_734_773, "publicKey": "a public key", "identityKey": "an identity" });
    let keys = json!({ "lastResortKey": key, "keys": [key] });
    assert_eq!(anna.put(&app, "/v1/keys", keys).await.status, 200);
    assert_eq!(bert.get(&app, &format!("/v1/keys/{NUMBER}/1")).await.status, 200);

    let endpoint = format!("{}/a-secret-endpoint", stand_in.url);
    let set = json!({ "endpoint": endpoint });
    assert_eq!(bert.put(&app, "/v1/accounts/webpush", set).await.status, 200);
    stand_in.replies(403, "");
    let mut line = app.json_socket(&bert).await;
    says(&app, &anna, &[&bert], "the cat sleeps").await;
    stand_in.wait_for(1).await;
    assert_eq!(line.message().await.text(), "the cat sleeps");
    let _wrong = app.open_socket(&format!("/v1/websocket?login={BERT}&password=a-wrong-one")).await;
    let far = json!({ "relay": "there", "messages": [part(&bert, "the cat sleeps")] });
    assert_eq!(anna.put(&app, "/v1/messages/+14152222299", far).await.status, 503);

    let mut secrets: Vec<_> = [
        "4152222277",
        "4153333333",
        "4152222299",
        "7734773",
        "a public key",
        "an identity",
        "a-secret-endpoint",
        "the cat sleeps",
        "dGhlIGNhdCBzbGVlcHM",
        "a-wrong-one",
        "password=",
    ]
    .map(str::to_owned)
    .into();
    secrets.extend([anna, bert].into_iter().flat_map(|it| [encoded(&it.password), it.password]));
    secrets
}

/// Registers, fails to, links, looks up; returns what must not be found.
async fn much_happens() -> Vec<String> {
    let app = TestApp::start_for_phones_with(|it| {
        (it.limits.registrations_at_once, it.limits.sms_codes_at_once) = (100, 100);
    })
    .await;
    let path = format!("/v1/accounts/sms/code/{NUMBER}");
    assert_eq!(app.stranger(Method::GET, &path, &Value::Null).await.status, 200);
    let waiting = app.switchboard().waiting_codes(10).await.unwrap();
    let phone = app.phone(NUMBER).await;
    let tablet = app.link(&phone).await;
    let stranger = Phone { password: "a wrong password".to_owned(), ..phone.clone() };
    stranger.get(&app, "/v1/devices/").await;
    phone.put(&app, "/v1/accounts/code/7734773", phone.attributes()).await;
    let endpoint = json!({"gcmRegistrationId": "https://push.example/secret-7734"});
    phone.put(&app, "/v1/accounts/gcm/", endpoint).await;
    phone.put(&app, "/v1/accounts/apn/", json!({"apnRegistrationId": "secret token"})).await;
    phone.get(&app, "/v1/directory/ZOjNv63iDRcjDw").await;
    let mut secrets: Vec<_> = [
        NUMBER,
        "4152222277",
        "7734773",
        "a wrong password",
        "secret-7734",
        "secret token",
        "ZOjNv63iDRcjDw",
        "Basic ",
        waiting[0].code.as_str(),
    ]
    .map(str::to_owned)
    .into();
    secrets.push(phone.attributes()["signalingKey"].as_str().unwrap().to_owned());
    secrets.extend([phone.password, tablet.password]);
    secrets
}
