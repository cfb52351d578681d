//! Prekeys and attachments at the other gateway.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Pair, ask_as, pair};
use crate::harness::phone::Phone;
use crate::textsecure::keys::leaves;
use crate::textsecure::letters::{ANNA, BERT, NOBODY};

async fn ids(pair: &Pair, phone: &Phone, path: &str) -> (u16, Vec<Value>) {
    let answer = phone.get(&pair.here, path).await;
    let list = match &answer.json["keys"] {
        Value::Array(list) => list.clone(),
        _ => vec![answer.json.clone()],
    };
    (answer.status, list.iter().map(|key| key["keyId"].clone()).collect())
}

#[tokio::test]
async fn prekeys_come_from_the_other_gateway_in_both_editions() {
    let pair = pair().await;
    let (anna, bert) = (pair.here.phone(ANNA).await, pair.there.phone(BERT).await);
    let tablet = pair.there.link(&bert).await;
    leaves(&pair.there, &bert, "bert", [1, 2, 3]).await;
    leaves(&pair.there, &tablet, "bert", [11]).await;
    let path = |rest: &str| format!("/v1/keys/{BERT}{rest}?relay=there");
    assert_eq!(ids(&pair, &anna, &path("")).await, (200, vec![json!(1)]));
    assert_eq!(ids(&pair, &anna, &path("/1")).await, (200, vec![json!(2)]));
    assert_eq!(ids(&pair, &anna, &path("/*")).await, (200, vec![json!(3), json!(11)]));
    let second = anna.get(&pair.here, &format!("/v2/keys/{BERT}/*?relay=there")).await;
    assert_eq!((second.status, &second.json["identityKey"]), (200, &json!("bert identity")));
    assert_eq!(second.json["devices"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_nowhere_is_not_found() {
    let pair = pair().await;
    let anna = pair.here.phone(ANNA).await;
    for path in [
        format!("/v1/keys/{NOBODY}?relay=there"),
        format!("/v1/keys/{NOBODY}/*?relay=there"),
        format!("/v2/keys/{NOBODY}/1?relay=there"),
        format!("/v1/keys/{ANNA}?relay=nowhere"),
        "/v1/attachments/7?relay=nowhere".to_owned(),
        "/v1/attachments/x?relay=there".to_owned(),
    ] {
        let answer = anna.get(&pair.here, &path).await;
        assert_eq!((answer.status, answer.json), (404, json!("")), "{path}");
    }
}

#[tokio::test]
async fn prekeys_of_others_are_counted_where_the_phone_is() {
    let pair = super::pair_with(|it| it.limits.prekeys_at_once = 1).await;
    let (anna, bert) = (pair.here.phone(ANNA).await, pair.there.phone(BERT).await);
    leaves(&pair.there, &bert, "bert", [1, 2, 3]).await;
    for id in 1..=3 {
        let path = format!("/v1/keys/{BERT}?relay=there");
        assert_eq!(ids(&pair, &anna, &path).await, (200, vec![json!(id)]));
    }
}

#[tokio::test]
async fn an_attachment_is_read_where_it_lies() {
    let pair = pair().await;
    let anna = pair.here.phone(ANNA).await;
    let answer = anna.get(&pair.here, "/v1/attachments/7?relay=there").await;
    assert_eq!(
        (answer.status, &answer.headers["cache-control"]),
        (200, &"no-store".parse().unwrap())
    );
    let location = answer.json["location"].as_str().unwrap().to_owned();
    let asked =
        ask_as("here", &pair.there, Method::GET, "/v1/federation/attachment/7", Value::Null);
    let directly = asked.await.json["location"].as_str().unwrap().to_owned();
    let path = |url: &str| url.split_once("/blobs/").unwrap().1.to_owned();
    assert_eq!(path(&location), path(&directly));
    assert!(!location.contains("gateway.test"), "as its gateway was reached: {location}");
}
