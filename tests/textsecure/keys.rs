//! Prekeys: left by their owner, given out once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use super::letters::{ANNA, BERT, CARL, NOBODY, link_silent, retry_after, unlimited};
use crate::harness::phone::Phone;
use crate::harness::{Answer, TestApp};

const LAST_RESORT: u64 = 16_777_215;

/// A key of the first version, of which everything but its number follows from a name.
fn key(name: &str, id: u64) -> Value {
    json!({
        "keyId": id,
        "publicKey": format!("{name} public {id}"),
        "identityKey": format!("{name} identity"),
    })
}

fn list(name: &str, ids: impl IntoIterator<Item = u64>) -> Value {
    let keys: Vec<_> = ids.into_iter().map(|id| key(name, id)).collect();
    json!({ "lastResortKey": key(name, LAST_RESORT), "keys": keys })
}

pub async fn leaves(app: &TestApp, phone: &Phone, name: &str, ids: impl IntoIterator<Item = u64>) {
    let answer = phone.put(app, "/v1/keys/", list(name, ids)).await;
    assert_eq!((answer.status, answer.json), (200, json!("")));
}

async fn fetch(app: &TestApp, phone: &Phone, path: &str) -> Answer {
    phone.get(app, &format!("/v1/keys/{path}")).await
}

/// The number of the key that is given out for a number's first device.
async fn next(app: &TestApp, phone: &Phone, number: &str) -> u64 {
    let answer = fetch(app, phone, number).await;
    answer.json["keyId"].as_u64().unwrap_or_else(|| panic!("{answer:?}"))
}

async fn count(app: &TestApp, phone: &Phone) -> Value {
    let (first, second) =
        (phone.get(app, "/v1/keys").await.json, phone.get(app, "/v2/keys/").await.json);
    assert_eq!(first, second);
    first["count"].clone()
}

/// The devices that a list of keys is for.
fn devices(list: &Value) -> Vec<u64> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|one| one["deviceId"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn a_key_of_the_first_edition_is_bare_and_given_out_once() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    leaves(&app, &bert, "bert", [7, 8]).await;
    let answer = fetch(&app, &anna, BERT).await;
    assert_eq!((answer.status, answer.json), (200, key("bert", 7)));
    assert_eq!(count(&app, &bert).await, 1);
}

#[tokio::test]
async fn a_key_of_the_second_edition_says_for_which_installation_it_is() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    leaves(&app, &bert, "bert", [0]).await;
    let mut expected = key("bert", 0);
    (expected["deviceId"], expected["registrationId"]) = (json!(1), json!(222));
    let answer = fetch(&app, &anna, &format!("{BERT}/1?relay=")).await;
    assert_eq!((answer.status, answer.json), (200, json!({ "keys": [expected] })));
}

#[tokio::test]
async fn ids_ascend_and_the_last_resort_stays() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    // Some are larger than the last resort's: what makes it one is its place in the list.
    leaves(&app, &bert, "bert", [LAST_RESORT + 1, 3, LAST_RESORT]).await;
    let mut given = Vec::new();
    for _ in 0..5 {
        given.push(next(&app, &anna, BERT).await);
    }
    assert_eq!(given, [3, LAST_RESORT, LAST_RESORT + 1, LAST_RESORT, LAST_RESORT]);
    assert_eq!(count(&app, &bert).await, 0);
}

#[tokio::test]
async fn new_keys_replace_all_that_were_left_before() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    leaves(&app, &bert, "old", [1, 2]).await;
    leaves(&app, &bert, "new", [5]).await;
    assert_eq!(fetch(&app, &anna, BERT).await.json, key("new", 5));
    assert_eq!(fetch(&app, &anna, BERT).await.json, key("new", LAST_RESORT));
}

#[tokio::test]
async fn who_registers_again_has_left_nothing_yet() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    leaves(&app, &bert, "bert", [1]).await;
    let bert = app.phone(&bert.number).await;
    assert_eq!(fetch(&app, &anna, BERT).await.status, 404);
    assert_eq!(count(&app, &bert).await, 0);
}

#[tokio::test]
async fn a_star_is_for_all_devices_that_messages_can_reach() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let second = app.link(&bert).await;
    let third = link_silent(&app, &bert).await;
    let fourth = app.link(&bert).await;
    for device in [&bert, &second, &third, &fourth] {
        // The identity key is the account's; the latest one counts.
        leaves(&app, device, &format!("device {}", device.device), [1]).await;
    }
    let answer = fetch(&app, &anna, &format!("{BERT}/*")).await;
    let keys = &answer.json["keys"];
    assert_eq!(devices(keys), [1, 2, 4]);
    for key in keys.as_array().unwrap() {
        assert_eq!(key["identityKey"], "device 4 identity");
        assert_eq!(key["publicKey"], format!("device {} public 1", key["deviceId"]));
    }
    assert_eq!(count(&app, &third).await, 1, "nothing is taken from who cannot be reached");
    assert_eq!(fetch(&app, &anna, &format!("{BERT}/3")).await.status, 404);
}

