//! Listening over a socket: acknowledging, failing handlers, broken connections, the end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Notify;

use super::socket::gzip;
use super::world::{Fault, Push, State, World, error, message_id};
use crate::client::{Bot, Incoming, ReceiveError, RequestError, SocketError, Trouble};

type Handed = Result<Incoming, ReceiveError>;

/// Listens until the gateway's state is as wanted; gives the texts that were handled.
async fn listen_until(world: &World, bot: &Bot, wanted: impl Fn(&State) -> bool) -> Vec<String> {
    let texts = Mutex::new(Vec::new());
    let handler = async |message: Handed| {
        texts.lock().unwrap().push(message.unwrap().text().unwrap().to_owned());
    };
    bot.run_until(world.until(wanted), handler).await.unwrap();
    texts.into_inner().unwrap()
}

#[tokio::test]
async fn what_is_handled_is_acknowledged_and_the_socket_is_closed_in_good_order() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one"), world.sealed(alice, 2, "two")]);
    let wanted = |state: &State| state.acknowledged.len() == 2;
    assert_eq!(listen_until(&world, &world.bot(), wanted).await, ["one", "two"]);
    let state = world.state();
    assert_eq!(state.acknowledged, [message_id(1), message_id(2)]);
    assert_eq!((state.listening, state.closed), (1, 1));
}

#[tokio::test]
async fn a_message_is_not_acknowledged_before_its_handler_is_through() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one")]);
    let (begun, go_on) = (Notify::new(), Notify::new());
    let bot = world.bot();
    let running = bot.run_until(world.until(|state| state.acknowledged.len() == 1), async |_| {
        begun.notify_one();
        go_on.notified().await;
    });
    let looking = async {
        begun.notified().await;
        assert!(world.state().acknowledged.is_empty());
        go_on.notify_one();
    };
    let (ran, ()) = tokio::join!(running, looking);
    ran.unwrap();
}

#[tokio::test]
async fn stopping_lets_the_handler_finish_and_its_message_be_acknowledged() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one"), world.sealed(alice, 2, "two")]);
    let begun = Notify::new();
    let handled = AtomicUsize::new(0);
    world
        .bot()
        .run_until(begun.notified(), async |_| {
            begun.notify_one();
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            handled.fetch_add(1, Ordering::SeqCst);
        })
        .await
        .unwrap();
    assert_eq!(handled.into_inner(), 1);
    assert_eq!(world.state().acknowledged, [message_id(1)], "the second comes again");
    assert_eq!(world.state().closed, 1);
}

#[tokio::test]
async fn a_handler_that_fails_or_panics_leaves_its_message_and_the_next_one_is_handled() {
    let world = World::new().await;
    let alice = world.account(1);
    let texts = ["fail", "panic", "fine"];
    let items = (1..).zip(texts).map(|(id, text)| world.sealed(alice, id, text)).collect();
    world.deliver(items);
    let troubles = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&troubles);
    world
        .bot()
        .listening()
        .on_trouble(move |trouble| heard.lock().unwrap().push(format!("{trouble:?}")))
        .run_until(world.until(|state| state.acknowledged.len() == 1), async |message: Handed| {
            match message.unwrap().text() {
                Some("fail") => Err("no"),
                Some("panic") => panic!("a bug of the bot"),
                _ => Ok(()),
            }
        })
        .await
        .unwrap();
    assert_eq!(world.state().acknowledged, [message_id(3)]);
    let troubles = troubles.lock().unwrap();
    assert!(troubles[0].starts_with("HandlerFailed") && troubles[1].starts_with("HandlerPanicked"));
}

#[tokio::test]
async fn what_failed_is_handled_when_it_comes_again_and_what_was_handled_is_not() {
    let world = World::new().await;
    let alice = world.account(1);
    let twice = || vec![world.sealed(alice, 1, "fine"), world.sealed(alice, 2, "fails at first")];
    world.deliver(twice());
    world.deliver(twice());
    let calls = Mutex::new(Vec::new());
    let handler = async |message: Handed| {
        let id = message.unwrap().message_id;
        let mut calls = calls.lock().unwrap();
        calls.push(id);
        if calls.len() == 2 { Err("not yet") } else { Ok(()) }
    };
    // The second delivery waits until the first was handled, for a broken connection lies between.
    world.push(Push::Cut);
    world
        .bot()
        .run_until(world.until(|state| state.acknowledged.len() >= 3), handler)
        .await
        .unwrap();
    let calls = calls.into_inner().unwrap();
    assert_eq!(calls.iter().filter(|id| **id == message_id(1)).count(), 1, "{calls:?}");
    assert_eq!(calls.iter().filter(|id| **id == message_id(2)).count(), 2, "{calls:?}");
}

