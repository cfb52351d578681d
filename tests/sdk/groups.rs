//! Groups through the SDK: who gets what, and whose lists are old.

use sealpost::sdk::client::{Message, OnStale, Outcome, Role, Text};
use sealpost::sdk::types::ConversationAction;

use crate::harness::TestApp;

#[tokio::test]
async fn a_bot_holds_a_group_and_everyone_in_it_gets_what_it_says() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let (ben, cleo) = (app.person("Ben", 1).await, app.person("Cleo", 1).await);
    let client = bot.client(&app, &url);

    let group = client.create_group("Team", &[anna.user, ben.user]).await.unwrap();
    let id = group.conversation_id;
    assert_eq!((group.participants.len(), group.participant_sessions.len()), (3, 3));
    let sent = client.send_to_conversation(&id, Text::new("hello all")).await.unwrap();
    assert!(matches!(&sent.outcome, Outcome::Delivered { sessions } if sessions.len() == 3));

    client.set_role(&id, &anna.user, Role::Admin).await.unwrap();
    client.rename_conversation(&id, "The team").await.unwrap();
    client.remove_participants(&id, &[ben.user]).await.unwrap();
    client.add_participants(&id, &[cleo.user]).await.unwrap();
    client.send_to_conversation(&id, Text::new("hello Cleo")).await.unwrap();

    let phone = anna.devices[0].client(&app, &url);
    let mut messages = phone.messages();
    let (mut texts, mut news) = (Vec::new(), Vec::new());
    while texts.len() < 2 {
        let message = messages.next().await.unwrap().unwrap();
        texts.extend(message.text().map(str::to_owned));
        news.extend(message.conversation_news().map(|news| news.action));
    }
    assert_eq!(texts, ["hello all", "hello Cleo"]);
    assert!(news.contains(&ConversationAction::Role) && news.contains(&ConversationAction::Add));
}

#[tokio::test]
async fn a_bot_whose_list_of_a_group_is_old_seals_again() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let client = bot.client(&app, &url);
    let group = client.create_group("Team", &[anna.user]).await.unwrap().conversation_id;
    let tablet = app.sign_in(anna.user, None).await;
    let sent = client.send_to_conversation(&group, Text::new("hello")).await.unwrap();
    assert!(matches!(sent.outcome, Outcome::Delivered { sessions } if sessions.len() == 2));
    let mut messages = tablet.client(&app, &url).messages();
    assert_eq!(messages.next().await.unwrap().unwrap().text(), Some("hello"));
}

#[tokio::test]
async fn a_device_that_was_missing_gets_its_slot_and_reads_the_message() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let client = bot.client(&app, &url);
    client.sessions_of(&[anna.user]).await.unwrap();
    let tablet = app.sign_in(anna.user, None).await;
    let message = Message::to(&anna.user, Text::new("at once")).on_stale(OnStale::DeliverKnown);
    let sent = client.send_message(message).await.unwrap();
    assert!(matches!(sent.outcome, Outcome::Delivered { sessions } if sessions.len() == 2));
    assert_eq!(tablet.receives(&app).await, ["at once"]);
    assert_eq!(anna.devices[0].receives(&app).await, ["at once"]);
}

#[tokio::test]
async fn more_devices_than_an_envelope_holds_all_read_the_message() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let bot = app.bot("news").await;
    let client = bot.client(&app, &url);
    let mut people = Vec::new();
    for number in 0..33 {
        people.push(app.person(&format!("Person {number}"), 16).await);
    }
    let users: Vec<_> = people.iter().map(|person| person.user).collect();
    let group = client.create_group("Crowd", &users).await.unwrap().conversation_id;
    let sent = client.send_to_conversation(&group, Text::new("everyone")).await.unwrap();
    let Outcome::Delivered { sessions } = sent.outcome else { panic!("{sent:?}") };
    assert_eq!(sessions.len(), 33 * 16);
    for person in [&people[0], &people[32]] {
        let mut messages = person.devices[15].client(&app, &url).messages();
        loop {
            let message = messages.next().await.unwrap().unwrap();
            if message.text() == Some("everyone") {
                break;
            }
        }
    }
}