#[tokio::test]
async fn where_nobody_can_begin_to_write_nothing_is_found() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let paths = [
        BERT.to_owned(),
        NOBODY.to_owned(),
        "x".to_owned(),
        format!("{BERT}/1"),
        format!("{BERT}/*"),
        format!("{BERT}/22"),
        format!("{BERT}/x"),
    ];
    for path in &paths {
        assert_eq!(fetch(&app, &anna, path).await.status, 404, "{path}");
        let answer = anna.get(&app, &format!("/v2/keys/{path}")).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    leaves(&app, &bert, "bert", [1]).await;
    for version in ["v1", "v2"] {
        let other = format!("/{version}/keys/{BERT}/22");
        assert_eq!(
            anna.get(&app, &other).await.status,
            404,
            "no such device, though keys were left"
        );
        for path in [other, format!("/{version}/keys"), format!("/{version}/keys/{BERT}/1")] {
            let answer = app.stranger(Method::GET, &path, &Value::Null).await;
            assert_eq!(answer.status, 401, "{path}");
        }
    }
    assert_eq!(fetch(&app, &anna, &format!("{BERT}?relay=there")).await.status, 404);
    assert_eq!(anna.get(&app, &format!("/v2/keys/{BERT}")).await.status, 404, "no such path");
    let wrong = Phone { password: "wrong".into(), ..anna.clone() };
    assert_eq!(fetch(&app, &wrong, BERT).await.status, 401);
    assert_eq!(count(&app, &bert).await, 1);
}

#[tokio::test]
async fn the_fourth_key_of_one_pair_has_to_wait() {
    let app = TestApp::start_for_phones().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let carl = app.phone(CARL).await;
    leaves(&app, &bert, "bert", 1..=9).await;
    for _ in 0..3 {
        next(&app, &anna, BERT).await;
    }
    let answer = fetch(&app, &anna, BERT).await;
    assert_eq!((answer.status, retry_after(&answer)), (413, 600));
    assert_eq!(next(&app, &carl, BERT).await, 4, "others need not wait");
    app.clock.advance(Duration::from_secs(600));
    assert_eq!(next(&app, &anna, BERT).await, 5);
}

#[tokio::test]
async fn what_is_no_list_of_keys_is_refused_and_nothing_changes() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    leaves(&app, &bert, "bert", [1]).await;
    for body in [
        json!({}),
        json!({ "keys": [] }),
        json!({ "lastResortKey": key("x", 1) }),
        json!({ "lastResortKey": key("x", 1), "keys": [{ "keyId": 1, "publicKey": "x" }] }),
        json!({ "lastResortKey": { "keyId": 1, "publicKey": "x" }, "keys": [] }),
    ] {
        assert_eq!(bert.put(&app, "/v1/keys/", body.clone()).await.status, 415, "{body}");
    }
    assert_eq!(bert.put(&app, "/v2/keys", list("x", [1])).await.status, 415);
    assert_eq!(count(&app, &bert).await, 1);
    // What later clients add is passed over, and no ordinary key is a last resort.
    let mut odd = key("bert", 4);
    (odd["lastResort"], odd["deviceId"], odd["keyId"]) = (json!(true), json!(0), json!("4"));
    let body = json!({ "lastResortKey": key("bert", 1), "keys": [odd] });
    assert_eq!(bert.put(&app, "/v1/keys", body).await.status, 200);
    assert_eq!(next(&app, &bert, BERT).await, 4);
    assert_eq!(next(&app, &bert, BERT).await, 1);
}

fn second_version(name: &str, ids: &[u64]) -> Value {
    let bare = |id: u64| json!({ "keyId": id, "publicKey": format!("{name} public {id}") });
    json!({
        "identityKey": format!("{name} identity"),
        "preKeys": ids.iter().map(|id| bare(*id)).collect::<Vec<_>>(),
        "lastResortKey": bare(LAST_RESORT),
        "signedPreKey": signed(name, 1),
    })
}

fn signed(name: &str, id: u64) -> Value {
    let (public, signature) = (format!("{name} signed {id}"), format!("{name} signature {id}"));
    json!({ "keyId": id, "publicKey": public, "signature": signature })
}

