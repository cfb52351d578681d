//! The key of the vault, which is not in the database.

use std::fs;

use axum::http::Method;
use sealpost::app::{AppError, VaultError};
use serde_json::Value;

use crate::harness::TestApp;

#[tokio::test]
async fn a_copy_of_the_database_opens_nothing() {
    let mut app = TestApp::start_for_phones().await;
    let path = "/v1/accounts/sms/code/+14152222222";
    assert_eq!(app.stranger(Method::GET, path, &Value::Null).await.status, 200);
    let copy = tempfile::tempdir().unwrap();
    let opened = app.move_without("vault.key", copy.path()).await;
    let Err(AppError::Vault(refused)) = opened else { panic!("it opened, or failed otherwise") };
    assert!(matches!(refused, VaultError::Missing { .. }), "{refused}");
    assert!(refused.to_string().contains("vault.key"), "{refused}");

    app.restart().await;
    assert_eq!(app.switchboard().waiting_codes(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_key_for_web_push_is_not_in_the_database_in_the_clear() {
    /// In the encoding of every private key on the curve P-256: the curve's name.
    const CURVE: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let app = TestApp::start_for_phones().await;
    for entry in fs::read_dir(app.data()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap_or_default();
        let is_there = bytes.windows(CURVE.len()).any(|window| window == CURVE);
        assert!(!is_there, "the key is in {}", path.display());
    }
}
