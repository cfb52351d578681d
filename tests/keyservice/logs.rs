//! Neither a token nor a secret nor an address gets into the log.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::harness::TestApp;
use crate::harness::dropbox::{b64, sealed, two_with};
use crate::harness::log::Log;

#[tokio::test]
async fn nothing_of_a_box_is_logged() {
    let log = Log::listen();
    let secrets = much_happens().await;
    let log = log.end();
    for expected in ["path=\"/Service\"", "path=\"/Service/File\"", "status=404", "status=201"] {
        assert!(log.contains(expected), "{expected} is not in the log:\n{log}");
    }
    for secret in secrets {
        assert!(!log.contains(&secret), "`{secret}` is in the log");
    }
}

/// Makes a box, fills it, reads it, is refused; returns what must not be found.
async fn much_happens() -> Vec<String> {
    let app = TestApp::start_with(|config| {
        config.http.public_url = "https://boxes.example".to_owned();
        let settings = &mut config.dialects.keyservice;
        settings.enabled = true;
        (settings.smtp.server, settings.smtp.from) =
            ("127.0.0.1:1".into(), "us@example.org".into());
    })
    .await;
    let notified = json!({ "email": "anna-7734@example.org" });
    let box_ = app.raw_box_with(1, notified).await;
    let id = box_.gets(&app, "the cat sleeps").await;
    let file = box_.gets_file(&app, vec![b'Z'; 4096]).await;
    box_.reads(&app).await;
    box_.texts(&app).await;
    let wrong = [0x77; 32];
    app.call(box_.asks_with(&wrong, Method::GET, "/Service", "")).await;
    let query = format!("&messageid={file}");
    app.call(box_.asks_with(&wrong, Method::GET, "/Service/File", &query)).await;
    let letter = json!({ "message": sealed("burn this"), "authdigest": b64(&[5; 32]) });
    let left = app.call(two_with(Method::POST, "/Service/SelfDestruct", &letter)).await;
    assert_eq!(left.status, 201, "{left:?}");
    let passphrase = "/Service?token=00112233aabbccdd&passphrase=correct-horse";
    app.answer(Request::get(passphrase).body(Body::empty()).unwrap()).await;
    let broken =
        Request::post("/Service?v=2").body(Body::from("{\"passphrase\":\"correct-horse\""));
    app.answer(broken.unwrap()).await;
    for fault in app.boxes().notices().deliver(&Nobody).await {
        tracing::warn!("a mail is lost: {}", sealpost::domain::error::chain(&fault));
    }
    let mut secrets: Vec<_> = [
        "anna-7734",
        "correct-horse",
        "00112233aabbccdd",
        "the cat sleeps",
        "burn this",
        "ZZZZ",
        &sealed("the cat sleeps"),
        &sealed("burn this"),
        &b64(&box_.key),
        &b64(&wrong),
        &b64(&[5; 32]),
        &b64(&[7; 92]),
    ]
    .map(ToOwned::to_owned)
    .into();
    let made_of = box_.made_of.as_object().unwrap();
    let made_of = ["publickey", "privatekey", "authdigest"].map(|name| made_of[name].as_str());
    secrets.extend(made_of.into_iter().flatten().map(ToOwned::to_owned));
    secrets.extend([box_.token, id]);
    secrets
}

/// A mail server that takes nothing.
struct Nobody;

#[async_trait::async_trait]
impl sealpost::domain::ports::Mailer for Nobody {
    async fn send(
        &self,
        _mail: &sealpost::domain::dropbox::Mail,
    ) -> Result<(), sealpost::domain::Fault> {
        Err(sealpost::domain::Fault::unavailable("a mail could not be sent", None))
    }
}