#[tokio::test]
async fn unreadable_messages_are_reported_acknowledged_and_do_not_end_anything() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![
        world.item(alice, 1, "ENCRYPTED_TEXT", "AQEA"),
        json!({"message_id": message_id(2), "category": 7}),
        world.sealed(alice, 3, "three"),
    ]);
    let seen = Mutex::new(Vec::new());
    let handler = async |message: Handed| {
        seen.lock().unwrap().push(message.map(|message| message.message_id).is_ok());
    };
    world
        .bot()
        .run_until(world.until(|state| state.acknowledged.len() == 3), handler)
        .await
        .unwrap();
    assert_eq!(seen.into_inner().unwrap(), [false, false, true]);
    assert_eq!(world.state().acknowledged, [1, 2, 3].map(message_id));
}

#[tokio::test]
async fn a_broken_connection_is_opened_again_with_a_fresh_token_and_a_jittered_pause() {
    let world = World::new().await;
    let alice = world.account(1);
    world.push(Push::Cut);
    world.deliver(vec![world.sealed(alice, 1, "one")]);
    let wanted = |state: &State| state.acknowledged.len() == 1 && state.listening == 2;
    // The item may go out over either connection, twice at most.
    listen_until(&world, &world.bot(), wanted).await;
    let tokens: Vec<String> = world
        .requests("/")
        .iter()
        .map(|request| request.headers["authorization"].clone())
        .collect();
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
    let slept = world.clock.slept();
    assert!(slept.len() == 1 && slept[0] <= Duration::from_millis(200), "{slept:?}");
}

#[tokio::test]
async fn pauses_between_connections_grow_and_what_the_gateway_asks_for_is_a_minimum() {
    let world = World::new().await;
    for status in [503, 429] {
        let headers = vec![("Retry-After", "9".to_owned())];
        world.fault(
            "/",
            Fault::Answer { status, headers, body: error(status, status.into(), "busy") },
        );
    }
    (0..10).for_each(|_| world.fault("/", Fault::HangUp));
    listen_until(&world, &world.bot(), |state| state.listening == 1).await;
    let slept = world.clock.slept();
    assert_eq!(slept.len(), 12);
    assert!(slept[..2].iter().all(|pause| *pause >= Duration::from_secs(9)), "{slept:?}");
    assert!(slept.iter().all(|pause| *pause <= Duration::from_secs(10)), "{slept:?}");
    assert!(slept[6..].iter().max() > Some(&Duration::from_secs(1)), "{slept:?}");
}

#[tokio::test]
async fn a_revoked_session_is_the_end_and_says_so() {
    let world = World::new().await;
    let body = error(401, 401, "no such session");
    world.fault("/", Fault::Answer { status: 401, headers: Vec::new(), body });
    let ended = world.bot().run_until(std::future::pending(), async |_| ()).await.unwrap_err();
    assert!(matches!(ended, RequestError::SessionEnded { .. }), "{ended:?}");
    assert_eq!(ended.status(), Some(401));
    assert!(ended.to_string().contains("revoked"), "{ended}");
}

#[tokio::test]
async fn an_expired_token_on_an_open_socket_is_only_a_reason_for_a_fresh_one() {
    let world = World::new().await;
    let gone = json!({"id": "1", "action": "ERROR", "error": {"status": 401, "code": 401, "description": "over"}});
    world.push(Push::Frame(gone));
    listen_until(&world, &world.bot(), |state| state.listening == 2).await;
}

#[tokio::test]
async fn a_gateway_that_never_opens_a_socket_is_given_up() {
    let world = World::new().await;
    let body = "<html>welcome</html>".to_owned();
    world.fault("/", Fault::Answer { status: 200, headers: Vec::new(), body });
    let ended = world.bot().run_until(std::future::pending(), async |_| ()).await.unwrap_err();
    assert!(matches!(ended, RequestError::Socket(SocketError::Refused { .. })), "{ended:?}");
}

#[tokio::test]
async fn a_gateway_that_falls_silent_is_noticed() {
    let world = World::new().await;
    let mut builder = world.builder();
    builder.keep_alive.ping_every = Duration::from_millis(20);
    world.push(Push::Deaf);
    listen_until(&world, &builder.build().unwrap(), |state| state.listening == 2).await;
}

#[tokio::test]
async fn acknowledgements_without_an_answer_go_out_again_by_post_at_the_end() {
    let world = World::new().await;
    let alice = world.account(1);
    world.state().acknowledges_in_silence = true;
    let mut builder = world.builder();
    builder.keep_alive.answer_within = Duration::from_millis(100);
    world.deliver(vec![world.sealed(alice, 1, "one")]);
    let bot = builder.build().unwrap();
    listen_until(&world, &bot, |state| !state.acknowledged.is_empty()).await;
    assert_eq!(world.requests("/acknowledgements").len(), 1);
}

