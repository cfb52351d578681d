//! Registering a number by its code.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use futures_util::{FutureExt, StreamExt};
use sealpost::domain::phone::{ContactToken, PhoneNumber, RelayContact};
use sealpost::domain::ports::Hint;
use serde_json::{Value, json};

use super::federation::with_peer;
use crate::harness::phone::request;
use crate::harness::{Phone, TestApp};

const NUMBER: &str = "+14152222222";

async fn confirm(app: &TestApp, phone: &Phone, code: &str) -> u16 {
    phone.put(app, &format!("/v1/accounts/code/{code}"), phone.attributes()).await.status
}

/// Whether somebody is known by these credentials.
async fn is_known(app: &TestApp, phone: &Phone) -> bool {
    match phone.get(app, "/v1/devices/").await.status {
        200 => true,
        401 => false,
        other => panic!("status {other}"),
    }
}

fn another_code(code: &str) -> String {
    let number: u32 = code.parse().unwrap();
    if number == 999_999 { "100000".to_owned() } else { (number + 1).to_string() }
}

#[tokio::test]
async fn the_right_code_makes_an_account() {
    let app = TestApp::start_for_phones().await;
    let phone = Phone::new(NUMBER);
    assert!(!is_known(&app, &phone).await);
    let code = app.code(NUMBER).await;
    let path = format!("/v1/accounts/code/{code}");
    let answer = phone.put(&app, &path, phone.attributes()).await;
    assert_eq!((answer.status, answer.json.as_str()), (200, Some("")));
    assert!(is_known(&app, &phone).await);
    assert_eq!(confirm(&app, &phone, &code).await, 403, "a code is good once");
    assert!(is_known(&app, &phone).await, "nothing came of that");
}

#[tokio::test]
async fn the_wrong_code_makes_nothing() {
    let app = TestApp::start_for_phones().await;
    let phone = Phone::new(NUMBER);
    assert_eq!(confirm(&app, &phone, "111111").await, 403, "there is none");
    let code = app.code(NUMBER).await;
    assert_eq!(confirm(&app, &phone, "1111").await, 403);
    assert!(!is_known(&app, &phone).await);
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(confirm(&app, &phone, &another_code(&code)).await, 403);
    assert_eq!(confirm(&app, &Phone::new("+14152222223"), &code).await, 403, "another's code");
    assert_eq!(confirm(&app, &phone, &code).await, 200);
}

#[tokio::test]
async fn a_code_may_have_its_dash_and_the_path_its_slip() {
    let app = TestApp::start_for_phones().await;
    let code = app.code(NUMBER).await;
    let phone = Phone::new(NUMBER);
    let path = format!("/v1/acccounts/code/{}-{}/", &code[..3], &code[3..]);
    assert_eq!(phone.put(&app, &path, phone.attributes()).await.status, 200);
}

#[tokio::test]
async fn a_newer_code_takes_the_place_of_an_older_one() {
    let app = TestApp::start_for_phones().await;
    let (older, newer) = (app.code(NUMBER).await, app.code(NUMBER).await);
    assert_ne!(older, newer);
    let phone = Phone::new(NUMBER);
    assert_eq!(confirm(&app, &phone, &older).await, 403);
    assert_eq!(confirm(&app, &phone, &newer).await, 200);
}

#[tokio::test]
async fn a_code_is_good_for_a_quarter_of_an_hour() {
    let app = TestApp::start_for_phones().await;
    for (wait, status) in [(15 * 60 - 1, 200), (15 * 60, 403)] {
        let code = app.code(NUMBER).await;
        app.clock.advance(Duration::from_secs(wait));
        assert_eq!(confirm(&app, &Phone::new(NUMBER), &code).await, status, "{wait} seconds");
    }
}

#[tokio::test]
async fn a_code_may_be_tried_five_times() {
    for (tries, status) in [(4, 200), (5, 403)] {
        let app = TestApp::start_for_phones().await;
        let code = app.code(NUMBER).await;
        for _ in 0..tries {
            assert_eq!(confirm(&app, &Phone::new(NUMBER), &another_code(&code)).await, 403);
            app.clock.advance(Duration::from_secs(30));
        }
        assert_eq!(confirm(&app, &Phone::new(NUMBER), &code).await, status, "after {tries} tries");
    }
}

