//! Receiving: acknowledging, messages that come again, unreadable ones, failing polls.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;

use super::world::{Fault, World, error, message_id};
use crate::base64url;
use crate::client::{Incoming, ReceiveError, RequestError, SenderProof, Text, UnreadableReason};
use crate::envelope::OpenError;
use crate::types::GapReason;

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
async fn a_marker_for_missing_messages_says_what_is_missing() {
    let world = World::new().await;
    let gap = json!({"reason": "signed_in_again", "count": 3, "from": "a", "to": "b"}).to_string();
    let mut marker = world.item(world.bot, 1, "SYSTEM_GAP", &base64url::encode(gap.as_bytes()));
    marker["conversation_id"] = json!("");
    let mut unsigned = marker.clone();
    unsigned["message_id"] = json!(message_id(2));
    unsigned["user_id"] = json!("");
    world.deliver(vec![marker, unsigned]);
    let mut messages = world.bot().messages();
    for _ in 0..2 {
        let message = messages.next().await.unwrap().unwrap();
        assert_eq!((message.sender, message.conversation_id), (world.bot, None));
        assert_eq!((message.proof, message.text()), (SenderProof::GatewaysWord, None));
        let gap = message.gap().unwrap();
        assert_eq!((gap.reason, gap.count), (GapReason::SignedInAgain, 3));
        assert_eq!((gap.from.as_str(), gap.to.as_str()), ("a", "b"));
    }
}

#[tokio::test]
async fn nobody_but_the_gateway_can_report_a_gap() {
    let world = World::new().await;
    let alice = world.account(1);
    let text = r#"{"reason":"signed_in_again","count":3,"from":"a","to":"b"}"#;
    world.deliver(vec![world.sealed(alice, 1, text)]);
    let message = world.bot().messages().next().await.unwrap().unwrap();
    assert_eq!((message.gap(), message.text()), (None, Some(text)));
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
        assert!(matches!(error, ReceiveError::Ended(error) if error.status() == Some(status)));
        assert!(messages.next().await.is_none());
    }
}

#[tokio::test]
async fn dropping_next_while_it_waits_loses_nothing() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one"), world.sealed(alice, 2, "two")]);
    world.fault("/sessions/fetch", Fault::Silence);
    let bot = world.builder().timeout(Duration::from_millis(200)).build().unwrap();
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
async fn a_poll_that_is_under_way_outlives_a_dropped_next() {
    let world = World::new().await;
    let alice = world.account(1);
    let mut messages = world.bot().messages();
    for _ in 0..3 {
        tokio::select! {
            message = messages.next() => panic!("{message:?}"),
            () = world.until(|state| !state.requests.is_empty()) => {}
        }
    }
    world.deliver(vec![world.sealed(alice, 1, "one")]);
    assert_eq!(messages.next().await.unwrap().unwrap().text(), Some("one"));
    assert_eq!(world.requests("/inbox").len(), 1);
}

#[tokio::test]
async fn a_gateway_that_never_answers_is_given_up() {
    let world = World::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let bot = world.builder().base_url(format!("http://{address}")).build().unwrap();
    let mut messages = bot.messages();
    let error = messages.next().await.unwrap().unwrap_err();
    assert!(matches!(error, ReceiveError::Ended(RequestError::Transport { .. })), "{error:?}");
    assert_eq!(world.clock.slept().len(), 5);
    assert!(messages.next().await.is_none());
}

#[tokio::test]
async fn a_gateway_that_has_answered_is_waited_for() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one")]);
    for _ in 0..20 {
        world.fault("/inbox", Fault::HangUp);
    }
    let headers = Vec::new();
    let body = error(503, 503, "starting");
    world.state().faults.get_mut("/inbox").unwrap().push_front(Fault::Answer {
        status: 503,
        headers,
        body,
    });
    let message = world.bot().messages().next().await.unwrap().unwrap();
    assert_eq!(message.text(), Some("one"));
}

#[tokio::test]
async fn the_same_id_from_two_senders_is_two_messages() {
    let world = World::new().await;
    let (alice, mallory) = (world.account(1), world.account(1));
    world.deliver(vec![world.sealed(mallory, 1, "first")]);
    world.deliver(vec![world.sealed(alice, 1, "second")]);
    let mut messages = world.bot().messages();
    for (sender, text) in [(mallory, "first"), (alice, "second")] {
        let message = messages.next().await.unwrap().unwrap();
        assert_eq!((message.sender, message.text()), (sender, Some(text)));
    }
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
async fn a_handler_that_hangs_is_left_when_the_bot_is_told_twice_to_stop() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one")]);
    let signal = tokio::sync::Notify::new();
    let bot = world.bot();
    let running = bot.listening().run_until_told_twice(
        || signal.notified(),
        async |message| {
            assert_eq!(message.unwrap().text(), Some("one"));
            // It never comes to its end, whoever asks it to.
            for () in std::iter::repeat(()) {
                signal.notify_waiters();
                tokio::task::yield_now().await;
            }
        },
    );
    tokio::time::timeout(Duration::from_secs(30), running).await.unwrap().unwrap();
    assert!(world.state().acknowledged.is_empty(), "it was not handled to its end");
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

#[tokio::test]
async fn a_look_acknowledges_nothing_until_it_is_told_to() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![
        world.sealed(alice, 1, "one"),
        world.item(alice, 2, "ENCRYPTED_TEXT", "not base64!"),
    ]);
    let bot = world.bot();
    let found = bot.look().await.unwrap();
    assert_eq!(found[0].as_ref().unwrap().text(), Some("one"));
    assert!(matches!(found[1], Err(ReceiveError::Unreadable { .. })));
    assert_eq!(found.len(), 2);
    assert!(world.requests("/acknowledgements").is_empty());
    bot.acknowledge(&[message_id(1)]).await.unwrap();
    assert_eq!(world.state().acknowledged, [message_id(1)]);
}
