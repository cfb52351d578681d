//! What is said to whoever picks up.

use axum::http::Method;
use serde_json::Value;

use crate::harness::TestApp;

#[tokio::test]
async fn a_provider_of_calls_is_told_what_to_say() {
    let app = TestApp::start_for_phones().await;
    let path = "/v1/accounts/voice/twiml/1,%202,%20%3C3%3E";
    let answer = app.stranger(Method::POST, path, &Value::Null).await;
    assert_eq!(
        (answer.status, &answer.headers["content-type"]),
        (200, &"application/xml".parse().unwrap())
    );
    let said = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response>\
        <Say voice=\"woman\" language=\"en\">\
        Your TextSecure verification code is: 1, 2, &lt;3&gt;</Say></Response>";
    assert_eq!(answer.json, said);
}
