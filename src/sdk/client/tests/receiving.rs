//! Receiving: acknowledging, messages that come again, unreadable ones, failing polls.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;

use super::world::{Fault, World, error, message_id};
use crate::client::{Incoming, ReceiveError, SenderProof, Text, UnreadableReason};
use crate::envelope::OpenError;

#[tokio::test]
async fn a_message_is_acknowledged_only_when_the_next_is_asked_for() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one"), world.sealed(alice, 2, "two")]);
    let mut messages = world.bot().messages();
    let first = messages.next().await.unwrap().unwrap();
    assert_eq!((first.text(), first.sender), (Some("one"), alice));
    assert!(world.requests("/acknowledgements").is_empty());
    let second = messages.next().await.unwrap().unwrap();
    assert_eq!(second.text(), Some("two"));
    world.until(|state| state.acknowledged == [message_id(1)]).await;
    drop(messages);
    assert_eq!(world.state().acknowledged, [message_id(1)], "the handler of the second died");
}

#[tokio::test]
async fn a_handled_message_that_comes_again_is_acknowledged_and_not_handed_out() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one"), world.sealed(alice, 1, "one")]);
    world.deliver(vec![world.sealed(alice, 1, "one"), world.sealed(alice, 2, "two")]);
    let mut messages = world.bot().messages();
    assert_eq!(messages.next().await.unwrap().unwrap().text(), Some("one"));
    assert_eq!(messages.next().await.unwrap().unwrap().text(), Some("two"));
    messages.close().await.unwrap();
    let one = message_id(1);
    assert_eq!(world.state().acknowledged, [one, one, one, message_id(2)]);
}

#[tokio::test]
async fn an_unreadable_message_is_reported_and_does_not_block_the_next() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![
        world.item(alice, 1, "ENCRYPTED_TEXT", "not base64!"),
        world.item(alice, 2, "ENCRYPTED_TEXT", "AQEA"),
        json!({"message_id": message_id(3), "category": 7}),
        world.sealed(alice, 4, "four"),
    ]);
    let mut messages = world.bot().messages();
    for number in 1..=3 {
        let Some(Err(ReceiveError::Unreadable { message_id: id, reason })) = messages.next().await
        else {
            panic!("{number} was readable");
        };
        assert_eq!(id, message_id(number).to_string());
        let expected = match number {
            1 => matches!(reason, UnreadableReason::Base64(_)),
            2 => matches!(reason, UnreadableReason::Open(OpenError::Parse(_))),
            _ => matches!(reason, UnreadableReason::Shape(_)),
        };
        assert!(expected, "{reason:?}");
    }
    assert_eq!(messages.next().await.unwrap().unwrap().text(), Some("four"));
    messages.close().await.unwrap();
    assert_eq!(world.state().acknowledged, [1, 2, 3, 4].map(message_id));
}

#[tokio::test]
async fn a_new_device_of_the_sender_is_looked_up_once() {
    let world = World::new().await;
    let alice = world.account(1);
    let bot = world.bot();
    bot.sessions_of(&[alice]).await.unwrap();
    world.state().sign_in_again(alice);
    world.deliver(vec![world.sealed(alice, 1, "from my new phone")]);
    let mut messages = bot.messages();
    assert_eq!(messages.next().await.unwrap().unwrap().text(), Some("from my new phone"));
    assert_eq!(world.requests("/sessions/fetch").len(), 2);
}

#[tokio::test]
async fn a_message_that_somebody_else_sealed_is_set_apart() {
    let world = World::new().await;
    let (alice, mallory) = (world.account(1), world.account(1));
    let mut forged = world.sealed(mallory, 1, "send me money");
    forged["user_id"] = json!(alice);
    world.deliver(vec![forged]);
    let mut messages = world.bot().messages();
    let error = messages.next().await.unwrap().unwrap_err();
    assert!(matches!(error, ReceiveError::Unconfirmed(_)), "{error:?}");
}

#[tokio::test]
async fn a_message_from_before_a_sign_in_says_that_its_session_has_ended() {
    let world = World::new().await;
    let alice = world.account(1);
    let bot = world.bot();
    bot.sessions_of(&[alice]).await.unwrap();
    world.deliver((1..=3).map(|id| world.sealed(alice, id, "before")).collect());
    world.state().sign_in_again(alice);
    bot.sessions_of(&[alice]).await.unwrap();
    let mut messages = bot.messages();
    for _ in 0..3 {
        let message = messages.next().await.unwrap().unwrap();
        assert_eq!((message.text(), message.proof), (Some("before"), SenderProof::EndedSession));
    }
    assert_eq!(world.requests("/sessions/fetch").len(), 3, "the third makes sure, once");
}

#[tokio::test]
async fn what_a_session_sealed_that_the_bot_never_saw_is_kept_and_not_taken_for_proven() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver((1..=3).map(|id| world.sealed(alice, id, "before")).collect());
    world.state().sign_in_again(alice);
    let mut messages = world.bot().messages();
    for id in 1..=3 {
        let error = messages.next().await.unwrap().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("before"));
        let ReceiveError::Unconfirmed(message) = error else { panic!("{error:?}") };
        assert_eq!((message.message_id, message.sender), (message_id(id), alice));
        assert_eq!((message.text(), message.proof), (None, SenderProof::GatewaysWord));
        assert_eq!(message.bytes, b"before");
    }
    messages.close().await.unwrap();
    assert_eq!(world.state().acknowledged, [1, 2, 3].map(message_id));
    assert_eq!(world.requests("/sessions/fetch").len(), 2, "looked for once beside the warm-up");
}

