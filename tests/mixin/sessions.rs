//! Looking sessions up, comparing lists, adding and revoking devices.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use insta::assert_json_snapshot;
use sealpost::sdk::base64url;
use sealpost::sdk::checksum::session_checksum;
use sealpost::sdk::device::SessionStatement;
use sealpost::sdk::keys::SigningKey;
use serde_json::{Value, json};

use crate::harness::{Actor, TestApp};

#[tokio::test]
async fn sessions_are_listed_with_the_key_to_seal_for() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let stranger: sealpost::domain::ids::UserId = app.gateway().random_id();
    let answer = bot.post(&app, "/sessions/fetch", &json!([anna.user, stranger, anna.user])).await;
    assert_eq!(answer.list().len(), 2);
    assert_json_snapshot!(answer.json);
}

#[tokio::test]
async fn only_lists_that_differ_are_answered() {
    let app = TestApp::start().await;
    let (bot, anna, bert) =
        (app.bot("news").await, app.person("Anna", 2).await, app.person("Bert", 1).await);
    let right = session_checksum(anna.devices.iter().map(|device| device.session)).to_string();
    let question = json!([
        {"user_id": anna.user, "checksum": right},
        {"user_id": bert.user, "checksum": ""},
    ]);
    let answer = bot.post(&app, "/sessions/check", &question).await;
    assert_eq!(answer.only()["user_id"], json!(bert.user));
    assert_eq!(answer.only()["sessions"][0]["session_id"], json!(bert.devices[0].session));
}

#[tokio::test]
async fn lists_of_more_than_500_and_things_that_are_no_ids_are_refused() {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    let many = json!(vec![bot.user; 501]);
    assert_eq!(bot.post(&app, "/sessions/fetch", &many).await.complaint().0, 413);
    let answer = bot.post(&app, "/sessions/fetch", &json!([bot.user, "x"])).await;
    assert_eq!((answer.complaint().0, answer.complaint().1), (422, "[1]"));
    let answer =
        bot.post(&app, "/sessions/check", &json!([{"user_id": bot.user, "checksum": "X"}])).await;
    assert_eq!((answer.complaint().0, answer.complaint().1), (422, "[0].checksum"));
}

/// The body with which `adder` adds a device with `key`.
fn new_session(adder: &Actor, key: &SigningKey) -> Value {
    let statement = SessionStatement {
        user: adder.user,
        added_by: adder.session,
        public_key: key.verifying_key(),
    };
    json!({
        "public_key": key.verifying_key().to_base64(),
        "platform": "Android",
        "signature": base64url::encode(&statement.sign_as_new(key)),
        "attestation": base64url::encode(&statement.sign_as_adder(&adder.key)),
    })
}

#[tokio::test]
async fn a_live_device_adds_another_and_can_let_it_take_its_place() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 1).await;
    let phone = &anna.devices[0];
    let added = phone.post(&app, "/sessions", &new_session(phone, &app.fresh_key())).await;
    assert_eq!(added.json["data"]["user_id"], json!(anna.user));
    assert_ne!(added.json["data"]["session_id"], json!(phone.session));

    let key = app.fresh_key();
    let mut body = new_session(phone, &key);
    body["replaces"] = json!(phone.session);
    let again = phone.post(&app, "/sessions", &body).await;
    assert_eq!(again.json["data"]["attestation"], body["attestation"]);
    assert_eq!(phone.get(&app, "/me").await.complaint().0, 401, "the old session is revoked");
}

#[tokio::test]
async fn a_key_needs_both_signatures_and_may_be_on_file_once() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 1).await;
    let phone = &anna.devices[0];
    let key = app.fresh_key();
    let good = new_session(phone, &key);
    for field in ["signature", "attestation"] {
        let mut bad = good.clone();
        bad[field] = json!(base64url::encode(&[1; 64]));
        assert_eq!(phone.post(&app, "/sessions", &bad).await.complaint().1, field);
        bad[field] = json!("AAAA");
        assert_eq!(phone.post(&app, "/sessions", &bad).await.complaint().1, field);
    }
    assert_eq!(phone.post(&app, "/sessions", &good).await.status, 200);
    let twice = phone.post(&app, "/sessions", &good).await;
    assert_eq!((twice.complaint().0, twice.complaint().1), (409, "public_key"));
}

#[tokio::test]
async fn bytes_that_are_no_safe_point_are_no_key() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 1).await;
    let phone = &anna.devices[0];
    // 2^255 - 18 is another way to write 1, the neutral element.
    let mut not_canonical = [0xff; 32];
    (not_canonical[0], not_canonical[31]) = (0xee, 0x7f);
    let mut off_the_curve = [0; 32];
    off_the_curve[0] = 2;
    // A good key plus the point of order two, which is (0, -1).
    let good = app.fresh_key().verifying_key().to_bytes();
    let point = CompressedEdwardsY(good).decompress().unwrap() + EIGHT_TORSION[4];
    for (key, reason) in [
        (&[0; 32][..], "small order"),
        (&not_canonical, "canonical"),
        (&off_the_curve, "no point of the curve"),
        (point.compress().as_bytes(), "mixed order"),
        (&[1; 31], "31"),
    ] {
        let mut body = new_session(phone, &app.fresh_key());
        body["public_key"] = json!(base64url::encode(key));
        let answer = phone.post(&app, "/sessions", &body).await;
        let (status, field, why) = answer.complaint();
        assert_eq!((status, field), (422, "public_key"), "{why}");
        assert!(why.contains(reason), "`{why}` does not say `{reason}`");
    }
    let found = phone.post(&app, "/sessions/fetch", &json!([anna.user])).await;
    assert_eq!(found.list().len(), 1, "nothing was added");
}

#[tokio::test]
async fn one_revokes_only_ones_own_sessions() {
    let app = TestApp::start().await;
    let (anna, bert) = (app.person("Anna", 2).await, app.person("Bert", 1).await);
    let path = format!("/sessions/{}", anna.devices[1].session);
    assert_eq!(bert.devices[0].delete(&app, &path).await.complaint().0, 404);
    assert_eq!(anna.devices[0].delete(&app, &path).await.status, 200);
    assert_eq!(anna.devices[0].delete(&app, &path).await.complaint().0, 404, "it has ended");
    let nonsense = anna.devices[0].delete(&app, "/sessions/nonsense").await;
    assert_eq!((nonsense.complaint().0, nonsense.complaint().1), (422, "id"));
}

#[tokio::test]
async fn an_account_has_at_most_16_live_sessions() {
    let app = TestApp::start().await;
    let anna = app.person("Anna", 16).await;
    let phone = &anna.devices[0];
    let seventeenth = phone.post(&app, "/sessions", &new_session(phone, &app.fresh_key())).await;
    assert_eq!(seventeenth.complaint().0, 409, "{seventeenth:?}");
    let mut body = new_session(phone, &app.fresh_key());
    body["replaces"] = json!(anna.devices[5].session);
    assert_eq!(phone.post(&app, "/sessions", &body).await.status, 200, "one goes, one comes");
}
