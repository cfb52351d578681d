//! Sending, in both editions.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use prost::Message;
use sealpost::dialect::textsecure::envelope::Envelope;
use sealpost::domain::phone::{DeviceNumber, PhoneNumber};
use serde_json::{Value, json};

use super::letters::{
    ANNA, BERT, CARL, NOBODY, link_silent, now, part, part_for, pull, retry_after, says, send,
    texts, unlimited, unlimited_with,
};
use crate::harness::TestApp;
use crate::harness::phone::Phone;

#[tokio::test]
async fn a_message_reaches_all_devices_of_a_phone() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let tablet = app.link(&bert).await;
    let parts = [part(&bert, "to the phone"), part(&tablet, "to the tablet")];
    let answer = send(&app, &anna, BERT, &parts).await;
    assert_eq!((answer.status, answer.json), (200, json!({ "needsSync": false })));
    let at = now(&app);
    let expected = json!({
        "type": 1, "relay": null, "timestamp": at, "source": ANNA, "sourceDevice": 1,
        "message": "dG8gdGhlIHBob25l", "content": null,
    });
    assert_eq!(pull(&app, &bert).await, [expected]);
    assert_eq!(texts(&app, &tablet).await, ["to the tablet"]);
}

#[tokio::test]
async fn a_sender_with_several_devices_is_told_to_tell_the_others() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let tablet = app.link(&anna).await;
    let answer = send(&app, &anna, BERT, &[part(&bert, "hello")]).await;
    assert_eq!(answer.json, json!({ "needsSync": true }));
    let answer = send(&app, &anna, ANNA, &[part(&tablet, "I said hello")]).await;
    assert_eq!((answer.status, answer.json), (200, json!({ "needsSync": false })));
    assert_eq!(texts(&app, &tablet).await, ["I said hello"]);
    let answer = send(&app, &anna, ANNA, &[part(&anna, "a"), part(&tablet, "b")]).await;
    assert_eq!(answer.json, json!({ "missingDevices": [], "extraDevices": [1] }));
}

#[tokio::test]
async fn other_devices_than_the_phone_has_are_named_and_nothing_is_delivered() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let tablet = app.link(&bert).await;
    let silent = link_silent(&app, &bert).await;
    for (parts, missing, extra) in [
        (vec![part(&bert, "x"), part_for(3, "x")], json!([2]), json!([3])),
        (vec![], json!([1, 2]), json!([])),
        (vec![part_for(9, "x"), part_for(9, "x")], json!([1, 2]), json!([9, 9])),
        (vec![part(&bert, "x"), part(&tablet, "x"), part(&silent, "x")], json!([]), json!([3])),
    ] {
        let answer = send(&app, &anna, BERT, &parts).await;
        let expected = json!({ "missingDevices": missing, "extraDevices": extra });
        assert_eq!((answer.status, answer.json), (409, expected), "{parts:?}");
    }
    for device in [&bert, &tablet, &silent] {
        assert!(pull(&app, device).await.is_empty());
    }
}

#[tokio::test]
async fn an_installation_that_is_gone_is_named_and_nothing_is_delivered() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let tablet = app.link(&bert).await;
    let stale = Phone { registration: 999, ..tablet.clone() };
    let answer = send(&app, &anna, BERT, &[part(&bert, "x"), part(&stale, "x")]).await;
    assert_eq!((answer.status, answer.json), (410, json!({ "staleDevices": [2] })));
    assert!(pull(&app, &bert).await.is_empty() && pull(&app, &tablet).await.is_empty());
    let unknown = Phone { registration: 0, ..tablet.clone() };
    says(&app, &anna, &[&bert, &unknown], "x").await;
    assert_eq!(texts(&app, &tablet).await, ["x"]);
}

#[tokio::test]
async fn who_cannot_be_reached_is_as_good_as_unknown() {
    let app = unlimited().await;
    let anna = app.phone(ANNA).await;
    for path in [NOBODY, "nobody", "+1"] {
        let answer = send(&app, &anna, path, &[part_for(1, "x")]).await;
        assert_eq!((answer.status, answer.json), (404, json!("")), "{path}");
    }
    let bert = app.phone(BERT).await;
    let again = app.code(BERT).await;
    let mut attributes = bert.attributes();
    attributes["fetchesMessages"] = json!(false);
    bert.put(&app, &format!("/v1/accounts/code/{again}"), attributes).await;
    assert_eq!(send(&app, &anna, BERT, &[part(&bert, "x")]).await.status, 404);
}

#[tokio::test]
async fn a_padded_and_an_unpadded_body_are_the_same_bytes() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    for body in ["aGVsbG8gd29ybGQ=", "aGVsbG8gd29ybGQ"] {
        let part = json!({ "type": "1", "body": body, "timestamp": "1234" });
        assert_eq!(send(&app, &anna, BERT, &[part]).await.status, 200);
    }
    let messages = pull(&app, &bert).await;
    assert_eq!(messages.len(), 2);
    for message in messages {
        assert_eq!(message["message"], "aGVsbG8gd29ybGQ=");
        assert_eq!(message["timestamp"], 1234);
    }
}

