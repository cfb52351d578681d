//! A gateway that does not answer, and one that does not want to know us.

use serde_json::json;

use super::{TOKEN, gateway, listener, peer, serve, url, with};
use crate::harness::TestApp;
use crate::harness::phone::Phone;
use crate::textsecure::letters::{ANNA, BERT, CARL, part_for, retry_after, texts, unlimited_with};

/// What is at a gateway that says nothing is not there, or not now.
async fn all_is_out_of_reach(app: &TestApp, anna: &Phone) {
    for path in ["", "/1", "/*"] {
        let keys = anna.get(app, &format!("/v1/keys/{BERT}{path}?relay=there")).await;
        assert_eq!(keys.status, 404, "{path}");
    }
    let attachment = anna.get(app, "/v1/attachments/7?relay=there").await;
    assert_eq!((attachment.status, retry_after(&attachment)), (503, 10));
    let body = json!({ "relay": "there", "messages": [part_for(1, "x")] });
    let sent = anna.put(app, &format!("/v1/messages/{BERT}"), body).await;
    assert_eq!((sent.status, retry_after(&sent)), (503, 10));
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_out_of_reach() {
    let app = gateway("here", peer("there", url(&listener().await)), |_| ()).await;
    let anna = app.phone(ANNA).await;
    all_is_out_of_reach(&app, &anna).await;
}

#[tokio::test]
async fn the_first_edition_fails_for_those_who_are_out_of_reach() {
    let app = gateway("here", peer("there", url(&listener().await)), |_| ()).await;
    let (anna, carl) = (app.phone(ANNA).await, app.phone(CARL).await);
    let to = |number: &str, relay: &str| json!({ "type": 1, "destination": number, "body": "YQ==", "relay": relay });
    let body = json!({ "messages": [to(BERT, "there"), to(CARL, ""), to(BERT, "there")] });
    let sent = anna.post(&app, "/v1/messages", body).await;
    let expected = json!({ "success": [CARL], "failure": [BERT, BERT] });
    assert_eq!((sent.status, sent.json), (200, expected));
    assert_eq!(texts(&app, &carl).await, ["a"]);
    let alone = anna.post(&app, "/v1/messages", json!({ "messages": [to(BERT, "there")] })).await;
    assert_eq!((alone.status, retry_after(&alone)), (503, 10));
}

#[tokio::test]
async fn a_phone_is_not_blamed_for_its_gateways_wrong_token() {
    let listener = listener().await;
    let mut other = peer("there", url(&listener));
    other.token = format!("not-{TOKEN}").into();
    let there = gateway("there", peer("here", "http://127.0.0.1:9".to_owned()), |_| ()).await;
    serve(listener, there.router());
    let app = unlimited_with(|it| it.dialects.textsecure.federation = with(other)).await;
    let anna = app.phone(ANNA).await;
    there.phone(BERT).await;
    all_is_out_of_reach(&app, &anna).await;
}

#[tokio::test]
async fn a_private_address_has_to_be_allowed() {
    let listener = listener().await;
    let mut other = peer("there", url(&listener).replace("http://", "https://"));
    other.allow_private = false;
    other.certificate = super::certificates::path("authority.pem");
    let app = unlimited_with(|it| it.dialects.textsecure.federation = with(other)).await;
    let anna = app.phone(ANNA).await;
    all_is_out_of_reach(&app, &anna).await;
}