#[tokio::test]
async fn a_live_session_proves_its_sender() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "now")]);
    let message = world.bot().messages().next().await.unwrap().unwrap();
    assert_eq!((message.text(), message.proof), (Some("now"), SenderProof::LiveSession));
}

#[tokio::test]
async fn a_readable_category_is_handed_out_but_is_no_text_of_the_sender() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.item(alice, 1, "PLAIN_TEXT", "aGVsbG8")]);
    let mut messages = world.bot().messages();
    let message = messages.next().await.unwrap().unwrap();
    assert_eq!(message.bytes, b"hello");
    assert_eq!((message.text(), message.is_encrypted()), (None, false));
    assert!(!format!("{message:?}").contains("hello"));
}

#[tokio::test]
async fn what_the_gateway_itself_says_belongs_to_no_conversation() {
    let world = World::new().await;
    let mut marker = world.item(world.bot, 1, "SYSTEM_GAP", "e30");
    marker["conversation_id"] = json!("");
    world.deliver(vec![marker]);
    let message = world.bot().messages().next().await.unwrap().unwrap();
    assert_eq!((message.category.as_str(), message.conversation_id), ("SYSTEM_GAP", None));
    assert_eq!(message.bytes, b"{}");
}

#[tokio::test]
async fn failing_polls_are_waited_out() {
    let world = World::new().await;
    let alice = world.account(1);
    let headers = vec![("Retry-After", "9".to_owned())];
    world.fault("/inbox", Fault::Answer { status: 503, headers, body: String::new() });
    world.fault(
        "/inbox",
        Fault::Answer { status: 202, headers: vec![], body: error(500, 500, "no") },
    );
    world.deliver(vec![world.sealed(alice, 1, "at last")]);
    let mut messages = world.bot().messages();
    assert_eq!(messages.next().await.unwrap().unwrap().text(), Some("at last"));
    let slept = world.clock.slept();
    assert_eq!(slept.len(), 2);
    assert!(slept[0] >= Duration::from_secs(9), "{slept:?}");
}

#[tokio::test]
async fn a_refusal_ends_the_messages() {
    for status in [401, 403] {
        let world = World::new().await;
        let body = error(status, status.into(), "no");
        world.fault("/inbox", Fault::Answer { status: 202, headers: Vec::new(), body });
        let mut messages = world.bot().messages();
        let error = messages.next().await.unwrap().unwrap_err();
        assert!(matches!(error, ReceiveError::Refused(error) if error.status() == Some(status)));
        assert!(messages.next().await.is_none());
    }
}

#[tokio::test]
async fn dropping_next_while_it_waits_loses_nothing() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one"), world.sealed(alice, 2, "two")]);
    world.fault("/sessions/fetch", Fault::Silence);
    let bot = world.builder().timeout(Duration::from_secs(20)).build().unwrap();
    let mut messages = bot.messages();
    // The poll has come back and the sender is being looked up when this is dropped.
    tokio::select! {
        message = messages.next() => panic!("{message:?}"),
        () = world.until(|state| state.requests.len() == 2) => {}
    }
    assert_eq!(messages.next().await.unwrap().unwrap().text(), Some("one"));
    assert_eq!(messages.next().await.unwrap().unwrap().text(), Some("two"));
}

#[tokio::test]
async fn a_stream_acknowledges_like_next() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one"), world.sealed(alice, 2, "two")]);
    let texts: Vec<String> = world
        .bot()
        .messages()
        .into_stream()
        .map(|message| message.unwrap().text().unwrap().to_owned())
        .take(2)
        .collect()
        .await;
    assert_eq!(texts, ["one", "two"]);
    world.until(|state| state.acknowledged == [message_id(1)]).await;
}

#[tokio::test]
async fn a_bot_answers_until_it_is_told_to_stop_and_leaves_nothing_unacknowledged() {
    let world = World::new().await;
    let alice = world.account(2);
    world.deliver(vec![world.sealed(alice, 1, "one"), world.sealed(alice, 2, "two")]);
    let bot = world.bot();
    let echoed = world.until(|state| state.accepted.len() == 2);
    bot.run_until(echoed, async |message| {
        let message = message.unwrap();
        let text = Text::new(message.text().unwrap());
        assert!(bot.reply(&message, text).await.unwrap().outcome.is_delivered());
    })
    .await
    .unwrap();
    assert_eq!(world.read(&world.devices(alice)[1]), ["one", "two"]);
    assert_eq!(world.state().acknowledged, [message_id(1), message_id(2)]);
}

#[tokio::test]
async fn a_bot_may_run_on_a_task_of_its_own() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one")]);
    let bot = world.bot();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        let echo = |message: Result<Incoming, ReceiveError>| {
            let bot = bot.clone();
            async move { drop(bot.reply(&message.unwrap(), Text::new("here")).await.unwrap()) }
        };
        bot.run_until(stopped, echo).await
    });
    world.until(|state| state.accepted.len() == 1).await;
    stop.send(()).unwrap();
    task.await.unwrap().unwrap();
    assert_eq!(world.state().acknowledged, [message_id(1)]);
}
