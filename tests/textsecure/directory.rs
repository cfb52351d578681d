//! Looking contacts up.

use std::time::Duration;

use axum::http::Method;
use sealpost::domain::phone::{ContactToken, PhoneNumber, RelayContact};
use serde_json::{Value, json};

use super::federation::with_peer;
use crate::harness::{Answer, Phone, TestApp};

const ANNA: &str = "+14152222222";
const ANNAS_TOKEN: &str = "BQVVHxMt5zAFXA";
/// Has a slash in its token.
const BEN: &str = "+14150000000";
const BENS_TOKEN: &str = "9p/8mrYemAhNrw";

async fn look_up(app: &TestApp, asker: &Phone, tokens: &Value) -> Answer {
    asker.put(app, "/v1/directory/tokens", json!({"contacts": tokens})).await
}

#[tokio::test]
async fn those_who_are_here_are_found_in_the_order_of_the_question() {
    let app = TestApp::start_for_phones().await;
    let (anna, _ben) = (app.phone(ANNA).await, app.phone(BEN).await);
    let nobody = "ZOjNv63iDRcjDw";
    let found = look_up(&app, &anna, &json!([BENS_TOKEN, nobody, ANNAS_TOKEN])).await;
    let contacts = json!([{"token": BENS_TOKEN}, {"token": ANNAS_TOKEN}]);
    assert_eq!((found.status, &found.json), (200, &json!({"contacts": contacts})));
    let none = look_up(&app, &anna, &json!([])).await;
    assert_eq!(none.json, json!({"contacts": []}));
}

#[tokio::test]
async fn a_token_may_be_written_in_many_ways() {
    let app = TestApp::start_for_phones().await;
    let (anna, _ben) = (app.phone(ANNA).await, app.phone(BEN).await);
    for token in ["9p/8mrYemAhNrw", "9p/8mrYemAhNrw==", "9p_8mrYemAhNrw", "9p_8mrYemAhNrw=="] {
        for asked in [json!([token]), json!([{"token": token, "x": 1}])] {
            let found = look_up(&app, &anna, &asked).await.json;
            assert_eq!(found, json!({"contacts": [{"token": BENS_TOKEN}]}), "{asked}");
        }
    }
    for path in ["9p/8mrYemAhNrw", "9p%2F8mrYemAhNrw", "9p_8mrYemAhNrw", "9p/8mrYemAhNrw/"] {
        let found = anna.get(&app, &format!("/v1/directory/{path}")).await;
        assert_eq!((found.status, &found.json), (200, &json!({"token": BENS_TOKEN})), "{path}");
    }
}

#[tokio::test]
async fn a_token_that_is_none_is_nobodys() {
    let app = TestApp::start_for_phones().await;
    let anna = app.phone(ANNA).await;
    let found = look_up(&app, &anna, &json!(["AAAA", "Zm9v", ANNAS_TOKEN])).await;
    assert_eq!(found.json["contacts"], json!([{"token": ANNAS_TOKEN}]));
    for bad in ["a!bc", "", "A", "AA", "AAA=", "BQVVHxMt5zAFX", "a b"] {
        assert_eq!(look_up(&app, &anna, &json!([ANNAS_TOKEN, bad])).await.status, 400, "{bad}");
    }
    for bad in ["a!bc", "AAAA", "BQVVHxMt5zAFXB/x"] {
        assert_eq!(anna.get(&app, &format!("/v1/directory/{bad}")).await.status, 404, "{bad}");
    }
}

#[tokio::test]
async fn a_question_that_is_none_is_refused() {
    let app = TestApp::start_for_phones().await;
    let anna = app.phone(ANNA).await;
    for body in
        [json!({}), json!({"contacts": "x"}), json!({"contacts": [7]}), json!({"contacts": [{}]})]
    {
        assert_eq!(
            anna.put(&app, "/v1/directory/tokens", body.clone()).await.status,
            415,
            "{body}"
        );
    }
    let body = json!({"contacts": []});
    assert_eq!(app.stranger(Method::PUT, "/v1/directory/tokens/", &body).await.status, 401);
    let path = format!("/v1/directory/{ANNAS_TOKEN}");
    assert_eq!(app.stranger(Method::GET, &path, &Value::Null).await.status, 401);
}

#[tokio::test]
async fn what_is_not_usual_is_said_of_a_contact() {
    let app = TestApp::start_for_phones_with(|it| it.federation = with_peer("elsewhere")).await;
    let anna = Phone::new(ANNA);
    let mut body = anna.attributes();
    body["supportsSms"] = json!(true);
    let path = format!("/v1/accounts/code/{}", app.code(ANNA).await);
    assert_eq!(anna.put(&app, &path, body).await.status, 200);
    let token = ContactToken::of(&PhoneNumber::parse(BEN).unwrap());
    let contact = RelayContact { token, supports_sms: true, is_active: true };
    app.gateway().store.merge_contacts("elsewhere", vec![contact]).await.unwrap();
    let found = look_up(&app, &anna, &json!([ANNAS_TOKEN, BENS_TOKEN])).await.json;
    let contacts = json!([
        {"token": ANNAS_TOKEN, "supportsSms": true},
        {"token": BENS_TOKEN, "relay": "elsewhere", "supportsSms": true},
    ]);
    assert_eq!(found["contacts"], contacts);
}

#[tokio::test]
async fn each_token_is_counted() {
    let app = TestApp::start_for_phones_with(|it| {
        (it.limits.contacts_at_once, it.limits.contacts_an_hour) = (5, 60);
    })
    .await;
    let anna = app.phone(ANNA).await;
    let tokens = |count| Value::from(vec![ANNAS_TOKEN; count]);
    assert_eq!(look_up(&app, &anna, &tokens(3)).await.status, 200);
    assert_eq!(anna.get(&app, &format!("/v1/directory/{ANNAS_TOKEN}")).await.status, 200);
    let refused = look_up(&app, &anna, &tokens(3)).await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (413, &"120".parse().unwrap()));
    assert_eq!(look_up(&app, &anna, &tokens(1)).await.status, 200, "a refusal takes nothing");
    let path = format!("/v1/directory/{ANNAS_TOKEN}");
    assert_eq!(anna.get(&app, &path).await.headers["retry-after"], "60");
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(anna.get(&app, &path).await.status, 200);
    let never = look_up(&app, &anna, &tokens(6)).await;
    assert!(never.status == 413 && never.headers.contains_key("retry-after"), "{never:?}");
}