#[tokio::test]
async fn the_second_version_has_a_signed_key_beside_the_others() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let answer = bert.put(&app, "/v2/keys/", second_version("bert", &[1, 2, 3, 4])).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(count(&app, &bert).await, 4);
    let answer = anna.get(&app, &format!("/v2/keys/{BERT}/1")).await;
    let device = json!({
        "deviceId": 1, "registrationId": 222, "signedPreKey": signed("bert", 1),
        "preKey": { "keyId": 1, "publicKey": "bert public 1" },
    });
    let expected = json!({ "identityKey": "bert identity", "devices": [device] });
    assert_eq!((answer.status, answer.json), (200, expected));
    // Both versions give out the same keys.
    assert_eq!(fetch(&app, &anna, BERT).await.json, key("bert", 2));
}

#[tokio::test]
async fn a_signed_key_is_replaced_by_itself() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    assert_eq!(bert.get(&app, "/v2/keys/signed").await.status, 404);
    bert.put(&app, "/v2/keys", second_version("bert", &[1])).await;
    assert_eq!(bert.get(&app, "/v2/keys/signed").await.json, signed("bert", 1));
    assert_eq!(bert.put(&app, "/v2/keys/signed", signed("bert", 2)).await.status, 204);
    assert_eq!(bert.get(&app, "/v2/keys/signed").await.json, signed("bert", 2));
    assert_eq!(bert.put(&app, "/v2/keys/signed", json!({ "keyId": 3 })).await.status, 415);
    assert_eq!(count(&app, &bert).await, 1);
}

#[tokio::test]
async fn a_device_without_a_signed_key_is_listed_without_one() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let second = app.link(&bert).await;
    let third = link_silent(&app, &bert).await;
    let (fourth, fifth) = (app.link(&bert).await, app.link(&bert).await);
    for device in [&bert, &second, &third] {
        device.put(&app, "/v2/keys", second_version("bert", &[1])).await;
    }
    leaves(&app, &fourth, "bert", [1]).await;
    assert_eq!(fifth.put(&app, "/v2/keys/signed", signed("bert", 9)).await.status, 204);
    let answer = anna.get(&app, &format!("/v2/keys/{BERT}/*")).await;
    let list = &answer.json["devices"];
    assert_eq!(devices(list), [1, 2, 4, 5]);
    let has: Vec<_> = (list.as_array().unwrap().iter())
        .map(|one| (one.get("signedPreKey").is_some(), one.get("preKey").is_some()))
        .collect();
    assert_eq!(has, [(true, true), (true, true), (false, true), (true, false)]);
    assert_eq!(devices(&fetch(&app, &anna, &format!("{BERT}/*")).await.json["keys"]), [1, 2, 4]);
}

/// 64 senders ask for two keys each, of a hundred.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_key_is_given_out_twice_however_many_ask_at_once() {
    let app = Arc::new(unlimited().await);
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    leaves(&app, &bert, "bert", 1..=100).await;
    let ask = || {
        let (app, anna) = (app.clone(), anna.clone());
        tokio::spawn(async move { [next(&app, &anna, BERT).await, next(&app, &anna, BERT).await] })
    };
    let senders: Vec<_> = (0..64).map(|_| ask()).collect();
    let mut given: HashMap<u64, usize> = HashMap::new();
    for sender in senders {
        for id in sender.await.unwrap() {
            *given.entry(id).or_default() += 1;
        }
    }
    assert_eq!(given.remove(&LAST_RESORT), Some(128 - 100));
    assert_eq!(given.len(), 100);
    assert!(given.values().all(|times| *times == 1), "{given:?}");
}

#[tokio::test]
async fn what_is_too_much_or_too_long_changes_nothing() {
    let app = unlimited().await;
    let anna = app.phone(ANNA).await;
    leaves(&app, &anna, "anna", 0..3).await;
    assert_eq!(anna.put(&app, "/v1/keys", list("anna", 0..501)).await.status, 413);
    let long = list(&"x".repeat(600), 0..1);
    assert_eq!(anna.put(&app, "/v1/keys", long).await.status, 415);
    let mut below = list("anna", 0..1);
    below["keys"][0]["keyId"] = json!(-1);
    assert_eq!(anna.put(&app, "/v1/keys", below).await.status, 415);
    let signed = json!({ "keyId": 1, "publicKey": "x", "signature": "x".repeat(513) });
    assert_eq!(anna.put(&app, "/v2/keys/signed", signed).await.status, 415);
    assert_eq!(count(&app, &anna).await, 3);
}
