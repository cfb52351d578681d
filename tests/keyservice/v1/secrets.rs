//! Wrong secrets.

use axum::http::Method;

use super::world::{
    Key, PASSPHRASE, ask, form, gateway, query, recorded, recorded_key, recorded_key_with, with,
};
use crate::harness::TestApp;
use crate::harness::dropbox::from;

async fn error(app: &TestApp, token: &str, secret: &str, value: &str) -> (u16, String) {
    let members = [("token", token), (secret, value)];
    ask(app, query(Method::GET, "/Service", &members)).await.error()
}

#[tokio::test]
async fn an_unknown_token_and_a_wrong_secret_look_alike() {
    // CB23
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let unknown = error(&app, "0123456789abcdef", "passphrase", PASSPHRASE).await;
    assert_eq!(unknown.0, 404);
    for (secret, value) in
        [("passphrase", "wrong"), ("privatekeyhash", "wrong"), ("privatekeyhash", PASSPHRASE)]
    {
        assert_eq!(error(&app, &key.token, secret, value).await, unknown, "{secret}={value}");
        assert_eq!(error(&app, "0123456789abcdef", secret, value).await, unknown);
    }
    assert_eq!(error(&app, "short", "passphrase", PASSPHRASE).await, unknown);
}

#[tokio::test]
async fn a_padding_that_looks_right_proves_nothing() {
    // In the original one wrong passphrase in about 250 deletes a key.
    let app = gateway().await;
    let key = recorded_key(&app).await;
    for number in 0..600 {
        // From everywhere, so that nobody is stopped for being wrong too often.
        let address = format!("10.{}.{}.1", number / 200, number % 200);
        let wrong = key.asks(Method::DELETE, "passphrase", &number.to_string());
        assert_eq!(ask(&app, from(&address, wrong)).await.status, 404, "{number}");
    }
    assert_eq!(key.opens(&app).await.status, 304);
}

#[tokio::test]
async fn a_key_whose_owner_chose_another_hash_opens_with_its_passphrase() {
    let app = gateway().await;
    let (public, private) = (recorded("public_key_xml"), recorded("private_key_encrypted"));
    for hash in ["", "any string"] {
        let members =
            [("publickey", &*public), ("privatekey", &*private), ("privatekeyhash", hash)];
        let made = ask(&app, form(Method::POST, "/Service", &members)).await.json();
        let key =
            Key { token: made["KeyToken"].as_str().unwrap().to_owned(), hash: hash.to_owned() };
        key.gets(&app, "hello").await;
        assert_eq!(key.opens(&app).await.data(), ["hello"]);
        assert_eq!(error(&app, &key.token, "passphrase", "wrong").await.0, 404);
        // The hash of the key itself is not what its owner chose.
        assert_eq!(
            error(&app, &key.token, "privatekeyhash", &recorded("private_key_hash")).await.0,
            404
        );
    }
}

#[tokio::test]
async fn a_private_key_of_somebody_elses_box_opens_nothing() {
    let app = gateway().await;
    let made = ask(&app, form(Method::POST, "/Service", &[("passphrase", "other")])).await.json();
    let (public, private) =
        (made["PublicKey"].as_str().unwrap(), recorded("private_key_encrypted"));
    let members = [("publickey", public), ("privatekey", &*private), ("privatekeyhash", "hash")];
    let mixed = ask(&app, form(Method::POST, "/Service", &members)).await.json();
    let token = mixed["KeyToken"].as_str().unwrap();
    assert_eq!(error(&app, token, "passphrase", PASSPHRASE).await.0, 404);
}

#[tokio::test]
async fn a_box_of_a_public_key_alone_is_nobodys() {
    let app = gateway().await;
    let public = recorded("public_key_xml");
    let made = ask(&app, form(Method::POST, "/Service", &[("publickey", &public)])).await.json();
    let token = made["KeyToken"].as_str().unwrap();
    assert_eq!(error(&app, token, "passphrase", PASSPHRASE).await.0, 404);
    assert_eq!(error(&app, token, "privatekeyhash", &recorded("private_key_hash")).await.0, 404);
}

#[tokio::test]
async fn a_header_goes_before_everything_else() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets(&app, "hello").await;
    let right = || key.asks(Method::GET, "passphrase", PASSPHRASE);
    assert_eq!(ask(&app, with(right(), "passphrase", "wrong")).await.status, 404);
    assert_eq!(ask(&app, with(right(), "token", "0123456789abcdef")).await.status, 404);
    // A passphrase can do more than a hash, so it is the one that counts.
    assert_eq!(ask(&app, with(right(), "privatekeyhash", "wrong")).await.data(), ["hello"]);
    let capitals = query(
        Method::GET,
        "/SERVICE",
        &[("TOKEN", &*key.token.to_uppercase()), ("PassPhrase", PASSPHRASE)],
    );
    assert_eq!(ask(&app, capitals).await.data(), ["hello"]);
}

#[tokio::test]
async fn who_is_wrong_too_often_waits_and_the_owner_elsewhere_does_not() {
    let app = gateway().await;
    let key = recorded_key_with(&app, &[]).await;
    let guess = |address: &str, passphrase: &str| {
        from(address, key.asks(Method::GET, "passphrase", passphrase))
    };
    for _ in 0..10 {
        assert_eq!(ask(&app, guess("203.0.113.1", "wrong")).await.status, 404);
    }
    let refused = ask(&app, guess("203.0.113.1", PASSPHRASE)).await;
    assert_eq!((refused.error().0, &refused.headers["retry-after"]), (429, &"6".parse().unwrap()));
    assert_eq!(ask(&app, guess("198.51.100.1", PASSPHRASE)).await.status, 304);
}
