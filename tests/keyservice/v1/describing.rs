//! `GetToken`: what strangers see of a key.

use axum::http::Method;

use super::world::{
    PASSPHRASE, ask, gateway, gateway_with, query, recorded, recorded_key, recorded_key_with,
};

#[tokio::test]
async fn a_stranger_sees_what_a_sender_needs() {
    let app = gateway_with(|settings| {
        settings.public_url = "https://boxes.example".to_owned();
        settings.smtp.server = "127.0.0.1:1".to_owned();
        settings.smtp.from = "us@example.org".to_owned();
    })
    .await;
    let key = recorded_key_with(&app, &[("email", "anna@example.org")]).await;
    key.gets(&app, "a message").await;
    let shown = ask(&app, query(Method::GET, "/Service/GetToken", &[("token", &key.token)])).await;
    let json = shown.json();
    assert_eq!(json["KeyToken"], key.token.as_str());
    assert_eq!(json["PublicKey"], recorded("public_key_xml"));
    for hidden in ["PrivateKey", "GetPrivateKey", "PrivateKeyHash"] {
        assert!(json[hidden].is_null(), "{hidden}");
    }
    for hidden in ["Messages", "MessagesSerialized", "Notifications"] {
        assert_eq!(json[hidden], serde_json::json!([]), "{hidden}");
    }
    assert!(!shown.text().contains("anna"), "{}", shown.text());
}

#[tokio::test]
async fn an_owner_sees_the_private_key_once_it_is_released() {
    let app = gateway().await;
    for (more, is_released) in [(vec![], true), (vec![("releasedate", "2026-02-01")], false)] {
        let key = recorded_key_with(&app, &more).await;
        for (secret, value) in [("passphrase", PASSPHRASE), ("privatekeyhash", &key.hash)] {
            let asked = [("token", &*key.token), (secret, value)];
            let shown = ask(&app, query(Method::POST, "/Service/GetToken", &asked)).await.json();
            assert_eq!(shown["PrivateKeyHash"], key.hash.as_str());
            assert_eq!(shown["PrivateKey"].is_string(), is_released, "{shown}");
        }
    }
}

#[tokio::test]
async fn an_unknown_token_and_a_wrong_secret_are_not_found() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let unknown = [("token", "0123456789abcdef")];
    let wrong = [("token", &*key.token), ("passphrase", "wrong")];
    let unknown = ask(&app, query(Method::GET, "/Service/GetToken", &unknown)).await;
    let wrong = ask(&app, query(Method::GET, "/Service/GetToken", &wrong)).await;
    assert_eq!(unknown.error().0, 404);
    assert_eq!(unknown.error(), wrong.error());
    let missing = ask(&app, query(Method::GET, "/Service/GetToken", &[])).await;
    assert_eq!(missing.error(), (400, "token is required".to_owned()));
}
