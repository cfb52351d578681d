//! Everything that can be wrong with one message: named by field and reason, and nothing stored.

use sealpost::sdk::base64url;
use sealpost::sdk::keys::SigningKey;
use serde_json::{Value, json};

use crate::harness::app::complaint;
use crate::harness::{Actor, Item, Person, TestApp};

async fn setting() -> (TestApp, Actor, Person) {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    (app, bot, anna)
}

/// Changes a good item, posts it, and returns what its receipt complains of.
async fn complaint_about(change: impl FnOnce(&mut Item)) -> (u64, String, String) {
    let (app, bot, anna) = setting().await;
    let mut item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    change(&mut item);
    let answer = bot.send(&app, &[item]).await;
    assert_eq!(answer.status, 200, "one bad item is no bad request: {answer:?}");
    let receipt = answer.only();
    assert_eq!(receipt["state"], "FAILED");
    assert_eq!(receipt["outcome"], "rejected", "{receipt}");
    for phone in &anna.devices {
        assert!(phone.receives(&app).await.is_empty(), "nothing is stored");
    }
    let (status, field, reason) = complaint(&receipt["error"]);
    (status, field.to_owned(), reason.to_owned())
}

async fn expect(field: &str, value: Value, reason: &str) {
    let (status, named, why) = complaint_about(|item| item[field] = value.clone()).await;
    assert_eq!((status, named.as_str()), (422, field), "{value}: {why}");
    assert!(why.contains(reason), "{field} = {value}: {why}");
}

#[tokio::test]
async fn ids_in_unknown_forms() {
    let forms = ["x", "00000000000040008000000000000001", "{00000000-0000-4000-8000-000000000001}"];
    for field in ["message_id", "conversation_id", "recipient_id", "quote_message_id"] {
        for form in forms {
            expect(field, json!(form), "an id ").await;
        }
    }
    expect("message_id", json!(17), "invalid type").await;
    expect("conversation_id", json!(""), "is missing").await;
    expect("message_id", Value::Null, "is missing").await;
}

#[tokio::test]
async fn checksums_that_are_none() {
    expect("checksum", json!("abc"), "32 characters").await;
    for value in ["02433E6C68AF77773104B0840F3ED1C4", "zz433e6c68af77773104b0840f3ed1c4"] {
        expect("checksum", json!(value), "lower-case hexadecimal").await;
    }
    expect("checksum", Value::Null, "is missing").await;
    expect("checksum", json!(["a"]), "invalid type").await;
}

#[tokio::test]
async fn categories_that_are_not_taken() {
    expect("category", json!("NOTHING"), "none of the categories").await;
    expect("category", json!("SYSTEM_GAP"), "none of the categories").await;
    expect("category", Value::Null, "is missing").await;
    let plain = complaint_about(|item| item["category"] = json!("PLAIN_TEXT")).await;
    assert_eq!((plain.0, plain.1.as_str()), (403, "category"));
    assert!(plain.2.contains("readable by the gateway"), "{}", plain.2);
}

#[tokio::test]
async fn data_that_is_no_base64_or_missing() {
    expect("data_base64", json!("%%%"), "base64").await;
    expect("data_base64", json!("A"), "length of 1").await;
    expect("data_base64", json!(""), "is missing").await;
    expect("data_base64", json!({}), "invalid type").await;
}

/// A good envelope for Anna's two devices, changed byte by byte.
async fn expect_envelope(change: impl FnOnce(&mut Vec<u8>), reason: &str) {
    let complaint = complaint_about(|item| {
        let mut bytes = base64url::decode(item["data_base64"].as_str().unwrap()).unwrap();
        change(&mut bytes);
        item["data_base64"] = json!(base64url::encode(&bytes));
    })
    .await;
    assert_eq!((complaint.0, complaint.1.as_str()), (422, "data_base64"), "{}", complaint.2);
    assert!(complaint.2.contains(reason), "{}", complaint.2);
}

