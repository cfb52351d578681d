//! Where a device is woken, and what that has to do with being listed.

use futures_util::{FutureExt, StreamExt};
use sealpost::domain::phone::push_address::Endpoint;
use sealpost::domain::phone::{PhoneNumber, PushKind};
use sealpost::domain::ports::Hint;
use serde_json::json;

use crate::harness::{Phone, TestApp};

const NUMBER: &str = "+14152222222";
const TOKEN: &str = "BQVVHxMt5zAFXA";

/// A phone that does not come for its messages by itself.
async fn sleeper(app: &TestApp) -> Phone {
    let phone = Phone::new(NUMBER);
    let mut body = phone.attributes();
    body["fetchesMessages"] = json!(false);
    let path = format!("/v1/accounts/code/{}", app.code(NUMBER).await);
    assert_eq!(phone.put(app, &path, body).await.status, 200);
    phone
}

async fn is_listed(app: &TestApp, asker: &Phone) -> bool {
    let answer = asker.get(app, &format!("/v1/directory/{TOKEN}")).await;
    assert!(matches!(answer.status, 200 | 404), "{answer:?}");
    answer.status == 200
}

/// The kind and the bytes of the device's push address.
async fn kept(app: &TestApp) -> Option<(PushKind, Vec<u8>)> {
    let number = PhoneNumber::parse(NUMBER).unwrap();
    let phone = app.gateway().store.phone(&number).await.unwrap().unwrap();
    let device = &phone.devices[0];
    let push = device.push.as_ref()?;
    let opened = device.open_push_address(&app.switchboard().vault, push).unwrap();
    Some((push.kind, opened.to_vec()))
}

#[tokio::test]
async fn a_push_id_makes_a_phone_reachable_and_listed() {
    let app = TestApp::start_for_phones().await;
    let (phone, asker) = (sleeper(&app).await, app.phone("+14152222223").await);
    assert!(!is_listed(&app, &asker).await);
    let answer = phone.put(&app, "/v1/accounts/gcm/", json!({"gcmRegistrationId": "abc"})).await;
    assert_eq!((answer.status, answer.json.as_str()), (200, Some("")));
    assert!(is_listed(&app, &asker).await);
    assert_eq!(kept(&app).await, Some((PushKind::Gcm, b"abc".to_vec())));

    assert_eq!(phone.delete(&app, "/v1/accounts/gcm").await.status, 200);
    assert!(!is_listed(&app, &asker).await);
    assert_eq!(kept(&app).await, None);
}

#[tokio::test]
async fn a_phone_without_its_only_id_is_as_good_as_unknown() {
    let app = TestApp::start_for_phones().await;
    let (phone, asker) = (sleeper(&app).await, app.phone("+14152222223").await);
    let key = |id: u64| json!({ "keyId": id, "publicKey": "public", "identityKey": "identity" });
    let keys = json!({ "lastResortKey": key(16_777_215), "keys": [key(1)] });
    assert_eq!(phone.put(&app, "/v1/keys", keys).await.status, 200);
    let write = json!({ "messages": [{ "type": 1, "body": "YQ==" }] });
    let statuses = async || {
        let message = asker.put(&app, &format!("/v1/messages/{NUMBER}"), write.clone()).await;
        [message.status, asker.get(&app, &format!("/v1/keys/{NUMBER}/1")).await.status]
    };
    phone.put(&app, "/v1/accounts/apn/", json!({"apnRegistrationId": "00ff"})).await;
    assert_eq!(statuses().await, [200, 200]);
    assert_eq!(phone.delete(&app, "/v1/accounts/apn/").await.status, 200);
    assert_eq!(statuses().await, [404, 404]);
}

#[tokio::test]
async fn who_fetches_stays_listed_without_an_id() {
    let app = TestApp::start_for_phones().await;
    let (phone, asker) = (app.phone(NUMBER).await, app.phone("+14152222223").await);
    phone.put(&app, "/v1/accounts/gcm", json!({"gcmRegistrationId": "abc"})).await;
    assert_eq!(phone.delete(&app, "/v1/accounts/gcm").await.status, 200);
    assert!(is_listed(&app, &asker).await);
}

#[tokio::test]
async fn one_id_takes_the_place_of_another_and_only_its_own_call_clears_it() {
    let app = TestApp::start_for_phones().await;
    let phone = sleeper(&app).await;
    phone.put(&app, "/v1/accounts/gcm/", json!({"gcmRegistrationId": "abc"})).await;
    assert_eq!(phone.delete(&app, "/v1/accounts/apn/").await.status, 200);
    assert_eq!(kept(&app).await, Some((PushKind::Gcm, b"abc".to_vec())));
    phone.put(&app, "/v1/accounts/apn/", json!({"apnRegistrationId": "def"})).await;
    assert_eq!(kept(&app).await, Some((PushKind::Apn, b"def".to_vec())));
    assert_eq!(phone.delete(&app, "/v1/accounts/gcm/").await.status, 200);
    assert!(kept(&app).await.is_some());
    assert_eq!(phone.delete(&app, "/v1/accounts/apn/").await.status, 200);
    assert_eq!(kept(&app).await, None);
}

