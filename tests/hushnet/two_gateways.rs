//! Two gateways that serve the same members from one PostgreSQL.

use axum::body::Body;
use axum::http::{Method, Request};
use sealpost::config::Config;

use crate::harness::TestApp;
use crate::harness::hush::HushDevice;
use crate::harness::postgres::Schema;

fn strong(device: &HushDevice) -> impl Fn() -> Request<Body> {
    let (parts, ()) = device.strongly(&Method::GET, "/chats", b"").body(()).unwrap().into_parts();
    move || Request::from_parts(parts.clone(), Body::empty())
}

#[tokio::test]
#[ignore = "needs the PostgreSQL server that scripts/test.sh starts"]
async fn a_strong_signature_that_one_of_them_saw_is_none_for_the_other() {
    let (schema, keys) = (Schema::create(), tempfile::tempdir().unwrap());
    let settings = |config: &mut Config| {
        schema.set_in(config);
        config.storage.vault_key_file = keys.path().join("vault.key");
        config.dialects.hushnet.enabled = true;
    };
    let (one, two) = (TestApp::start_with(settings).await, TestApp::start_with(settings).await);
    let alice = one.hush_member("alice").await;
    let request = strong(&alice);
    assert_eq!(one.call(request()).await.status, 200);
    for gateway in [&two, &one] {
        let replayed = gateway.call(request()).await;
        assert_eq!((replayed.status, &replayed.json), (401, &"Replayed nonce".into()));
    }
    assert_eq!(two.call(strong(&alice)()).await.status, 200, "another nonce is good there");
}
