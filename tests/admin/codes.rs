//! Codes that the operator hands over.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::get;
use crate::harness::TestApp;

#[tokio::test]
async fn codes_wait_for_the_operator() {
    let app = TestApp::start_for_phones().await;
    assert_eq!(get(&app, "/textsecure/codes").await.json, json!({"codes": [], "more": false}));
    for transport in ["sms", "voice"] {
        let path = format!("/v1/accounts/{transport}/code/+1415222222{}", transport.len());
        assert_eq!(app.stranger(Method::GET, &path, &Value::Null).await.status, 200);
    }
    let listed = get(&app, "/textsecure/codes").await.json;
    let [first, second] = &listed["codes"].as_array().unwrap()[..] else { panic!("{listed}") };
    assert_eq!((&first["number"], &first["transport"]), (&json!("+14152222223"), &json!("sms")));
    assert_eq!(second["transport"], "voice");
    assert_eq!(first["expires_at"], "2026-01-02T03:19:05Z");
    let code = first["code"].as_str().unwrap();
    assert_eq!((code.len(), code.find('-')), (7, Some(3)), "{code}");
}
