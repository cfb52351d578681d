//! Messages to everybody in a conversation, and to one of many.

use sealpost::dialect::mixin::outgoing::{self, Door, Rules};
use sealpost::dialect::mixin::plain::PlainMessages;
use sealpost::domain::ids::SessionId;
use sealpost::domain::submit::{OnStale, Verdict};
use sealpost::sdk::checksum::session_checksum;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::harness::actor::message_id;
use crate::harness::app::complaint;
use crate::harness::group::{Group, group};
use crate::harness::{Actor, Person, TestApp};

fn ids(value: &Value) -> Vec<String> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut ids: Vec<_> = list.iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn texts(sessions: &[SessionId]) -> Vec<String> {
    let mut ids: Vec<_> = sessions.iter().map(ToString::to_string).collect();
    ids.sort();
    ids
}

/// A bot's group with two people, of two devices and of one.
async fn scene() -> (TestApp, Actor, Person, Person, Group) {
    let app = TestApp::start().await;
    let bot = app.bot("news").await;
    let (anna, bert) = (app.person("Anna", 2).await, app.person("Bert", 1).await);
    let group = group(&app, &bot, &[&anna, &bert]).await;
    (app, bot, anna, bert, group)
}

#[tokio::test]
async fn a_message_to_a_group_reaches_every_device_of_the_others() {
    let (app, bot, anna, bert, group) = scene().await;
    let item = group.seal(&bot, &[&anna, &bert], 1, "to all");
    let receipt = bot.send(&app, &[item]).await;
    let receipt = receipt.only();
    assert_eq!(receipt["outcome"], "accepted", "{receipt}");
    let mut users: Vec<_> = receipt["sessions"].as_array().unwrap().iter().collect();
    users.retain(|one| one["user_id"] == json!(anna.user));
    assert_eq!((receipt["sessions"].as_array().unwrap().len(), users.len()), (3, 2));
    for device in anna.devices.iter().chain(&bert.devices) {
        assert_eq!(device.receives_texts(&app).await, ["to all"]);
    }
}

#[tokio::test]
async fn a_recipient_in_a_group_gets_it_alone() {
    let (app, bot, anna, bert, group) = scene().await;
    let mut item = group.seal(&bot, &[&bert], 1, "psst");
    item["recipient_id"] = json!(bert.user);
    assert_eq!(bot.send(&app, &[item]).await.only()["outcome"], "accepted");
    assert_eq!(bert.devices[0].receives_texts(&app).await, ["psst"]);
    assert!(anna.devices[0].receives_texts(&app).await.is_empty());
}

