//! A broadcast to many, of whom some have signed in again since the bot looked.

use std::collections::{HashMap, HashSet};

use futures_util::future::join_all;
use sealpost::sdk::client::{Message, Outcome, Text};
use sealpost::sdk::ids::{MessageId, UserId};

use crate::harness::{Actor, TestApp};

/// How many recipients: 1,000 unless `SEALPOST_BROADCAST` says otherwise.
fn recipients() -> usize {
    std::env::var("SEALPOST_BROADCAST").ok().and_then(|text| text.parse().ok()).unwrap_or(1000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_live_device_opens_every_message_and_handles_it_once() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let bot = app.bot("news").await;
    let client = bot.client(&app, &url);
    let mut people = Vec::new();
    for number in 0..recipients() {
        people.push(app.person(&format!("Person {number}"), 2).await);
    }
    // The bot learns everybody's sessions; then every twentieth signs in again.
    let users: Vec<UserId> = people.iter().map(|person| person.user).collect();
    client.sessions_of(&users).await.unwrap();
    for person in people.iter_mut().step_by(20) {
        let old = person.devices[1].session;
        person.devices[1] = app.sign_in(person.user, Some(old)).await;
    }

    let messages = users.iter().map(|user| Message::to(user, Text::new(format!("for {user}"))));
    let outcomes = client.send_all(messages).await;
    assert_eq!(outcomes.len(), people.len());
    for item in &outcomes {
        let Ok(Outcome::Delivered { sessions }) = &item.result else { panic!("{item:?}") };
        assert_eq!(sessions.len(), 2);
    }

    let ids: HashMap<UserId, MessageId> =
        outcomes.iter().map(|item| (item.recipient.unwrap(), item.message_id)).collect();
    assert_eq!(ids.values().collect::<HashSet<_>>().len(), people.len());
    let devices: Vec<&Actor> = people.iter().flat_map(|person| &person.devices).collect();
    for some in devices.chunks(50) {
        join_all(some.iter().map(|device| reads_once(&app, &url, device, ids[&device.user]))).await;
    }
}

/// One handler call for the one message, and nothing left in the inbox.
async fn reads_once(app: &TestApp, url: &str, device: &Actor, expected: MessageId) {
    let client = device.client(app, url);
    let mut messages = client.messages();
    let message = messages.next().await.unwrap().unwrap();
    assert_eq!(message.message_id, expected);
    assert_eq!(message.text(), Some(format!("for {}", device.user).as_str()));
    messages.close().await.unwrap();
    assert!(device.get(app, "/inbox").await.list().is_empty());
}
