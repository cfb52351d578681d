//! What phones say to each other, in these tests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealpost::config::Config;
use sealpost::domain::clock::Clock;
use serde_json::{Value, json};

use crate::harness::phone::Phone;
use crate::harness::{Answer, TestApp};

pub const ANNA: &str = "+14152222222";
pub const BERT: &str = "+14153333333";
pub const CARL: &str = "+14154444444";
pub const NOBODY: &str = "+14150000000";

/// A gateway for phones on which a test may go as fast as it wants.
pub async fn unlimited() -> TestApp {
    unlimited_with(|_| ()).await
}

pub async fn unlimited_with(change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::start_with(|config| {
        let phones = &mut config.dialects.textsecure;
        phones.enabled = true;
        phones.codes.dev_transport = true;
        phones.limits.registrations_at_once = 0;
        phones.limits.sms_codes_at_once = 0;
        phones.limits.link_codes_at_once = 0;
        phones.limits.links_at_once = 0;
        phones.limits.prekeys_at_once = 0;
        phones.limits.messages_at_once = 0;
        change(config);
    })
    .await
}

/// A message for one device.
pub fn part(to: &Phone, text: &str) -> Value {
    json!({
        "type": 1,
        "destinationDeviceId": to.device,
        "destinationRegistrationId": to.registration,
        "body": STANDARD.encode(text),
    })
}

/// A message for a device that nobody may have.
pub fn part_for(device: u32, text: &str) -> Value {
    json!({ "type": 1, "destinationDeviceId": device, "body": STANDARD.encode(text) })
}

/// Sends these parts to a number.
pub async fn send(app: &TestApp, from: &Phone, to: &str, parts: &[Value]) -> Answer {
    let path = format!("/v1/messages/{to}");
    from.put(app, &path, json!({ "messages": parts })).await
}

/// Sends a text to all of these devices, which are all that their number has.
pub async fn says(app: &TestApp, from: &Phone, to: &[&Phone], text: &str) {
    let parts: Vec<_> = to.iter().map(|device| part(device, text)).collect();
    let answer = send(app, from, &to[0].number, &parts).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// What waits for a device.
pub async fn pull(app: &TestApp, phone: &Phone) -> Vec<Value> {
    let answer = phone.get(app, "/v1/messages/").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json["messages"].as_array().unwrap_or_else(|| panic!("{answer:?}")).clone()
}

/// The texts of what waits for a device.
pub async fn texts(app: &TestApp, phone: &Phone) -> Vec<String> {
    pull(app, phone).await.iter().map(text).collect()
}

/// What a message says.
pub fn text(message: &Value) -> String {
    let body = message["message"].as_str().unwrap_or_else(|| panic!("{message:?}"));
    String::from_utf8(STANDARD.decode(body).unwrap()).unwrap()
}

/// The gateway's time in milliseconds.
pub fn now(app: &TestApp) -> i64 {
    app.clock.now().as_micros() / 1000
}

/// The seconds after which an answer wants the next try.
pub fn retry_after(answer: &Answer) -> u64 {
    let value = answer.headers.get("retry-after").unwrap_or_else(|| panic!("{answer:?}"));
    value.to_str().unwrap().parse().unwrap()
}

/// A further device that messages cannot reach.
pub async fn link_silent(app: &TestApp, first: &Phone) -> Phone {
    let answer = first.get(app, "/v1/devices/provisioning/code").await;
    let code = answer.json["verificationCode"].as_str().unwrap().to_owned();
    let mut phone = Phone { password: format!("a silent {}", first.password), ..first.clone() };
    let mut attributes = phone.attributes();
    attributes["fetchesMessages"] = json!(false);
    let linked = phone.put(app, &format!("/v1/devices/{code}"), attributes).await;
    phone.device = u32::try_from(linked.json["deviceId"].as_u64().unwrap()).unwrap();
    phone
}