#[tokio::test]
async fn a_stale_list_of_a_group_is_answered_across_accounts() {
    let (app, bot, anna, bert, group) = scene().await;
    let ended = anna.devices[0].session;
    let again = app.sign_in(anna.user, Some(ended)).await;
    let second = app.sign_in(bert.user, None).await;
    let stranger = app.person("Carl", 1).await;
    let item = group.seal(&bot, &[&anna, &bert, &stranger], 1, "hello");
    let answer = bot.send(&app, &[item]).await;
    let receipt = answer.only();
    assert_eq!(receipt["outcome"], "stale_sessions");
    assert_eq!(ids(&receipt["missing"]), texts(&[again.session, second.session]));
    assert_eq!(ids(&receipt["deleted"]), texts(&[ended]));
    assert_eq!(ids(&receipt["redundant"]), texts(&[stranger.devices[0].session]));
    assert_eq!(receipt["sessions"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_member_without_a_device_is_not_covered_and_nobody_at_all_is_a_deferral() {
    let (app, bot, anna, bert, group) = scene().await;
    let session = bert.devices[0].session;
    bert.devices[0].delete(&app, &format!("/sessions/{session}")).await;
    let item = group.seal(&bot, &[&anna], 1, "hello");
    assert_eq!(bot.send(&app, &[item]).await.only()["outcome"], "accepted");
    for device in &anna.devices {
        device.delete(&app, &format!("/sessions/{}", device.session)).await;
    }
    let item = group.seal(&bot, &[&anna], 2, "hello");
    assert_eq!(bot.send(&app, &[item]).await.only()["outcome"], "deferred");
}

/// What a person's client posts on its socket.
async fn on_the_socket(app: &TestApp, device: &Actor, item: &Value) -> Verdict {
    let gateway = app.gateway();
    let rules = Rules {
        door: Door::Socket,
        on_stale: OnStale::Reject,
        plain: PlainMessages::Refuse,
        limits: &gateway.limits,
    };
    let item = RawValue::from_string(item.to_string()).unwrap();
    let item = outgoing::submission(&item, &rules).unwrap();
    let sender = gateway.live_session(device.session).await.unwrap().unwrap();
    gateway.submit(&sender, &[item]).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_persons_client_covers_what_the_conversation_listed_its_other_devices_included() {
    let (app, bot, anna, bert, group) = scene().await;
    let (phone, tablet) = (&anna.devices[0], &anna.devices[1]);
    let devices = [bot.recipient(), tablet.recipient(), bert.devices[0].recipient()];
    let mut item = group.seal_for(phone, &devices, 1, "from my phone");
    let shown = phone.get(&app, &format!("/conversations/{}", group.id)).await;
    let listed = shown.json["data"]["participant_sessions"].as_array().unwrap().iter();
    let listed = listed.map(|one| SessionId::parse(one["session_id"].as_str().unwrap()).unwrap());
    item["conversation_checksum"] = json!(session_checksum(listed).to_string());
    item.as_object_mut().unwrap().remove("checksum");
    let verdict = on_the_socket(&app, phone, &item).await;
    assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}");
    for device in [&bot, tablet, &bert.devices[0]] {
        assert_eq!(device.receives_texts(&app).await, ["from my phone"]);
    }
    assert!(phone.receives_texts(&app).await.is_empty());

    let late = app.sign_in(anna.user, None).await;
    item["message_id"] = json!(message_id(2));
    let verdict = on_the_socket(&app, phone, &item).await;
    let Verdict::StaleSessions(stale) = verdict else { panic!("{verdict:?}") };
    assert_eq!((stale.missing, stale.audience.len()), (vec![late.session], 4));
}

#[tokio::test]
async fn a_message_to_one_person_waits_for_room_although_it_goes_to_the_senders_tablet_too() {
    let app = TestApp::start_with(|config| config.limits.inbox_messages = 2).await;
    let (anna, bert) = (app.person("Anna", 2).await, app.person("Bert", 1).await);
    let (phone, tablet) = (&anna.devices[0], &anna.devices[1]);
    phone.sends(&app, &bert, 1, "the oldest").await;
    let devices = [tablet.recipient(), bert.devices[0].recipient()];
    for number in 2..=3 {
        let mut item = phone.seal(bert.user, &devices, number, "later");
        item["conversation_checksum"] = item["checksum"].take();
        let verdict = on_the_socket(&app, phone, &item).await;
        match number {
            2 => assert!(matches!(verdict, Verdict::Accepted(_)), "{verdict:?}"),
            _ => assert!(matches!(verdict, Verdict::Deferred { .. }), "{verdict:?}"),
        }
    }
    assert_eq!(bert.devices[0].receives_texts(&app).await, ["the oldest", "later"]);
}

#[tokio::test]
async fn outsiders_and_those_who_were_removed_cannot_post() {
    let (app, bot, anna, bert, group) = scene().await;
    let stranger = app.bot("stranger").await;
    let refused = |answer: crate::harness::Answer| {
        let (status, field, _) = complaint(&answer.only()["error"]);
        assert_eq!((status, field), (403, "conversation_id"), "{answer:?}");
    };
    refused(stranger.send(&app, &[group.seal(&stranger, &[&anna, &bert], 1, "hello")]).await);
    let phone = &bert.devices[0];
    let item = group.seal_for(phone, &[bot.recipient(), anna.devices[0].recipient()], 1, "hello");
    assert_eq!(
        phone.send(&app, std::slice::from_ref(&item)).await.only()["outcome"],
        "stale_sessions"
    );
    group.remove(&app, &bot, bert.user).await;
    refused(phone.send(&app, &[item]).await);
}

#[tokio::test]
async fn who_was_removed_is_not_covered_any_more() {
    let (app, bot, anna, bert, group) = scene().await;
    group.remove(&app, &bot, bert.user).await;
    let both = bot.send(&app, &[group.seal(&bot, &[&anna, &bert], 1, "hello")]).await;
    assert_eq!(ids(&both.only()["redundant"]), texts(&[bert.devices[0].session]));
    let one = bot.send(&app, &[group.seal(&bot, &[&anna], 2, "hello")]).await;
    assert_eq!(one.only()["outcome"], "accepted");
}

#[tokio::test]
async fn a_representative_shares_a_conversation_with_the_bot() {
    let (app, bot, anna, bert, group) = scene().await;
    let stranger = app.person("Carl", 1).await;
    let mut item = group.seal(&bot, &[&anna, &bert], 1, "for Anna");
    item["representative_id"] = json!(stranger.user);
    let answer = bot.send(&app, std::slice::from_ref(&item)).await;
    assert_eq!(complaint(&answer.only()["error"]).1, "representative_id");
    item["representative_id"] = json!(anna.user);
    assert_eq!(bot.send(&app, &[item]).await.only()["outcome"], "accepted");
    let waiting = bert.devices[0].get(&app, "/inbox").await;
    let message = waiting.list().iter().find(|one| one["category"] == "ENCRYPTED_TEXT").unwrap();
    assert_eq!(message["representative_id"], json!(anna.user));
}

#[tokio::test]
async fn a_list_that_no_envelope_can_hold_is_rejected_and_plain_parts_of_it_are_not() {
    let app = TestApp::start_with(|config| config.limits.sessions_per_account = 300).await;
    let bot = app.bot("news").await;
    let (anna, bert) = (app.person("Anna", 300).await, app.person("Bert", 211).await);
    let group = group(&app, &bot, &[&anna, &bert]).await;
    let item = group.seal(&bot, &[&anna], 1, "hello");
    let answer = bot.send(&app, &[item]).await;
    let expected = (422, "conversation_id", "roster_too_large");
    assert_eq!(complaint(&answer.only()["error"]), expected);

    let item = group.seal(&bot, &[&anna], 2, "hello");
    let answer = bot.post(&app, "/encrypted_messages?on_stale=deliver_known", &json!([item])).await;
    let receipt = answer.only();
    assert_eq!((&receipt["outcome"], &receipt["state"]), (&json!("accepted"), &json!("SUCCESS")));
    assert_eq!(receipt["missing"].as_array().unwrap().len(), 211);
    assert_eq!(receipt["sessions"].as_array().unwrap().len(), 511);
}

#[tokio::test]
async fn a_message_that_disappears_waits_a_day_longer_than_that() {
    let (app, bot, anna, bert, group) = scene().await;
    let mut item = group.seal(&bot, &[&anna, &bert], 1, "gone soon");
    item["expire_in"] = json!(60);
    bot.send(&app, &[item]).await;
    let hour = std::time::Duration::from_secs(3600);
    app.clock.advance(24 * hour);
    let waiting = |answer: crate::harness::Answer| {
        let list = answer.list().iter();
        list.filter(|one| one["category"] == "ENCRYPTED_TEXT").count()
    };
    assert_eq!(waiting(anna.devices[0].get(&app, "/inbox").await), 1);
    app.clock.advance(hour);
    assert_eq!(waiting(bert.devices[0].get(&app, "/inbox").await), 0);
}