#[tokio::test]
async fn frames_that_are_none_are_reported_and_skipped() {
    let world = World::new().await;
    let alice = world.account(1);
    world.push(Push::Raw(b"no gzip".to_vec()));
    world.push(Push::Raw(gzip(&vec![b' '; 5 * 1024 * 1024])));
    world.push(Push::Frame(json!({"id": "1", "action": "SOMETHING_NEW", "data": {}})));
    let troubles = Arc::new(AtomicUsize::new(0));
    let heard = Arc::clone(&troubles);
    world.deliver(vec![world.sealed(alice, 1, "one")]);
    world
        .bot()
        .listening()
        .on_trouble(move |_| {
            heard.fetch_add(1, Ordering::SeqCst);
        })
        .run_until(
            world.until(|state| state.acknowledged.len() == 1 && state.pushes.is_empty()),
            async |_| (),
        )
        .await
        .unwrap();
    assert!((1..=2).contains(&troubles.load(Ordering::SeqCst)));
    assert_eq!(world.state().listening, 1, "the connection went on");
}

#[tokio::test]
async fn handlers_work_side_by_side_but_never_two_for_one_conversation() {
    let world = World::new().await;
    let (alice, bob) = (world.account(1), world.account(1));
    world.deliver(vec![
        world.sealed(alice, 1, "a1"),
        world.sealed(alice, 2, "a2"),
        world.sealed(bob, 3, "b1"),
    ]);
    let together = tokio::sync::Barrier::new(2);
    let order = Mutex::new(Vec::new());
    let handler = async |message: Handed| {
        let text = message.unwrap().text().unwrap().to_owned();
        if text != "a2" {
            together.wait().await; // only two at once get past this
        }
        order.lock().unwrap().push(text);
    };
    let stop = world.until(|state| state.acknowledged.len() == 3);
    world.bot().listening().concurrency(4).run_until(stop, handler).await.unwrap();
    assert_eq!(order.into_inner().unwrap()[2], "a2");
}

#[tokio::test]
async fn receipts_go_to_their_hook() {
    let world = World::new().await;
    let alice = world.account(1);
    let receipt = json!({
        "type": "message", "message_id": message_id(9), "status": "READ",
        "source": "ACKNOWLEDGE_MESSAGE_RECEIPT", "user_id": alice,
        "session_id": world.devices(alice)[0].session, "created_at": "", "updated_at": "",
    });
    world.push(Push::Frame(
        json!({"id": "1", "action": "ACKNOWLEDGE_MESSAGE_RECEIPT", "data": receipt}),
    ));
    let told = Arc::new(Notify::new());
    let tell = Arc::clone(&told);
    world
        .bot()
        .listening()
        .on_receipt(move |receipt| {
            assert_eq!(receipt.message_id, message_id(9));
            tell.notify_one();
        })
        .run_until(told.notified(), async |_| ())
        .await
        .unwrap();
}

#[tokio::test]
async fn who_listens_is_told_when_the_socket_is_open_and_when_it_is_again() {
    let world = World::new().await;
    world.fault("/", Fault::HangUp);
    let ready = Arc::new(AtomicUsize::new(0));
    let told = Arc::new(Notify::new());
    let (counted, tell) = (Arc::clone(&ready), Arc::clone(&told));
    world.push(Push::Cut);
    world
        .bot()
        .listening()
        .on_ready(move || {
            if counted.fetch_add(1, Ordering::SeqCst) == 1 {
                tell.notify_one();
            }
        })
        .run_until(told.notified(), async |_| ())
        .await
        .unwrap();
    assert_eq!(ready.load(Ordering::SeqCst), 2);
    assert_eq!(world.requests("/").len(), 3, "the first was no connection");
}

#[tokio::test]
async fn a_hook_is_not_called_for_troubles_of_a_quiet_life() {
    let world = World::new().await;
    let heard = |trouble: &Trouble| panic!("{trouble:?}");
    let stop = world.until(|state| state.listening == 1);
    world.bot().listening().on_trouble(heard).run_until(stop, async |_| ()).await.unwrap();
}

#[tokio::test]
async fn live_messages_are_acknowledged_when_the_next_is_asked_for() {
    let world = World::new().await;
    let alice = world.account(1);
    world.deliver(vec![world.sealed(alice, 1, "one"), world.sealed(alice, 2, "two")]);
    let bot = world.bot();
    let mut messages = bot.live_messages();
    assert_eq!(messages.next().await.unwrap().unwrap().text(), Some("one"));
    assert!(world.state().acknowledged.is_empty());
    world.push(Push::Cut);
    assert_eq!(messages.next().await.unwrap().unwrap().text(), Some("two"));
    world.until(|state| state.acknowledged.contains(&message_id(1)) && state.listening == 2).await;
    messages.close().await.unwrap();
    assert!(world.state().acknowledged.contains(&message_id(2)));
    assert_eq!(world.state().closed, 1);
}

#[tokio::test]
async fn live_messages_end_with_the_session() {
    let world = World::new().await;
    let body = error(401, 401, "no such session");
    world.fault("/", Fault::Answer { status: 401, headers: Vec::new(), body });
    let mut messages = world.bot().live_messages();
    let ended = messages.next().await.unwrap().unwrap_err();
    assert!(matches!(ended, ReceiveError::Ended(RequestError::SessionEnded { .. })), "{ended:?}");
    assert!(messages.next().await.is_none());
}