#[tokio::test]
async fn tries_are_counted_before_the_code_is_looked_at() {
    let app = TestApp::start_for_phones().await;
    let phone = Phone::new(NUMBER);
    let code = app.code(NUMBER).await;
    for _ in 0..2 {
        assert_eq!(confirm(&app, &phone, "111111").await, 403);
    }
    let path = format!("/v1/accounts/code/{code}");
    for (wait, left) in [(0, "30"), (29, "1")] {
        app.clock.advance(Duration::from_secs(wait));
        let answer = phone.put(&app, &path, phone.attributes()).await;
        assert_eq!((answer.status, &answer.headers["retry-after"]), (413, &left.parse().unwrap()));
    }
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(confirm(&app, &phone, &code).await, 200, "what was refused took nothing");
}

#[tokio::test]
async fn without_credentials_nobody_registers() {
    let app = TestApp::start_for_phones().await;
    let code = app.code(NUMBER).await;
    let path = format!("/v1/accounts/code/{code}");
    let body = Phone::new(NUMBER).attributes();
    // Without a colon, and with what is no number.
    for bad in [None, Some("Bearer x"), Some("Basic KzE0MTUyMjIyMjIy"), Some("Basic eDp5")] {
        let answer = app.call(request(Method::PUT, &path, bad, &body)).await;
        assert_eq!(answer.status, 401, "{bad:?}");
        assert_eq!(answer.headers["www-authenticate"], "Basic realm=\"WhisperServer\"");
    }
}

#[tokio::test]
async fn the_body_comes_before_the_credentials() {
    let app = TestApp::start_for_phones().await;
    let path = "/v1/accounts/code/111111";
    for body in [json!({}), json!({"signalingKey": ""}), json!({"signalingKey": 7}), json!([])] {
        let answer = app.stranger(Method::PUT, path, &body).await;
        assert_eq!((answer.status, answer.json.as_str()), (415, Some("")), "{body}");
    }
    let with = |kind: Option<&str>, body: &'static str| {
        let mut request = Request::put(path);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        request.body(Body::from(body)).unwrap()
    };
    assert_eq!(app.call(with(Some("application/json"), "{")).await.status, 415);
    assert_eq!(app.call(with(None, "{}")).await.status, 415);
    assert_eq!(app.call(with(Some("text/plain"), "{}")).await.status, 415);
}

#[tokio::test]
async fn a_signalling_key_has_its_52_bytes() {
    let app = TestApp::start_for_phones().await;
    let (phone, code) = (Phone::new(NUMBER), app.code(NUMBER).await);
    let mut body = phone.attributes();
    body["signalingKey"] =
        json!("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEy");
    let path = format!("/v1/accounts/code/{code}");
    assert_eq!(phone.put(&app, &path, body).await.status, 415, "51 bytes");
    assert_eq!(confirm(&app, &phone, &code).await, 200);
}

#[tokio::test]
async fn a_body_may_say_more_or_less() {
    let app = TestApp::start_for_phones().await;
    let phone = Phone::new(NUMBER);
    let key = phone.attributes()["signalingKey"].clone();
    for body in [
        json!({"signalingKey": key}),
        json!({"signalingKey": key, "registrationId": "16380", "voice": true, "x": {"y": []}}),
    ] {
        app.clock.advance(Duration::from_secs(60));
        let path = format!("/v1/accounts/code/{}", app.code(NUMBER).await);
        assert_eq!(phone.put(&app, &path, body).await.status, 200);
    }
    let number = PhoneNumber::parse(NUMBER).unwrap();
    let kept = app.gateway().store.phone(&number).await.unwrap().unwrap();
    assert_eq!((kept.devices[0].registration, kept.is_active()), (16380, false));
}

#[tokio::test]
async fn a_password_may_have_colons() {
    let app = TestApp::start_for_phones().await;
    let mut phone = Phone::new(NUMBER);
    phone.password = "a:b:c".to_owned();
    assert_eq!(confirm(&app, &phone, &app.code(NUMBER).await).await, 200);
    assert!(is_known(&app, &phone).await);
    phone.password = "a:b".to_owned();
    assert!(!is_known(&app, &phone).await);
}

