//! What the original's library made, through the whole gateway.

use axum::http::Method;
use sealpost::dialect::keyservice::v1::crypto::{encrypt_text, hash};

use super::world::{ask, form, gateway, query, recorded, recorded_key};

#[tokio::test]
async fn the_originals_own_key_and_message_are_read() {
    // CB39
    assert_eq!(encrypt_text("secret", "password"), "E602O/Gr3/rnMA9uWpT5Sg==");
    let app = gateway().await;
    let key = recorded_key(&app).await;
    let (data, encryption_key) = (recorded("MessageData"), recorded("EncryptionKey"));
    let members =
        [("token", &*key.token), ("encryptedmessage", &*data), ("encryptionkey", &*encryption_key)];
    assert_eq!(ask(&app, form(Method::PUT, "/Service", &members)).await.text(), "true");
    let opened = &key.opens(&app).await.json()[0];
    assert_eq!(opened["MessageData"], recorded("plaintext"));
    assert_eq!(opened["EncryptionKey"], recorded("aes_passphrase"));
}

#[tokio::test]
async fn a_message_of_ours_is_the_originals_in_length_and_hash() {
    let app = gateway().await;
    let key = recorded_key(&app).await;
    key.gets(&app, &recorded("plaintext")).await;
    let fetched = &key.fetches(&app).await.json()[0];
    let length = |name: &str| fetched[name].as_str().unwrap().len();
    assert_eq!(length("EncryptionKey"), recorded("EncryptionKey").len());
    assert_eq!(length("MessageData"), recorded("MessageData").len());
    assert_eq!(fetched["MessageHash"], recorded("MessageHash"));
}

#[tokio::test]
async fn the_hash_of_a_key_made_here_is_that_of_its_xml() {
    let app = gateway().await;
    let made = ask(&app, form(Method::POST, "/Service", &[("passphrase", "pw")])).await.json();
    let private = made["PrivateKey"].as_str().unwrap();
    let xml = sealpost::dialect::keyservice::v1::crypto::decrypt_text(private, "pw").unwrap();
    assert_eq!(made["PrivateKeyHash"], hash(&xml));
    // As the original's program sends them: with XML inside of HTML.
    let html = made["PublicKey"].as_str().unwrap().replace('<', "&lt;").replace('>', "&gt;");
    let members = [("publickey", &*html), ("privatekey", private)];
    let again = ask(&app, form(Method::POST, "/Service", &members)).await.json();
    assert_eq!(again["PublicKey"], made["PublicKey"]);
    let token = again["KeyToken"].as_str().unwrap();
    let read = [("token", token), ("passphrase", "pw")];
    assert_eq!(ask(&app, query(Method::GET, "/Service", &read)).await.status, 304);
}
