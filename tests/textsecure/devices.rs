//! Further devices of a phone.

use std::time::Duration;

use axum::http::Method;
use futures_util::StreamExt;
use sealpost::domain::ports::Hint;
use serde_json::{Value, json};

use crate::harness::{Phone, TestApp};

const NUMBER: &str = "+14152222222";
const CODE: &str = "/v1/devices/provisioning/code";

async fn code(app: &TestApp, phone: &Phone) -> String {
    let answer = phone.get(app, CODE).await;
    let code = answer.json["verificationCode"].as_str().unwrap_or_else(|| panic!("{answer:?}"));
    code.to_owned()
}

async fn numbers(app: &TestApp, phone: &Phone) -> Vec<u64> {
    let list = phone.get(app, "/v1/devices/").await.json;
    let devices = list["devices"].as_array().unwrap_or_else(|| panic!("{list}"));
    devices.iter().map(|device| device["id"].as_u64().unwrap()).collect()
}

fn tablet(first: &Phone) -> Phone {
    Phone { password: "of the tablet".to_owned(), ..first.clone() }
}

#[tokio::test]
async fn a_code_of_the_first_device_links_another() {
    let app = TestApp::start_for_phones().await;
    let first = app.phone(NUMBER).await;
    let code = code(&app, &first).await;
    assert!((100_000..=999_999).contains(&code.parse::<u32>().unwrap()));
    let mut tablet = tablet(&first);
    let path = format!("/v1/devices/{code}");
    let linked = tablet.put(&app, &path, tablet.attributes()).await;
    assert_eq!((linked.status, &linked.json), (200, &json!({"deviceId": 2})));
    tablet.device = 2;
    assert_eq!(numbers(&app, &tablet).await, [1, 2]);
    let again = tablet.put(&app, &path, tablet.attributes()).await;
    assert_eq!(again.status, 403, "a code is good once");
}

#[tokio::test]
async fn both_editions_know_where_codes_are() {
    let app = TestApp::start_for_phones().await;
    let first = app.phone(NUMBER).await;
    for path in ["/v1/devices/provisioning_code", "/v1/devices/provisioning/code/"] {
        let answer = first.get(&app, path).await;
        assert_eq!((answer.status, answer.json.as_object().unwrap().len()), (200, 1), "{path}");
    }
    let refused = first.get(&app, CODE).await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (413, &"120".parse().unwrap()));
    app.clock.advance(Duration::from_secs(119));
    assert_eq!(first.get(&app, CODE).await.headers["retry-after"], "1");
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(first.get(&app, CODE).await.status, 200);
    assert_eq!(app.stranger(Method::GET, CODE, &Value::Null).await.status, 401);
    let head = app.stranger(Method::HEAD, CODE, &Value::Null).await;
    assert_eq!(head.status, 405);
}

#[tokio::test]
async fn a_wrong_code_links_nothing() {
    let app = TestApp::start_for_phones().await;
    let first = app.phone(NUMBER).await;
    let tablet = tablet(&first);
    let put = async |code: &str, phone: &Phone| {
        phone.put(&app, &format!("/v1/devices/{code}"), phone.attributes()).await
    };
    assert_eq!(put("111111", &tablet).await.status, 403, "there is none");
    let right = code(&app, &first).await;
    let wrong = if right == "100000" { "100001" } else { "100000" };
    assert_eq!(put(wrong, &tablet).await.status, 403);
    let refused = put(&right, &tablet).await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (413, &"30".parse().unwrap()));
    assert_eq!(put(&right, &Phone::new("+14152222223")).await.status, 403, "nobody's number");
    assert_eq!(numbers(&app, &first).await, [1]);
    app.clock.advance(Duration::from_secs(30));
    assert_eq!(put(&right, &tablet).await.status, 200);
}

#[tokio::test]
async fn a_code_for_a_device_registers_no_number_and_the_other_way_round() {
    let app = TestApp::start_for_phones().await;
    let first = app.phone(NUMBER).await;
    let for_device = code(&app, &first).await;
    let path = format!("/v1/accounts/code/{for_device}");
    assert_eq!(first.put(&app, &path, first.attributes()).await.status, 403);
    let for_number = app.code(NUMBER).await;
    let path = format!("/v1/devices/{for_number}");
    assert_eq!(first.put(&app, &path, first.attributes()).await.status, 403);
}

#[tokio::test]
async fn a_code_is_worth_nothing_once_its_number_is_registered_again() {
    let app = TestApp::start_for_phones().await;
    let first = app.phone(NUMBER).await;
    let code = code(&app, &first).await;
    app.clock.advance(Duration::from_secs(60));
    let first = app.phone(NUMBER).await;
    let tablet = tablet(&first);
    let put = tablet.put(&app, &format!("/v1/devices/{code}"), tablet.attributes()).await;
    assert_eq!(put.status, 403);
}

