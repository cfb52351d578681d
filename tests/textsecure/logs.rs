//! Neither a number nor a code nor anything else of a phone gets into the log.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::log::Log;
use crate::harness::{Phone, TestApp};

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
    let endpoint = json!({"gcmRegistrationId": "https://push.example/secret"});
    phone.put(&app, "/v1/accounts/gcm/", endpoint).await;
    phone.put(&app, "/v1/accounts/apn/", json!({"apnRegistrationId": "secret token"})).await;
    phone.get(&app, "/v1/directory/ZOjNv63iDRcjDw").await;
    let mut secrets: Vec<_> = [
        NUMBER,
        "4152222277",
        "7734773",
        "a wrong password",
        "push.example",
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
