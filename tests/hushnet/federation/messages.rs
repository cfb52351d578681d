//! What members of two gateways write to each other.

use serde_json::{Value, json};

use super::{fetch, introduction, member, message, pair};

#[tokio::test]
async fn members_of_two_gateways_introduce_themselves_and_write_to_each_other() {
    let pair = pair().await;
    // Both gateways of the test draw the same ids, so this one takes bob's.
    member(&pair.b, "carol").await;
    let (alice, bob) = (member(&pair.a, "alice").await, member(&pair.b, "bob").await);

    let keys = alice.get(&pair.a, "/s2s/federated/bob/node-b.test/keys").await;
    assert_eq!(keys.status, 200, "{keys:?}");
    let bundle = keys.list()[0].clone();
    assert_eq!(bundle["identity_pubkey"], bob.identity_key());
    assert_eq!(bundle["one_time_prekeys"], json!([bob.one_time_keys(1)[0]]));
    assert_ne!(bundle["device_id"], bob.device, "it has an id of its own here");
    let again = alice.get(&pair.a, "/users/federated/bob@node-b.test/keys").await;
    assert_eq!(again.list()[0]["one_time_prekeys"], json!([bob.one_time_keys(2)[1]]));

    let body = introduction(&bundle, "bob@node-b.test");
    let forwarded = alice.post(&pair.a, "/sessions", body.clone()).await;
    assert_eq!((forwarded.status, &forwarded.json["status"]), (202, &"forwarded".into()));
    let waiting = bob.get(&pair.b, "/sessions/pending").await;
    let waiting = &waiting.json["sessions"][0];
    assert_eq!(
        (&waiting["ciphertext"], &waiting["recipient_device_id"]),
        (&"hello".into(), &bob.device.clone().into())
    );
    let confirmation = json!({
        "pending_session_id": waiting["id"],
        "sender_device_id": waiting["sender_device_id"],
        "receiver_device_id": waiting["recipient_device_id"],
    });
    let confirmed = bob.post(&pair.b, "/sessions/confirm", confirmation).await;
    assert_eq!(confirmed.status, 201, "{confirmed:?}");

    let chats = alice.get(&pair.a, "/chats").await;
    let to_bob = &chats.list()[0];
    assert_eq!(to_bob["partner_federated_address"], "bob@node-b.test");
    let mut letter = message(&to_bob["id"], &bundle["device_id"], "one");
    letter["to_user_address"] = "bob@node-b.test".into();
    let queued = alice.post(&pair.a, "/messages", letter).await;
    assert_eq!((queued.status, &queued.json["status"]), (202, &"queued".into()), "{queued:?}");
    let came = fetch(&pair.b, &bob).await;
    let chats = bob.get(&pair.b, "/chats").await;
    let to_alice = &chats.list()[0];
    assert_eq!(to_alice["partner_federated_address"], "alice@node-a.test");
    assert_eq!((&came[0]["chat_id"], &came[0]["ciphertext"]), (&to_alice["id"], &"one".into()));
    assert_eq!(came[0]["from_device_id"], waiting["sender_device_id"]);

    // Her id here is enough, without the address.
    let mut letter = message(&to_alice["id"], &waiting["sender_device_id"], "two");
    letter["to_user_id"] = to_alice["partner_user_id"].clone();
    let queued = bob.post(&pair.b, "/messages", letter).await;
    assert_eq!(queued.status, 202, "{queued:?}");
    let came = fetch(&pair.a, &alice).await;
    assert_eq!((&came[0]["chat_id"], &came[0]["ciphertext"]), (&to_bob["id"], &"two".into()));
}

#[tokio::test]
async fn messages_of_a_device_arrive_in_their_order() {
    let pair = pair().await;
    member(&pair.b, "carol").await;
    let (alice, bob) = (member(&pair.a, "alice").await, member(&pair.b, "bob").await);
    let bundle = alice.get(&pair.a, "/s2s/federated/bob/node-b.test/keys").await;
    let bundle = bundle.list()[0].clone();
    alice.post(&pair.a, "/sessions", introduction(&bundle, "bob@node-b.test")).await;
    let logical: Vec<String> = (0..10).map(|n| format!("message {n}")).collect();
    for logical in &logical {
        let mut letter = message(&alice.user.clone().into(), &bundle["device_id"], logical);
        letter["to_user_address"] = "bob@node-b.test".into();
        assert_eq!(alice.post(&pair.a, "/messages", letter).await.status, 202);
    }
    let mut came = Vec::new();
    while came.len() < logical.len() {
        let some = fetch(&pair.b, &bob).await;
        came.extend(some.into_iter().map(|it| it["logical_msg_id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(came, logical);
}

#[tokio::test]
async fn a_prekey_that_is_gone_is_a_conflict_elsewhere_too() {
    let pair = pair().await;
    member(&pair.b, "carol").await;
    let (alice, _bob) = (member(&pair.a, "alice").await, member(&pair.b, "bob").await);
    let bundle = alice.get(&pair.a, "/s2s/federated/bob/node-b.test/keys").await;
    let mut body = introduction(&bundle.list()[0], "bob@node-b.test");
    assert_eq!(alice.post(&pair.a, "/sessions", body.clone()).await.status, 202);
    body["sessions_init"][0]["ephemeral_pubkey"] = "another".into();
    assert_eq!(alice.post(&pair.a, "/sessions", body).await.status, 409);
}

#[tokio::test]
async fn an_address_of_this_gateway_is_somebody_here() {
    let pair = pair().await;
    let (alice, dave) = (member(&pair.a, "alice").await, member(&pair.a, "dave").await);
    let keys = alice.get(&pair.a, "/s2s/federated/dave/node-a.test/keys").await;
    assert_eq!(keys.list()[0]["device_id"], dave.device);
    let body = introduction(&keys.list()[0], "dave@node-a.test");
    let introduced = alice.post(&pair.a, "/sessions", body).await;
    assert_eq!((introduced.status, &introduced.json), (201, &json!({ "status": "ok" })));
    for (path, status) in [
        ("/s2s/federated/nobody/node-a.test/keys", 404),
        ("/s2s/federated/nobody/node-b.test/keys", 404),
        ("/s2s/federated/bob/node-c.test/keys", 404),
        ("/users/federated/bob/keys", 400),
    ] {
        let answer = alice.get(&pair.a, path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    let nobody = alice.get(&pair.a, "/s2s/federated/nobody/node-a.test/keys").await;
    assert_eq!(nobody.json["error"], Value::from("user not found"));
}