#[tokio::test]
async fn registering_again_ends_what_was_before() {
    let app = TestApp::start_for_phones().await;
    let first = app.phone(NUMBER).await;
    let tablet = app.link(&first).await;
    assert!(is_known(&app, &first).await && is_known(&app, &tablet).await);

    let mut hints = app.gateway().bus.subscribe();
    let again = Phone { password: "another".to_owned(), ..first.clone() };
    assert_eq!(confirm(&app, &again, &app.code(NUMBER).await).await, 200);
    assert!(is_known(&app, &again).await);
    assert!(!is_known(&app, &first).await && !is_known(&app, &tablet).await);
    let list = again.get(&app, "/v1/devices").await.json;
    assert_eq!(list["devices"].as_array().unwrap().len(), 1, "{list}");

    let mut told = Vec::new();
    while let Some(Some(hint)) = hints.next().now_or_never() {
        told.push(hint);
    }
    let ended = told.iter().filter(|hint| matches!(hint, Hint::SessionEnded(_))).count();
    assert_eq!((ended, told.len()), (2, 2), "{told:?}");
}

#[tokio::test]
async fn a_number_of_another_gateway_stays_there() {
    let app = TestApp::start_for_phones_with(|it| it.federation = with_peer("elsewhere")).await;
    let token = ContactToken::of(&PhoneNumber::parse(NUMBER).unwrap());
    let contact = RelayContact { token, supports_sms: false, is_active: true };
    let store = app.gateway().store.clone();
    store.merge_contacts("elsewhere", vec![contact]).await.unwrap();
    let (phone, code) = (Phone::new(NUMBER), app.code(NUMBER).await);
    assert_eq!(confirm(&app, &phone, &another_code(&code)).await, 403, "the code comes first");
    assert_eq!(confirm(&app, &phone, &code).await, 417);
    assert!(!is_known(&app, &phone).await);
}

#[tokio::test]
async fn a_number_that_is_here_registers_anew_whatever_others_say() {
    let app = TestApp::start_for_phones_with(|it| it.federation = with_peer("elsewhere")).await;
    let silent = Phone::new(NUMBER);
    let mut attributes = silent.attributes();
    attributes["fetchesMessages"] = json!(false);
    let path = format!("/v1/accounts/code/{}", app.code(NUMBER).await);
    assert_eq!(silent.put(&app, &path, attributes).await.status, 200);
    let token = ContactToken::of(&PhoneNumber::parse(NUMBER).unwrap());
    let contact = RelayContact { token, supports_sms: false, is_active: true };
    app.gateway().store.merge_contacts("elsewhere", vec![contact]).await.unwrap();
    let phone = Phone { password: "another".to_owned(), ..silent };
    assert_eq!(confirm(&app, &phone, &app.code(NUMBER).await).await, 200);
}

#[tokio::test]
async fn parallel_registrations_by_one_code_are_one() {
    let app = TestApp::start_for_phones_with(|it| it.limits.registrations_at_once = 100).await;
    let code = app.code(NUMBER).await;
    let tries = (0..8).map(|n| {
        let phone = Phone { password: format!("{n}"), ..Phone::new(NUMBER) };
        let (app, code) = (&app, &code);
        async move { confirm(app, &phone, code).await }
    });
    let mut statuses = futures_util::future::join_all(tries).await;
    statuses.sort_unstable();
    // Five tries were looked at; of those one was the first.
    assert_eq!(statuses, [200, 403, 403, 403, 403, 403, 403, 403]);
}

#[tokio::test]
async fn unknown_and_wrong_credentials_are_one_answer() {
    let app = TestApp::start_for_phones().await;
    let phone = app.phone(NUMBER).await;
    let wrong = Phone { password: "wrong".to_owned(), ..phone.clone() };
    let device = Phone { device: 2, ..phone.clone() };
    let unknown = Phone::new("+14152222223");
    let mut answers = Vec::new();
    for nobody in [wrong, device, unknown] {
        let answer = nobody.get(&app, "/v1/devices/").await;
        answers.push((answer.status, answer.json.clone()));
    }
    let text = "Credentials are required to access this resource.";
    assert_eq!(answers, vec![(401, Value::from(text)); 3]);
}
