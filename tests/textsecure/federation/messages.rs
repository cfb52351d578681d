//! Messages from one gateway to the other.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Pair, pair, pair_with};
use crate::harness::Answer;
use crate::harness::phone::Phone;
use crate::textsecure::letters::{
    ANNA, BERT, CARL, NOBODY, now, part, part_for, pull, retry_after, texts,
};

/// Sends parts from here to a number there.
async fn send(pair: &Pair, from: &Phone, to: &str, parts: &[Value]) -> Answer {
    let body = json!({ "relay": "there", "messages": parts });
    from.put(&pair.here, &format!("/v1/messages/{to}"), body).await
}

#[tokio::test]
async fn a_message_says_from_which_gateway_it_comes() {
    let pair = pair().await;
    let (anna, bert) = (pair.here.phone(ANNA).await, pair.there.phone(BERT).await);
    let sent = send(&pair, &anna, BERT, &[part(&bert, "hello")]).await;
    assert_eq!((sent.status, sent.json), (200, json!({ "needsSync": false })));
    let at = now(&pair.here);
    let message = json!({
        "type": 1, "relay": "here", "timestamp": at, "source": ANNA, "sourceDevice": 1,
        "message": "aGVsbG8=", "content": null,
    });
    assert_eq!(pull(&pair.there, &bert).await, [message]);
    let tablet = pair.here.link(&anna).await;
    let sent = send(&pair, &tablet, BERT, &[part(&bert, "from my tablet")]).await;
    assert_eq!(sent.json, json!({ "needsSync": true }));
    assert_eq!(pull(&pair.there, &bert).await[0]["sourceDevice"], 2);
}

#[tokio::test]
async fn an_answer_goes_back_the_same_way() {
    let pair = pair().await;
    let (anna, bert) = (pair.here.phone(ANNA).await, pair.there.phone(BERT).await);
    let body = json!({ "relay": "here", "timestamp": 77, "messages": [part(&anna, "hello")] });
    assert_eq!(bert.put(&pair.there, &format!("/v1/messages/{ANNA}"), body).await.status, 200);
    let got = &pull(&pair.here, &anna).await[0];
    assert_eq!((&got["relay"], &got["timestamp"]), (&json!("there"), &json!(77)));
}

#[tokio::test]
async fn the_other_gateway_compares_devices_and_installations() {
    let pair = pair().await;
    let (anna, bert) = (pair.here.phone(ANNA).await, pair.there.phone(BERT).await);
    let tablet = pair.there.link(&bert).await;
    let other = send(&pair, &anna, BERT, &[part(&bert, "x"), part_for(3, "x")]).await;
    let lists = json!({ "missingDevices": [2], "extraDevices": [3] });
    assert_eq!((other.status, other.json), (409, lists));
    let mut stale = part(&tablet, "x");
    stale["destinationRegistrationId"] = json!(999);
    let other = send(&pair, &anna, BERT, &[part(&bert, "x"), stale]).await;
    assert_eq!((other.status, other.json), (410, json!({ "staleDevices": [2] })));
    assert_eq!(send(&pair, &anna, NOBODY, &[part_for(1, "x")]).await.status, 404);
    let both = [part(&bert, "one"), part(&tablet, "two")];
    assert_eq!(send(&pair, &anna, BERT, &both).await.status, 200);
    assert_eq!(texts(&pair.there, &bert).await, ["one"]);
    assert_eq!(texts(&pair.there, &tablet).await, ["two"]);
}

#[tokio::test]
async fn nobody_is_at_two_gateways() {
    let pair = pair().await;
    let anna = pair.here.phone(ANNA).await;
    assert_eq!(send(&pair, &anna, ANNA, &[part(&anna, "x")]).await.status, 400);
}

#[tokio::test]
async fn too_many_messages_for_the_other_gateway_may_go_later() {
    let pair = pair_with(|it| {
        (it.limits.messages_at_once, it.limits.messages_an_hour) = (2, 60);
    })
    .await;
    let (anna, carl) = (pair.here.phone(ANNA).await, pair.here.phone(CARL).await);
    let bert = pair.there.phone(BERT).await;
    for _ in 0..2 {
        assert_eq!(send(&pair, &anna, BERT, &[part(&bert, "x")]).await.status, 200);
    }
    let refused = send(&pair, &anna, BERT, &[part(&bert, "x")]).await;
    assert_eq!((refused.status, retry_after(&refused)), (503, 60));
    let other = send(&pair, &carl, BERT, &[part(&bert, "x")]).await;
    assert_eq!(other.status, 200, "each sender has a bucket");
    pair.there.clock.advance(Duration::from_secs(60));
    assert_eq!(send(&pair, &anna, BERT, &[part(&bert, "x")]).await.status, 200);
}

#[tokio::test]
async fn the_first_edition_reaches_several_gateways_at_once() {
    let pair = pair().await;
    let (anna, carl) = (pair.here.phone(ANNA).await, pair.here.phone(CARL).await);
    let bert = pair.there.phone(BERT).await;
    pair.there.link(&bert).await;
    let to = |number: &str, relay: Option<&str>| json!({ "type": 1, "destination": number, "body": "YQ==", "relay": relay });
    let messages = json!([
        to(BERT, Some("there")),
        to(CARL, None),
        to(NOBODY, Some("there")),
        to(CARL, Some("nowhere")),
    ]);
    let sent = anna.post(&pair.here, "/v1/messages/", json!({ "messages": messages })).await;
    let expected = json!({ "success": [BERT, CARL], "failure": [NOBODY, CARL] });
    assert_eq!((sent.status, sent.json), (200, expected));
    assert_eq!(pull(&pair.there, &bert).await[0]["relay"], "here");
    assert_eq!(pull(&pair.here, &carl).await[0]["relay"], Value::Null);
}

#[tokio::test]
async fn no_receipt_goes_to_another_gateway() {
    let pair = pair().await;
    let (anna, bert) = (pair.here.phone(ANNA).await, pair.there.phone(BERT).await);
    send(&pair, &anna, BERT, &[part(&bert, "hello")]).await;
    let at = pull(&pair.there, &bert).await[0]["timestamp"].clone();
    // Somebody else may have the same number here.
    let namesake = pair.there.phone(ANNA).await;
    assert_eq!(bert.delete(&pair.there, &format!("/v1/messages/{ANNA}/{at}")).await.status, 204);
    for (relay, status) in [("here", 204), ("nowhere", 404)] {
        let path = format!("/v1/receipt/{ANNA}/{at}?relay={relay}");
        assert_eq!(bert.put(&pair.there, &path, Value::Null).await.status, status);
    }
    assert!(pull(&pair.here, &anna).await.is_empty());
    assert!(pull(&pair.there, &namesake).await.is_empty());
}