#[tokio::test]
async fn the_time_is_that_of_the_list_or_of_the_message_or_of_the_gateway() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let path = format!("/v1/messages/{BERT}");
    let at = now(&app);
    for (list, message, expected) in [(7, 8, 7), (0, 8, 8), (0, 0, at), (-1, -1, at)] {
        let mut part = part(&bert, "x");
        part["timestamp"] = json!(message);
        let body = json!({ "timestamp": list, "messages": [part], "destination": "ignored" });
        assert_eq!(anna.put(&app, &path, body).await.status, 200);
        let got = pull(&app, &bert).await;
        assert_eq!(got.len(), 1);
        assert_eq!(got[0]["timestamp"], expected);
    }
}

#[tokio::test]
async fn later_clients_may_send_content_beside_or_instead_of_a_body() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let both = json!({ "type": 3, "body": "YQ==", "content": "Yg" });
    let only = json!({ "type": 3, "content": "Yg==" });
    let empty = json!({ "type": 3, "body": "YQ", "content": "" });
    for part in [both, only, empty] {
        assert_eq!(send(&app, &anna, BERT, &[part]).await.status, 200);
    }
    let got = pull(&app, &bert).await;
    let got: Vec<_> = got.iter().map(|it| (&it["message"], &it["content"])).collect();
    let (a, b, none) = (&json!("YQ=="), &json!("Yg=="), &Value::Null);
    assert_eq!(got, [(a, b), (none, b), (a, none)]);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_nothing_is_delivered() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let (put, post) = (format!("/v1/messages/{BERT}"), "/v1/messages/".to_owned());
    let good = json!({ "body": "YQ==", "destination": BERT });
    for (path, body) in [
        (&put, json!({})),
        (&put, json!([])),
        (&put, json!({ "messages": [{}] })),
        (&put, json!({ "messages": [{ "body": "" }] })),
        (&put, json!({ "messages": [{ "body": "Y!==" }] })),
        (&put, json!({ "messages": [{ "body": "YQ==", "type": "x" }] })),
        (&post, json!({})),
        (&post, json!({ "messages": [good, { "body": "YQ==" }] })),
        (&post, json!({ "messages": [good, { "destination": BERT }] })),
    ] {
        let method = if path == &put { Method::PUT } else { Method::POST };
        let answer = ask(&app, &anna, method, path, "application/json", &body.to_string()).await;
        assert_eq!(answer, 415, "{path} {body}");
    }
    let list = json!({ "messages": [good] }).to_string();
    assert_eq!(ask(&app, &anna, Method::PUT, &put, "text/plain", &list).await, 415);
    assert_eq!(ask(&app, &anna, Method::PUT, &put, "application/json", "{").await, 415);
    let wrong = Phone { password: "wrong".into(), ..anna.clone() };
    assert_eq!(ask(&app, &wrong, Method::PUT, &put, "application/json", "{").await, 401);
    assert!(pull(&app, &bert).await.is_empty());
    let good = "application/json; charset=utf-8";
    assert_eq!(ask(&app, &anna, Method::PUT, &put, good, &list).await, 200);
}

async fn ask(
    app: &TestApp,
    phone: &Phone,
    method: Method,
    path: &str,
    kind: &str,
    body: &str,
) -> u16 {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", kind);
    let request = request.header("authorization", phone.authorization());
    app.call(request.body(Body::from(body.to_owned())).unwrap()).await.status
}

#[tokio::test]
async fn an_empty_relay_is_here_and_any_other_is_unknown() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let path = format!("/v1/messages/{BERT}");
    for (relay, status) in [("", 200), ("there", 404)] {
        let body = json!({ "relay": relay, "messages": [part(&bert, "x")] });
        assert_eq!(anna.put(&app, &path, body).await.status, status, "{relay}");
    }
    assert_eq!(texts(&app, &bert).await, ["x"]);
}

#[tokio::test]
async fn the_first_edition_is_told_what_became_of_each_destination() {
    let app = unlimited().await;
    let (anna, bert, carl) = (app.phone(ANNA).await, app.phone(BERT).await, app.phone(CARL).await);
    let tablet = app.link(&bert).await;
    let to = |number: &str| json!({ "type": 1, "destination": number, "body": "YQ==" });
    let mut elsewhere = to(CARL);
    elsewhere["relay"] = json!("there");
    let messages = json!([to(BERT), to(NOBODY), to(CARL), to("x"), to(BERT), elsewhere]);
    let answer = anna.post(&app, "/v1/messages", json!({ "messages": messages })).await;
    let expected = json!({ "success": [BERT, CARL, BERT], "failure": [NOBODY, "x", CARL] });
    assert_eq!((answer.status, answer.json), (200, expected));
    assert_eq!(texts(&app, &carl).await, ["a"]);
    assert!(pull(&app, &tablet).await.is_empty(), "only the first device gets it");
    assert_eq!(destinations(&app, BERT).await, [NOBODY, CARL, CARL]);
    assert_eq!(texts(&app, &bert).await, ["a"], "the other one is held by the test");
}

