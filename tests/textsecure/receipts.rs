//! Receipts, sent by a phone itself or because it has acknowledged something.

use serde_json::{Value, json};

use super::letters::{ANNA, BERT, NOBODY, pull, says, unlimited};
use crate::harness::TestApp;
use crate::harness::phone::Phone;

fn receipt(from: &Phone, timestamp: u64) -> Value {
    json!({
        "type": 5, "relay": null, "timestamp": timestamp, "source": from.number,
        "sourceDevice": from.device, "message": null, "content": null,
    })
}

#[tokio::test]
async fn a_receipt_goes_to_all_devices_of_a_phone() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    let tablet = app.link(&anna).await;
    let answer = bert.put(&app, &format!("/v1/receipt/{ANNA}/12345"), Value::Null).await;
    assert_eq!((answer.status, answer.json), (204, json!("")));
    for device in [&anna, &tablet] {
        assert_eq!(pull(&app, device).await, [receipt(&bert, 12345)]);
    }
}

#[tokio::test]
async fn a_receipt_for_nobody_is_refused() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    for path in [
        format!("/v1/receipt/{NOBODY}/1"),
        "/v1/receipt/x/1".to_owned(),
        format!("/v1/receipt/{BERT}/x"),
        format!("/v1/receipt/{BERT}/1?relay=there"),
    ] {
        assert_eq!(bert.put(&app, &path, Value::Null).await.status, 404, "{path}");
    }
    let stranger = Phone { password: "wrong".into(), ..bert };
    let answer = stranger.put(&app, &format!("/v1/receipt/{BERT}/1"), Value::Null).await;
    assert_eq!(answer.status, 401);
}

async fn delete(app: &TestApp, phone: &Phone, source: &str, timestamp: &Value) {
    let answer = phone.delete(app, &format!("/v1/messages/{source}/{timestamp}")).await;
    assert_eq!((answer.status, answer.json), (204, json!("")));
}

#[tokio::test]
async fn who_sent_a_message_gets_a_receipt_once_it_is_deleted_and_receipts_have_none() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    says(&app, &anna, &[&bert], "hello").await;
    let messages = pull(&app, &bert).await;
    delete(&app, &bert, ANNA, &messages[0]["timestamp"]).await;
    delete(&app, &bert, ANNA, &messages[0]["timestamp"]).await;
    let receipts = pull(&app, &anna).await;
    assert_eq!(receipts, [receipt(&bert, messages[0]["timestamp"].as_u64().unwrap())]);
    delete(&app, &anna, BERT, &receipts[0]["timestamp"]).await;
    assert!(pull(&app, &bert).await.is_empty());
}

#[tokio::test]
async fn nobody_gets_receipts_from_their_own_devices() {
    let app = unlimited().await;
    let anna = app.phone(ANNA).await;
    let tablet = app.link(&anna).await;
    says(&app, &anna, &[&tablet], "what I said elsewhere").await;
    let messages = pull(&app, &tablet).await;
    delete(&app, &tablet, ANNA, &messages[0]["timestamp"]).await;
    assert!(pull(&app, &anna).await.is_empty());
}