#[tokio::test]
async fn envelopes_of_the_wrong_length() {
    expect_envelope(|bytes| bytes.truncate(100), "127").await;
    expect_envelope(|bytes| bytes.truncate(10), "has 10").await;
    expect_envelope(|bytes| bytes.resize(300 * 1024, 0), "limit").await;
}

#[tokio::test]
async fn envelopes_with_a_version_or_a_count_that_does_not_exist() {
    expect_envelope(|bytes| bytes[0] = 2, "version").await;
    expect_envelope(|bytes| bytes[1..3].copy_from_slice(&0_u16.to_le_bytes()), "at least one")
        .await;
    let too_many = |bytes: &mut Vec<u8>| {
        bytes[1..3].copy_from_slice(&511_u16.to_le_bytes());
        bytes.resize(35 + 511 * 64 + 28, 0);
    };
    expect_envelope(too_many, "511").await;
}

#[tokio::test]
async fn the_same_session_twice() {
    expect_envelope(|bytes| bytes.copy_within(35..51, 35 + 64), "more than one slot").await;
}

#[tokio::test]
async fn other_sessions_than_the_checksum_stands_for() {
    expect_envelope(|bytes| bytes[35] ^= 1, "covers other sessions").await;
}

#[tokio::test]
async fn a_header_key_that_is_no_live_key_of_the_sender() {
    let stranger = SigningKey::from_seed(&[9; 32]).verifying_key().agreement_key();
    let swap = |bytes: &mut Vec<u8>| bytes[3..35].copy_from_slice(stranger.as_bytes());
    expect_envelope(swap, "no live session of the sender").await;
}

#[tokio::test]
async fn a_header_key_of_the_recipient_is_not_the_senders() {
    let (app, bot, anna) = setting().await;
    let mut item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    let mut bytes = base64url::decode(item["data_base64"].as_str().unwrap()).unwrap();
    bytes[3..35].copy_from_slice(anna.devices[0].agreement_key().as_bytes());
    item["data_base64"] = json!(base64url::encode(&bytes));
    let answer = bot.send(&app, &[item]).await;
    assert_eq!(complaint(&answer.only()["error"]).1, "data_base64");
}

#[tokio::test]
async fn named_sessions_that_differ_from_the_envelopes() {
    let other = json!([{"session_id": "00000000-0000-4000-8000-0000000000ff"}]);
    expect("recipient_sessions", other, "differ").await;
}

#[tokio::test]
async fn a_sender_outside_the_conversation() {
    let (app, bot, anna) = setting().await;
    let bert = app.person("Bert", 1).await;
    // The id that belongs to Anna and Bert, used by the bot.
    let theirs =
        bert.devices[0].seal(anna.user, &anna.recipients(), 1, "x")["conversation_id"].clone();
    let mut item = bot.seal(anna.user, &anna.recipients(), 2, "hello");
    item["conversation_id"] = theirs.clone();
    let before = bot.send(&app, &[item.clone()]).await;
    bert.devices[0].sends(&app, &anna, 3, "now the conversation exists").await;
    let after = bot.send(&app, &[item]).await;
    for answer in [before, after] {
        let error = complaint(&answer.only()["error"]);
        let reason = "the sender takes no part in this conversation";
        assert_eq!(error, (403, "conversation_id", reason));
    }
    let received = anna.devices[0].receives(&app).await;
    assert_eq!(received, ["now the conversation exists"]);
}

#[tokio::test]
async fn oneself_as_the_recipient() {
    let (app, bot, _) = setting().await;
    let item = bot.seal(bot.user, &[bot.recipient()], 1, "to myself");
    let answer = bot.send(&app, &[item]).await;
    assert_eq!(complaint(&answer.only()["error"]), (422, "recipient_id", "is the sender"));
}

#[tokio::test]
async fn an_expiry_out_of_range_and_flags_of_the_wrong_kind() {
    expect("expire_in", json!(-1), "allowed are 0").await;
    expect("silent", json!("yes"), "invalid type").await;
}