#[tokio::test]
async fn the_first_edition_may_quote_numbers_and_leave_padding_out() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    for body in ["aGVsbG8gd29ybGQ=", "aGVsbG8gd29ybGQ"] {
        let one = json!({ "type": "1", "destination": BERT, "body": body, "timestamp": "1234" });
        let answer = anna.post(&app, "/v1/messages/", json!({ "messages": [one] })).await;
        assert_eq!((answer.status, &answer.json["success"]), (200, &json!([BERT])));
    }
    let messages = pull(&app, &bert).await;
    assert_eq!(messages.len(), 2);
    for message in messages {
        assert_eq!(message["message"], "aGVsbG8gd29ybGQ=");
        assert_eq!(message["timestamp"], 1234);
    }
}

/// Who else got the oldest message that waits for a phone.
async fn destinations(app: &TestApp, number: &str) -> Vec<String> {
    let gateway = app.gateway();
    let number = PhoneNumber::parse(number).unwrap();
    let phone = gateway.store.phone(&number).await.unwrap().unwrap();
    let inbox = phone.inbox(phone.device(DeviceNumber::PRIMARY).unwrap());
    let oldest = gateway.lease(inbox, 1, None).await.unwrap().remove(0);
    Envelope::decode(oldest.slot).unwrap().destinations
}

#[tokio::test]
async fn messages_are_limited_for_each_sender() {
    let app = unlimited_with(|config| {
        config.dialects.textsecure.limits.messages_at_once = 2;
        config.dialects.textsecure.limits.messages_an_hour = 60;
    })
    .await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let tablet = app.link(&anna).await;
    says(&app, &anna, &[&bert], "1").await;
    says(&app, &tablet, &[&bert], "2").await;
    let answer = send(&app, &anna, BERT, &[part(&bert, "3")]).await;
    assert_eq!((answer.status, retry_after(&answer)), (413, 60));
    says(&app, &bert, &[&anna, &tablet], "nobody pays for others").await;
    app.clock.advance(Duration::from_secs(60));
    says(&app, &anna, &[&bert], "4").await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let app = unlimited_with(|config| config.limits.ciphertext_bytes = 1024).await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let answer = send(&app, &anna, BERT, &[part(&bert, &"x".repeat(1025))]).await;
    assert_eq!((answer.status, retry_after(&answer)), (413, 60));
    says(&app, &anna, &[&bert], &"x".repeat(1024)).await;
}

#[tokio::test]
async fn a_full_device_makes_its_senders_wait() {
    let app = unlimited_with(|config| config.limits.inbox_messages = 8).await;
    let (anna, bert, carl) = (app.phone(ANNA).await, app.phone(BERT).await, app.phone(CARL).await);
    pull(&app, &bert).await;
    for number in 1..=8 {
        says(&app, &anna, &[&bert], &number.to_string()).await;
    }
    let answer = send(&app, &anna, BERT, &[part(&bert, "9")]).await;
    assert_eq!((answer.status, retry_after(&answer)), (503, 60));
    let to = |number: &str| json!({ "destination": number, "body": "YQ==" });
    let post =
        async |messages| anna.post(&app, "/v1/messages/", json!({ "messages": messages })).await;
    assert_eq!(post(json!([to(BERT)])).await.status, 503, "nothing was stored");
    let answer = post(json!([to(BERT), to(CARL)])).await;
    assert_eq!(answer.json, json!({ "success": [CARL], "failure": [BERT] }));
    assert_eq!(texts(&app, &carl).await, ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_meant_for_an_old_installation_never_lands_at_the_new_one() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let code = app.code(BERT).await;
    let reinstalled = Phone { registration: 333, password: "new".into(), ..bert.clone() };
    let sends = async {
        let mut statuses = Vec::new();
        while statuses.last() != Some(&410) && statuses.len() < 10_000 {
            let parts = [part(&bert, "for the old one")];
            statuses.push(send(&app, &anna, BERT, &parts).await.status);
        }
        statuses
    };
    let path = format!("/v1/accounts/code/{code}");
    let (statuses, answer) =
        tokio::join!(sends, reinstalled.put(&app, &path, reinstalled.attributes()));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(statuses.iter().all(|status| [200, 410].contains(status)), "{statuses:?}");
    assert!(pull(&app, &reinstalled).await.is_empty());
    assert_eq!(bert.get(&app, "/v1/messages/").await.status, 401);
    says(&app, &anna, &[&reinstalled], "welcome").await;
    assert_eq!(texts(&app, &reinstalled).await, ["welcome"]);
}