#[tokio::test]
async fn a_url_is_an_endpoint_wherever_it_is_written() {
    let app = TestApp::start_for_phones().await;
    let phone = sleeper(&app).await;
    let url = "https://push.example/7734";
    for (path, name) in [
        ("/v1/accounts/gcm/", "gcmRegistrationId"),
        ("/v1/accounts/ups/", "upsRegistrationId"),
        ("/v1/accounts/webpush/", "endpoint"),
    ] {
        assert_eq!(phone.put(&app, path, json!({name: url})).await.status, 200, "{path}");
        let (kind, address) = kept(&app).await.unwrap();
        let endpoint = Endpoint { url: url.to_owned(), keys: None };
        assert_eq!((kind, Endpoint::from_bytes(&address)), (PushKind::WebPush, Some(endpoint)));
        assert_eq!(phone.delete(&app, path).await.status, 200);
        assert_eq!(kept(&app).await, None, "{path}");
    }
}

#[tokio::test]
async fn an_endpoint_comes_with_both_keys_or_none() {
    let app = TestApp::start_for_phones().await;
    let phone = sleeper(&app).await;
    // The example of RFC 8291.
    let p256dh =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    let (url, auth) = ("https://push.example/x", "BTBZMqHH6r4Tts7J_aSIgg");
    let good = json!({"endpoint": url, "p256dh": p256dh, "auth": auth});
    for bad in [
        json!({"endpoint": url, "p256dh": p256dh}),
        json!({"endpoint": url, "auth": auth}),
        json!({"endpoint": url, "p256dh": auth, "auth": auth}),
        json!({"endpoint": url, "p256dh": p256dh, "auth": p256dh}),
        json!({"endpoint": "push.example", "p256dh": p256dh, "auth": auth}),
        json!({"endpoint": "", "p256dh": p256dh, "auth": auth}),
        json!({"p256dh": p256dh, "auth": auth}),
    ] {
        assert_eq!(phone.put(&app, "/v1/accounts/webpush", bad.clone()).await.status, 415, "{bad}");
    }
    assert_eq!(phone.put(&app, "/v1/accounts/webpush", good).await.status, 200);
    let endpoint = Endpoint::from_bytes(&kept(&app).await.unwrap().1).unwrap();
    assert_eq!(endpoint.keys.unwrap().auth, auth);
}

#[tokio::test]
async fn an_id_of_ubuntus_service_is_taken_and_changes_nothing() {
    let app = TestApp::start_for_phones().await;
    let phone = sleeper(&app).await;
    let answer = phone.put(&app, "/v1/accounts/ups/", json!({"upsRegistrationId": "abc"})).await;
    assert_eq!((answer.status, kept(&app).await), (200, None));
}

#[tokio::test]
async fn an_id_that_is_none_is_refused() {
    let app = TestApp::start_for_phones().await;
    let phone = sleeper(&app).await;
    for (path, body) in [
        ("/v1/accounts/gcm/", json!({"gcmRegistrationId": ""})),
        ("/v1/accounts/gcm/", json!({"gcmRegistrationId": "x".repeat(1001)})),
        ("/v1/accounts/gcm/", json!({"gcmRegistrationId": 7})),
        ("/v1/accounts/gcm/", json!({})),
        ("/v1/accounts/apn/", json!({"apnRegistrationId": ""})),
        ("/v1/accounts/apn/", json!({"gcmRegistrationId": "x"})),
        ("/v1/accounts/ups/", json!({"upsRegistrationId": ""})),
    ] {
        assert_eq!(phone.put(&app, path, body.clone()).await.status, 415, "{path} {body}");
    }
    let stranger = Phone { password: "wrong".to_owned(), ..phone };
    let body = json!({"gcmRegistrationId": "x"});
    assert_eq!(stranger.put(&app, "/v1/accounts/gcm/", body).await.status, 401);
    assert_eq!(stranger.delete(&app, "/v1/accounts/gcm/").await.status, 401);
    assert_eq!(kept(&app).await, None);
}

#[tokio::test]
async fn an_id_that_is_known_already_changes_nothing_and_no_change_wakes_other_dialects() {
    let app = TestApp::start_for_phones().await;
    let mut hints = app.gateway().bus.subscribe();
    let phone = sleeper(&app).await;
    let number = PhoneNumber::parse(NUMBER).unwrap();
    let generation = async || {
        let found = app.gateway().store.fresh_phone(&number).await.unwrap();
        found.unwrap().generation
    };
    let mut seen = generation().await;
    for (id, is_news) in [("one", true), ("one", false), ("two", true), ("one", true)] {
        let body = json!({ "gcmRegistrationId": id });
        let answer = phone.put(&app, "/v1/accounts/gcm/", body).await;
        assert!(answer.status < 300, "{answer:?}");
        let now = generation().await;
        assert_eq!(now > seen, is_news, "{id}");
        seen = now;
    }
    while let Some(Some(hint)) = hints.next().now_or_never() {
        assert!(!matches!(hint, Hint::RosterChanged(_)), "{hint:?}");
    }
}
