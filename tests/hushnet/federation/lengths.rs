//! Texts of keys are short, from other gateways and to them.

use serde_json::{Value, json};

use super::{Node, gateway, introduction, key_of, member, pair};

fn long() -> Value {
    json!("x".repeat(257))
}

#[tokio::test]
async fn a_gateway_brings_no_key_that_is_too_long() {
    let b = Node::new("node-b.test", 1);
    let app = gateway("node-a.test", vec![b.peer()]).await;
    let alice = member(&app, "alice").await;
    let brought = json!({
        "from_federated_address": "bob@node-b.test",
        "from_device_id": "11111111-1111-4111-8111-111111111111",
        "from_identity_pubkey": key_of("bob"),
        "to_user": "alice",
        "sessions_init": [{
            "recipient_device_id": alice.device,
            "ephemeral_pubkey": "ephemeral",
            "sender_prekey_pub": "sender",
            "otpk_used": "",
            "ciphertext": "hello",
        }],
    });
    let mut cases = vec![("from_identity_pubkey", brought.clone())];
    cases[0].1["from_identity_pubkey"] = long();
    for field in ["ephemeral_pubkey", "sender_prekey_pub", "otpk_used"] {
        let mut body = brought.clone();
        body["sessions_init"][0][field] = long();
        cases.push((field, body));
    }
    for (field, body) in cases {
        let refused = b.post(&app, "/s2s/sessions", body).await;
        let error = refused.json["error"].as_str().unwrap_or_default();
        assert_eq!((refused.status, error.starts_with(field)), (422, true), "{refused:?}");
    }
    assert_eq!(b.post(&app, "/s2s/sessions", brought).await.status, 200);
}

#[tokio::test]
async fn nor_is_one_sent_to_another_gateway() {
    let pair = pair().await;
    // Both gateways of the test draw the same ids, so this one takes bob's.
    member(&pair.b, "carol").await;
    let (alice, _bob) = (member(&pair.a, "alice").await, member(&pair.b, "bob").await);
    let keys = alice.get(&pair.a, "/s2s/federated/bob/node-b.test/keys").await;
    let mut body = introduction(&keys.json[0], "bob@node-b.test");
    body["sessions_init"][0]["ephemeral_pubkey"] = long();
    let refused = alice.post(&pair.a, "/sessions", body).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let text = refused.json.to_string();
    assert!(text.contains("ephemeral_pubkey") && text.contains("256"), "{text}");
}
