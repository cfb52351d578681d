//! Gateways and registries that are not there, or not what they say.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use sealpost::config::dialects::hushnet::federation::{Federation, Peer};
use serde_json::{Value, json};

use super::{
    Node, fetch, gateway, gateway_with, introduction, listener, member, message, peer, serve,
};
use crate::harness::TestApp;

const REMOTE_DEVICE: &str = "11111111-1111-4111-8111-111111111111";

fn bundle() -> Value {
    json!({ "device_id": REMOTE_DEVICE, "one_time_prekeys": [] })
}

fn letter(to: &str, logical: &str) -> Value {
    let nobody = Value::from("00000000-0000-0000-0000-000000000000");
    let mut letter = message(&nobody, &REMOTE_DEVICE.into(), logical);
    letter["to_user_address"] = to.into();
    letter
}

/// A registry that says what the test wants of any gateway.
async fn registry() -> (String, Arc<Mutex<(u16, Value)>>) {
    let said = Arc::new(Mutex::new((404, Value::Null)));
    async fn answer(State(said): State<Arc<Mutex<(u16, Value)>>>) -> Response {
        let (status, body) = said.lock().unwrap().clone();
        (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
    }
    let path = "/api/registry/nodes/{id}";
    let router = Router::new().route(path, get(answer)).with_state(said.clone());
    let listener = listener().await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    serve(listener, router);
    (url, said)
}

async fn gateway_with_registry(registry_url: String) -> TestApp {
    gateway_with(Federation {
        node_id: "node-a.test".to_owned(),
        registry_url,
        private_networks: "127.0.0.0/8".to_owned(),
        ..Federation::default()
    })
    .await
}

#[tokio::test]
async fn hn61_while_nobody_can_be_asked_messages_wait_and_introductions_do_not() {
    // Nobody listens there.
    let app = gateway_with_registry("http://127.0.0.1:9".to_owned()).await;
    let alice = member(&app, "alice").await;
    let queued = alice.post(&app, "/messages", letter("bob@node-b.test", "one")).await;
    assert_eq!((queued.status, &queued.json["status"]), (202, &"queued".into()), "{queued:?}");
    let body = introduction(&bundle(), "bob@node-b.test");
    let refused = alice.post(&app, "/sessions", body).await;
    let text = Value::from("registry unreachable");
    assert_eq!((refused.status, &refused.json["error"]), (503, &text), "{refused:?}");
}

#[tokio::test]
async fn a_gateway_that_nobody_knows_or_that_is_blocked_gets_nothing() {
    let (url, _said) = registry().await;
    let blocked = Peer { blocked: true, ..Node::new("node-b.test", 1).peer() };
    let app = gateway_with(Federation {
        node_id: "node-a.test".to_owned(),
        registry_url: url,
        peers: vec![blocked],
        ..Federation::default()
    })
    .await;
    let alice = member(&app, "alice").await;
    for (address, status, text) in [
        ("bob@node-b.test", 403, "target node is blocked"),
        ("bob@node-c.test", 404, "target node not found in registry"),
    ] {
        for (path, body) in
            [("/messages", letter(address, "one")), ("/sessions", introduction(&bundle(), address))]
        {
            let answer = alice.post(&app, path, body).await;
            let error = &answer.json["error"];
            assert_eq!((answer.status, error), (status, &text.into()), "{path} {address}");
        }
    }
    let asked = Node::new("node-b.test", 1).get(&app, "/s2s/users/alice/keys").await;
    assert_eq!((asked.status, &asked.json), (403, &"node is blocked".into()));
}

#[tokio::test]
async fn the_key_of_the_first_sight_stays() {
    let (url, said) = registry().await;
    let (b, eve) = (Node::new("node-b.test", 1), Node::new("node-b.test", 2));
    let listed = |node: &Node| {
        let peer = node.peer();
        json!({ "api_url": peer.api_url, "public_key_b64": peer.public_key_b64 })
    };
    let app = gateway_with_registry(url).await;
    member(&app, "alice").await;
    *said.lock().unwrap() = (200, listed(&b));
    let path = "/s2s/users/alice/devices";
    assert_eq!(b.get(&app, path).await.status, 200);
    *said.lock().unwrap() = (200, listed(&eve));
    assert_eq!(eve.get(&app, path).await.status, 401);
    app.clock.advance(Duration::from_secs(3600));
    let answer = eve.get(&app, path).await;
    assert_eq!((answer.status, &answer.json), (502, &"malformed registry response".into()));
    // What was known is good while the registry is away, or says nothing to us.
    *said.lock().unwrap() = (429, Value::Null);
    assert_eq!(b.get(&app, path).await.status, 200);
    assert_eq!(eve.get(&app, path).await.status, 401);
}

#[tokio::test]
async fn a_registry_leads_to_no_private_network() {
    let (url, said) = registry().await;
    let app = gateway_with(Federation {
        node_id: "node-a.test".to_owned(),
        registry_url: url,
        ..Federation::default()
    })
    .await;
    let (b, alice) = (Node::new("node-b.test", 1), member(&app, "alice").await);
    let inside = listener().await;
    let api_url = format!("http://{}", inside.local_addr().unwrap());
    let public_key_b64 = b.peer().public_key_b64;
    *said.lock().unwrap() = (200, json!({ "api_url": api_url, "public_key_b64": public_key_b64 }));
    let keys = alice.get(&app, "/s2s/federated/bob/node-b.test/keys").await;
    let text = Value::from("failed to reach target node");
    assert_eq!((keys.status, &keys.json["error"]), (502, &text), "{keys:?}");
}

#[tokio::test]
async fn h23_an_acknowledgement_drops_nothing_that_was_not_brought() {
    let b = Node::new("node-b.test", 1);
    let app = gateway("node-a.test", vec![b.peer()]).await;
    // Ids are their senders' own: two of them use the same one.
    for (n, name) in ["alice", "dave"].into_iter().enumerate() {
        let sender = member(&app, name).await;
        let queued = sender.post(&app, "/messages", letter("bob@node-b.test", "one")).await;
        assert_eq!(queued.status, 202, "{n} {queued:?}");
    }
    let ack = json!({ "logical_msg_id": "one", "status": "delivered" });
    let acknowledged = b.post(&app, "/s2s/ack", ack).await;
    assert_eq!((acknowledged.status, &acknowledged.json["status"]), (200, &"ack received".into()));
    let store = app.gateway().store.clone();
    // Far later than any pause.
    let far = sealpost::domain::clock::Clock::now(&*app.clock).plus(Duration::from_secs(3600));
    // One that the gateway is about to bring is passed over for a moment.
    for _ in 0..500 {
        if store.due_lines(far, far, 9).await.unwrap().len() == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("a letter is gone");
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_keeps_nobody_else_waiting() {
    let (silent, on_a, on_b) = (listener().await, listener().await, listener().await);
    let (to_a, to_b) = (peer("node-a.test", &on_a), peer("node-b.test", &on_b));
    // It takes connections and says nothing.
    let to_silent = Peer {
        public_key_b64: Node::new("", 3).peer().public_key_b64,
        ..peer("silent.test", &silent)
    };
    let a = gateway("node-a.test", vec![to_b, to_silent]).await;
    let b = gateway("node-b.test", vec![to_a]).await;
    serve(on_a, a.router());
    serve(on_b, b.router());
    let (alice, bob) = (member(&a, "alice").await, member(&b, "bob").await);
    let bundle = alice.get(&a, "/s2s/federated/bob/node-b.test/keys").await.list()[0].clone();
    let introduced = alice.post(&a, "/sessions", introduction(&bundle, "bob@node-b.test")).await;
    assert_eq!(introduced.status, 202, "{introduced:?}");
    for n in 0..20 {
        let other = member(&a, &format!("other {n}")).await;
        let queued = other.post(&a, "/messages", letter("eve@silent.test", "one")).await;
        assert_eq!(queued.status, 202, "{queued:?}");
    }
    let nobody = Value::from("00000000-0000-0000-0000-000000000000");
    let mut to_bob = message(&nobody, &bundle["device_id"], "one");
    to_bob["to_user_address"] = "bob@node-b.test".into();
    assert_eq!(alice.post(&a, "/messages", to_bob).await.status, 202);
    assert_eq!(fetch(&b, &bob).await.len(), 1);
}

#[tokio::test]
async fn not_now_is_not_unknown() {
    for (said_status, status) in [(404, 404), (410, 404), (401, 503), (403, 503), (429, 503)] {
        let (url, said) = registry().await;
        *said.lock().unwrap() = (said_status, Value::Null);
        let app = gateway_with_registry(url).await;
        let alice = member(&app, "alice").await;
        let refused = alice.post(&app, "/sessions", introduction(&bundle(), "bob@b.test")).await;
        assert_eq!(refused.status, status, "{said_status} {refused:?}");
    }
}

#[tokio::test]
async fn an_id_that_no_database_takes_is_refused_for_elsewhere_too() {
    let app = gateway("node-a.test", vec![Node::new("node-b.test", 1).peer()]).await;
    let alice = member(&app, "alice").await;
    let refused = alice.post(&app, "/messages", letter("bob@node-b.test", "a\0")).await;
    assert_eq!(refused.status, 422, "{refused:?}");
}