#[tokio::test]
async fn a_request_to_link_is_looked_at_in_order() {
    let app = TestApp::start_for_phones().await;
    let first = app.phone(NUMBER).await;
    let mut body = first.attributes();
    body["name"] = json!("x".repeat(51));
    let put =
        async |body: &Value| app.stranger(Method::PUT, "/v1/devices/111111", body).await.status;
    assert_eq!(put(&json!({})).await, 415);
    assert_eq!(put(&body).await, 422);
    body["name"] = json!("ü".repeat(50));
    assert_eq!(put(&body).await, 401);
}

#[tokio::test]
async fn a_list_says_what_there_is_to_say() {
    let app = TestApp::start_for_phones().await;
    let first = app.phone(NUMBER).await;
    let code = code(&app, &first).await;
    app.clock.advance(Duration::from_secs(10));
    let tablet = tablet(&first);
    let mut body = tablet.attributes();
    body["name"] = json!("Anna's tablet");
    assert_eq!(tablet.put(&app, &format!("/v1/devices/{code}"), body).await.status, 200);
    let list = first.get(&app, "/v1/devices").await.json;
    let start: i64 = 1_767_323_045_000;
    assert_eq!(
        list,
        json!({"devices": [
            {"id": 1, "name": null, "lastSeen": start, "created": start},
            {"id": 2, "name": "Anna's tablet", "lastSeen": start + 10_000, "created": start + 10_000},
        ]})
    );
}

#[tokio::test]
async fn a_phone_has_so_many_devices() {
    let app = TestApp::start_for_phones_with(|it| {
        (it.devices, it.limits.link_codes_at_once, it.limits.links_at_once) = (3, 10, 10);
    })
    .await;
    let first = app.phone(NUMBER).await;
    for device in 2..=3 {
        assert_eq!(app.link(&first).await.device, device);
    }
    let full = first.get(&app, CODE).await;
    assert_eq!((full.status, &full.json), (411, &json!({"current": 3, "max": 3})));
    assert_eq!(first.delete(&app, "/v1/devices/2").await.status, 204);
    assert_eq!(app.link(&first).await.device, 4, "after the highest");
}

#[tokio::test]
async fn a_code_of_before_does_not_make_one_device_too_many() {
    let app = TestApp::start_for_phones_with(|it| it.devices = 2).await;
    let first = app.phone(NUMBER).await;
    let number = sealpost::domain::phone::PhoneNumber::parse(NUMBER).unwrap();
    let code = code(&app, &first).await;
    let tablet = tablet(&first);
    let path = format!("/v1/devices/{code}");
    assert_eq!(tablet.put(&app, &path, tablet.attributes()).await.status, 200);
    // A code that was made while there was room.
    let phone = app.gateway().store.phone(&number).await.unwrap().unwrap();
    let mut before = (*phone).clone();
    before.devices.truncate(1);
    let code = app.switchboard().link_code(&before, &phone.devices[0]).await.unwrap();
    let path = format!("/v1/devices/{}", code.as_str());
    let full = tablet.put(&app, &path, tablet.attributes()).await;
    assert_eq!((full.status, &full.json), (411, &json!({"current": 2, "max": 2})));
}

#[tokio::test]
async fn only_the_first_device_decides_about_others() {
    let app = TestApp::start_for_phones().await;
    let first = app.phone(NUMBER).await;
    let tablet = app.link(&first).await;
    assert_eq!(tablet.get(&app, CODE).await.status, 401);
    assert_eq!(tablet.delete(&app, "/v1/devices/2").await.status, 401);
    assert_eq!(numbers(&app, &tablet).await, [1, 2]);
    assert_eq!(first.delete(&app, "/v1/devices/1").await.status, 403);
    assert_eq!(first.delete(&app, "/v1/devices/x").await.status, 404);
    assert_eq!(first.delete(&app, "/v1/devices/7").await.status, 204, "there is none any more");
}

#[tokio::test]
async fn a_device_that_was_ended_is_known_no_more() {
    let app = TestApp::start_for_phones().await;
    let first = app.phone(NUMBER).await;
    let tablet = app.link(&first).await;
    assert_eq!(numbers(&app, &tablet).await, [1, 2]);
    let mut hints = app.gateway().bus.subscribe();
    assert_eq!(first.delete(&app, "/v1/devices/2/").await.status, 204);
    assert!(matches!(hints.next().await, Some(Hint::SessionEnded(_))));
    assert_eq!(tablet.get(&app, "/v1/devices/").await.status, 401);
    assert_eq!(numbers(&app, &first).await, [1]);
}
