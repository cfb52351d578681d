//! Codes on their way to their owners.

use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use sealpost::config::dialects::textsecure::Codes;
use sealpost::config::dialects::textsecure::codes::{Fallback, Sender, Twilio, Webhook};
use sealpost::domain::Fault;
use sealpost::domain::clock::Clock;
use sealpost::domain::phone::{PhoneNumber, Transport};
use sealpost::domain::ports::{CodeDelivery, CodeMessage, CodeSender};
use sealpost::outside::client::Protocol;
use sealpost::outside::codes::Carriers;
use sha2::Sha256;

use super::stand_in::{NOW, StandIn, client, clock};

pub fn carriers(codes: &Codes) -> Carriers {
    let clock: Arc<dyn Clock> = clock();
    Carriers::open(codes, &client(Protocol::Any), &clock).unwrap()
}

pub fn message(number: &str, transport: Transport) -> CodeMessage {
    let number = PhoneNumber::parse(number).unwrap();
    CodeMessage { number, transport, code: "123456".to_owned().into() }
}

fn sms() -> CodeMessage {
    message("+14152222222", Transport::Sms)
}

fn webhook(stand_in: &StandIn) -> Codes {
    let webhook = Webhook { url: format!("{}/codes", stand_in.url).into(), secret: "7734".into() };
    Codes { sender: Sender::Webhook, webhook, ..Codes::default() }
}

fn twilio(stand_in: &StandIn) -> Codes {
    let twilio = Twilio {
        url: stand_in.url.clone(),
        account: "AC1".to_owned(),
        token: "token".into(),
        from: "+15550006666".to_owned(),
        international: true,
    };
    Codes { sender: Sender::Twilio, twilio, ..Codes::default() }
}

#[tokio::test]
async fn the_operator_hands_codes_over_when_nothing_else_is_set() {
    let delivery = carriers(&Codes::default()).deliver(&sms()).await.unwrap();
    assert_eq!(delivery, CodeDelivery::Outbox);
}

#[test]
fn a_number_for_tests_has_its_own_code() {
    let codes = Codes { fixed: "+14150000001=654321".into(), ..Codes::default() };
    let carriers = carriers(&codes);
    let fixed = |number| carriers.fixed(&PhoneNumber::parse(number).unwrap());
    assert_eq!(fixed("+14150000001").unwrap().as_str(), "654321");
    assert!(fixed("+14150000002").is_none());
}

#[tokio::test]
async fn a_program_is_told_and_can_see_who_tells_it() {
    let stand_in = StandIn::start().await;
    let delivery = carriers(&webhook(&stand_in)).deliver(&sms()).await.unwrap();
    assert_eq!(delivery, CodeDelivery::Sent);
    let seen = stand_in.only();
    let told = r#"{"number":"+14152222222","transport":"sms","code":"123456","text":"Your TextSecure verification code: 123-456"}"#;
    assert_eq!((seen.path.as_str(), seen.text()), ("/codes", told));
    assert_eq!(seen.header("sealpost-timestamp"), NOW.to_string());
    let mac = Hmac::<Sha256>::new_from_slice(b"7734").unwrap();
    let mac = mac.chain_update(format!("{NOW}.{told}")).finalize().into_bytes();
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(seen.header("sealpost-signature"), format!("v1={hex}"));
}

#[tokio::test]
async fn a_code_that_nobody_took_is_a_fault_that_says_nothing_of_it() {
    let stand_in = StandIn::start().await;
    stand_in.replies(500, "+14152222222 123456");
    let fault = carriers(&webhook(&stand_in)).deliver(&sms()).await.unwrap_err();
    assert!(matches!(fault, Fault::Unavailable { .. }));
    let shown = format!("{fault} {fault:?}");
    assert!(!shown.contains("123456") && !shown.contains("2222"), "{shown}");
}

#[tokio::test]
async fn a_fallback_takes_what_the_sender_did_not() {
    let stand_in = StandIn::start().await;
    stand_in.replies(503, "");
    let codes = Codes { fallback: Fallback::Outbox, ..webhook(&stand_in) };
    assert_eq!(carriers(&codes).deliver(&sms()).await.unwrap(), CodeDelivery::Outbox);
}

#[tokio::test]
async fn twilio_sends_a_text_message() {
    let stand_in = StandIn::start().await;
    stand_in.replies(201, "{}");
    let delivery = carriers(&twilio(&stand_in)).deliver(&sms()).await.unwrap();
    assert_eq!(delivery, CodeDelivery::Sent);
    let seen = stand_in.only();
    assert_eq!(seen.path, "/2010-04-01/Accounts/AC1/Messages.json");
    // AC1:token
    assert_eq!(seen.header("authorization"), "Basic QUMxOnRva2Vu");
    assert_eq!(seen.header("content-type"), "application/x-www-form-urlencoded");
    let body = "To=%2B14152222222&From=%2B15550006666&\
                Body=Your+TextSecure+verification+code%3A+123-456";
    assert_eq!(seen.text(), body);
}

#[tokio::test]
async fn twilio_calls_and_speaks() {
    let stand_in = StandIn::start().await;
    let codes = twilio(&stand_in);
    carriers(&codes).deliver(&message("+14152222222", Transport::Voice)).await.unwrap();
    let seen = stand_in.only();
    assert_eq!(seen.path, "/2010-04-01/Accounts/AC1/Calls.json");
    let twiml = "Twiml=%3CResponse%3E%3CSay+voice%3D%22woman%22+language%3D%22en%22%3E\
                 Your+TextSecure+verification+code+is%3A+1%2C+2%2C+3%2C+4%2C+5%2C+6\
                 %3C%2FSay%3E%3C%2FResponse%3E";
    assert!(seen.text().ends_with(twiml), "{}", seen.text());
}

#[tokio::test]
async fn other_countries_go_elsewhere_when_twilio_is_for_north_america() {
    let stand_in = StandIn::start().await;
    let mut codes = Codes { fallback: Fallback::Outbox, ..twilio(&stand_in) };
    codes.twilio.international = false;
    let carriers = carriers(&codes);
    let deliver = async |number| carriers.deliver(&message(number, Transport::Sms)).await.unwrap();
    assert_eq!(deliver("+491512222222").await, CodeDelivery::Outbox);
    assert!(stand_in.seen().is_empty());
    assert_eq!(deliver("+14152222222").await, CodeDelivery::Sent);
}

#[tokio::test]
async fn where_twilio_serves_all_countries_nobody_else_is_asked() {
    let stand_in = StandIn::start().await;
    let codes = Codes { fallback: Fallback::Outbox, ..twilio(&stand_in) };
    let message = message("+491512222222", Transport::Sms);
    assert_eq!(carriers(&codes).deliver(&message).await.unwrap(), CodeDelivery::Sent);
    assert!(stand_in.only().text().starts_with("To=%2B491512222222&"));
}

#[tokio::test]
async fn a_call_that_twilio_does_not_make_goes_by_the_fallback() {
    let stand_in = StandIn::start().await;
    stand_in.replies(500, "{}");
    let codes = Codes { fallback: Fallback::Outbox, ..twilio(&stand_in) };
    let message = message("+14152222222", Transport::Voice);
    assert_eq!(carriers(&codes).deliver(&message).await.unwrap(), CodeDelivery::Outbox);
    assert_eq!(stand_in.only().path, "/2010-04-01/Accounts/AC1/Calls.json");
}
