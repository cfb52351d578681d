//! Each gateway knows who is at the other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use sealpost::domain::phone::relay::DirectoryError;
use sealpost::domain::phone::{ContactToken, PhoneNumber, RelayContact};
use sealpost::domain::ports::RelayError;
use serde_json::{Value, json};

use super::{gateway, pair, peer, with_peer};
use crate::harness::TestApp;
use crate::harness::phone::Phone;
use crate::textsecure::letters::{ANNA, BERT, CARL, unlimited, unlimited_with};

async fn look_up(app: &TestApp, phone: &Phone) -> Value {
    let tokens = json!({ "contacts": [token(ANNA), token(BERT), token(CARL)] });
    phone.put(app, "/v1/directory/tokens", tokens).await.json["contacts"].clone()
}

fn token(number: &str) -> String {
    STANDARD_NO_PAD.encode(ContactToken::of(&PhoneNumber::parse(number).unwrap()).0)
}

/// Registers a number anew as one that messages do not reach.
async fn falls_silent(app: &TestApp, number: &str) {
    let phone = Phone::new(number);
    let path = format!("/v1/accounts/code/{}", app.code(number).await);
    let mut attributes = phone.attributes();
    attributes["fetchesMessages"] = json!(false);
    assert_eq!(phone.put(app, &path, attributes).await.status, 200);
}

#[tokio::test]
async fn contacts_say_at_which_gateway_they_are() {
    let pair = pair().await;
    let anna = pair.here.phone(ANNA).await;
    pair.there.phone(BERT).await;
    assert_eq!(pair.here.switchboard().read_directory("there").await.unwrap(), 1);
    let contacts = json!([{"token": token(ANNA)}, {"token": token(BERT), "relay": "there"}]);
    assert_eq!(look_up(&pair.here, &anna).await, contacts);
    falls_silent(&pair.there, BERT).await;
    assert_eq!(pair.here.switchboard().read_directory("there").await.unwrap(), 1);
    assert_eq!(look_up(&pair.here, &anna).await, json!([{"token": token(ANNA)}]));
}

#[tokio::test]
async fn who_is_there_cannot_register_here_and_who_is_here_stays_here() {
    let pair = pair().await;
    let anna = pair.here.phone(ANNA).await;
    pair.there.phone(ANNA).await;
    pair.there.phone(BERT).await;
    assert_eq!(pair.here.switchboard().read_directory("there").await.unwrap(), 2);
    let contacts = json!([{"token": token(ANNA)}, {"token": token(BERT), "relay": "there"}]);
    assert_eq!(look_up(&pair.here, &anna).await, contacts);
    let bert = Phone::new(BERT);
    let path = format!("/v1/accounts/code/{}", pair.here.code(BERT).await);
    assert_eq!(bert.put(&pair.here, &path, bert.attributes()).await.status, 417);
    let path = format!("/v1/accounts/code/{}", pair.here.code(ANNA).await);
    assert_eq!(anna.put(&pair.here, &path, anna.attributes()).await.status, 200);
}

#[tokio::test]
async fn nobody_is_at_a_gateway_that_is_not_known_any_more() {
    let app = unlimited_with(|it| it.dialects.textsecure.federation = with_peer("other")).await;
    let anna = app.phone(ANNA).await;
    let token_of_bert = ContactToken::of(&PhoneNumber::parse(BERT).unwrap());
    let contact = RelayContact { token: token_of_bert, supports_sms: false, is_active: true };
    app.gateway().store.merge_contacts("there", vec![contact]).await.unwrap();
    assert_eq!(look_up(&app, &anna).await, json!([{"token": token(ANNA)}]));
    app.phone(BERT).await;
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_is_left_as_it_is() {
    let stranger = unlimited().await;
    let url = format!("http://{}", stranger.listen().await);
    let app = gateway("here", peer("there", url), |_| ()).await;
    for relay in ["there", "nobody"] {
        let failed = app.switchboard().read_directory(relay).await;
        let Err(DirectoryError::Relay(error)) = failed else { panic!("{failed:?}") };
        assert_eq!(error == RelayError::Unknown, relay == "nobody");
    }
}

#[test]
fn tokens_are_those_of_the_protocol() {
    assert_eq!(token(ANNA), "BQVVHxMt5zAFXA");
}

#[tokio::test]
async fn contacts_of_a_gateway_that_is_named_no_more_go_and_block_nobody() {
    let app = unlimited_with(|it| it.dialects.textsecure.federation = with_peer("new")).await;
    let (switchboard, store) = (app.switchboard(), app.gateway().store.clone());
    let numbers = [ANNA, BERT, CARL].map(|number| PhoneNumber::parse(number).unwrap());
    let contacts = numbers.map(|number| RelayContact {
        token: ContactToken::of(&number),
        supports_sms: false,
        is_active: true,
    });
    store.merge_contacts("old", contacts[..2].to_vec()).await.unwrap();
    store.merge_contacts("new", contacts[2..].to_vec()).await.unwrap();
    let mut steps = 0;
    while switchboard.forget_strangers(1).await.unwrap() {
        steps += 1;
    }
    assert_eq!((steps, store.listed_relays().await.unwrap()), (2, vec!["new".to_owned()]));
    store.merge_contacts("new", contacts.to_vec()).await.unwrap();
    let tokens = contacts.map(|contact| contact.token);
    assert_eq!(switchboard.look_up(&tokens).await.unwrap().len(), 3);
}
