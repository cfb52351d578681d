//! Repeating requests: lost answers, busy gateways, and what is never repeated.

use std::time::{Duration, UNIX_EPOCH};

use super::world::{Fault, World, error};
use crate::client::{Clock, Outcome, RequestError, RetryPolicy, SendError, Text};

const SECOND: Duration = Duration::from_secs(1);

fn busy(status: u16, retry_after: &str) -> Fault {
    let headers = vec![("Retry-After", retry_after.to_owned())];
    Fault::Answer { status, headers, body: error(status, status.into(), "busy") }
}

fn answer(status: u16, body: impl Into<String>) -> Fault {
    Fault::Answer { status, headers: Vec::new(), body: body.into() }
}

fn cause(result: Result<crate::client::Sent, SendError>) -> std::sync::Arc<RequestError> {
    match result {
        Err(SendError::Request(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn after_a_lost_answer_the_very_same_bytes_are_sent_again() {
    let world = World::new().await;
    let alice = world.account(2);
    world.fault("/encrypted_messages", Fault::LostAnswer);
    let sent = world.bot().send(&alice, Text::new("once")).await.unwrap();
    assert_eq!(sent.outcome, Outcome::AlreadyDelivered);
    let posts = world.requests("/encrypted_messages");
    assert_eq!(posts.len(), 2);
    assert_eq!(posts[0].body, posts[1].body);
    assert_ne!(posts[0].headers["authorization"], posts[1].headers["authorization"]);
    assert_eq!(world.read(&world.devices(alice)[0]), ["once"]);
}

#[tokio::test]
async fn a_lost_answer_then_a_sign_in_then_a_repetition_ends_as_delivered_once() {
    let world = World::new().await;
    let alice = world.account(2);
    let reader = world.devices(alice).remove(1);
    world.fault("/encrypted_messages", Fault::LostAnswer);
    world.fault("/encrypted_messages", Fault::SignIn(alice));
    let sent = world.bot().send(&alice, Text::new("once")).await.unwrap();
    assert_eq!(sent.outcome, Outcome::AlreadyDelivered);
    assert_eq!(world.state().accepted.len(), 1);
    assert_eq!(world.read(&reader), ["once"]);
}

#[tokio::test]
async fn a_silent_connection_is_given_up_after_the_timeout() {
    let world = World::new().await;
    let alice = world.account(1);
    world.fault("/encrypted_messages", Fault::Silence);
    let bot = world.builder().timeout(SECOND / 5).build().unwrap();
    let sent = bot.send(&alice, Text::new("a")).await.unwrap();
    assert!(sent.outcome.is_delivered());
    assert_eq!(world.requests("/encrypted_messages").len(), 2);
}

#[tokio::test]
async fn retry_after_in_seconds_and_as_a_date_is_waited_for() {
    let world = World::new().await;
    let alice = world.account(1);
    let now = world.clock.now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert_eq!(now, 1_800_000_000);
    world.fault("/encrypted_messages", busy(429, "7"));
    world.fault("/encrypted_messages", busy(503, "Fri, 15 Jan 2027 08:00:30 GMT"));
    assert!(world.bot().send(&alice, Text::new("a")).await.unwrap().outcome.is_delivered());
    let slept = world.clock.slept();
    assert_eq!(slept.len(), 2);
    assert!(slept[0] >= 7 * SECOND && slept[0] < 8 * SECOND, "{slept:?}");
    // The date is thirty seconds after the start, and the first pause has used some of them up.
    assert!((30 * SECOND..31 * SECOND).contains(&slept.iter().sum()), "{slept:?}");
}

#[tokio::test]
async fn a_retry_after_beyond_the_bound_comes_back_as_an_error_at_once() {
    let world = World::new().await;
    let alice = world.account(1);
    world.fault("/encrypted_messages", busy(429, "3600"));
    let error = cause(world.bot().send(&alice, Text::new("a")).await);
    assert_eq!(error.retry_after(), Some(3600 * SECOND));
    assert_eq!(error.status(), Some(429));
    assert!(error.is_temporary());
    assert!(world.clock.slept().is_empty());
}

#[tokio::test]
async fn tries_are_bounded_and_counted() {
    let world = World::new().await;
    let alice = world.account(1);
    for _ in 0..10 {
        world.fault("/encrypted_messages", answer(502, "<html>bad gateway</html>"));
    }
    let policy = RetryPolicy { attempts: 4, ..RetryPolicy::default() };
    let bot = world.builder().retry(policy).build().unwrap();
    let error = cause(bot.send(&alice, Text::new("a")).await);
    assert!(matches!(&*error, RequestError::Api { attempts: 4, error, .. } if error.status == 502));
    assert_eq!(world.requests("/encrypted_messages").len(), 4);
    assert_eq!(world.clock.slept().len(), 3);
}

#[tokio::test]
async fn an_error_document_under_status_202_is_an_error_and_not_repeated() {
    let world = World::new().await;
    let alice = world.account(1);
    world.fault("/encrypted_messages", answer(202, error(401, 401, "token expired")));
    let error = cause(world.bot().send(&alice, Text::new("a")).await);
    assert_eq!(error.status(), Some(401));
    assert!(error.to_string().contains("token expired"));
    assert_eq!(world.requests("/encrypted_messages").len(), 1);
}

#[tokio::test]
async fn a_failed_request_fails_its_items_and_no_others() {
    let world = World::new().await;
    let people: Vec<_> = (0..101).map(|_| world.account(1)).collect();
    world.fault("/encrypted_messages", answer(400, error(400, 400, "no")));
    let bot = world.builder().concurrency(1).build().unwrap();
    let outcomes = bot.send_all(people.into_iter().map(|person| (person, Text::new("a")))).await;
    assert!(outcomes[..100].iter().all(|item| item.result.is_err()));
    assert!(outcomes[100].result.is_ok());
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_not_read() {
    let world = World::new().await;
    world.fault("/me", answer(200, "x".repeat(3000)));
    let bot = world.builder().answer_limit(2000).build().unwrap();
    assert!(matches!(bot.me().await, Err(RequestError::AnswerTooLarge { limit: 2000 })));
}

#[tokio::test]
async fn an_answer_with_another_request_id_is_refused() {
    let world = World::new().await;
    let headers = vec![("X-Request-Id", "someone-else".to_owned())];
    world.fault("/me", Fault::Answer { status: 200, headers, body: "{}".to_owned() });
    let error = world.bot().me().await.unwrap_err();
    assert!(
        matches!(error, RequestError::RequestIdMismatch { found, .. } if found == "someone-else")
    );
    assert_eq!(world.requests("/me").len(), 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let world = World::new().await;
    let headers = vec![("Location", format!("{}/users/fetch", world.base_url))];
    world.fault("/me", Fault::Answer { status: 307, headers, body: String::new() });
    assert_eq!(world.bot().me().await.unwrap_err().status(), Some(307));
    assert_eq!(world.state().requests.len(), 1);
}

#[tokio::test]
async fn a_gateway_out_of_reach_is_a_transport_error_after_all_tries() {
    let world = World::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let bot = world.builder().base_url(format!("http://{address}")).build().unwrap();
    let error = bot.me().await.unwrap_err();
    assert!(matches!(error, RequestError::Transport { attempts: 6, .. }), "{error:?}");
    let slept = world.clock.slept();
    assert_eq!(slept.len(), 5);
    assert!(slept.iter().all(|pause| *pause <= 10 * SECOND));
}

#[tokio::test]
async fn an_api_token_is_sent_as_it_is() {
    let world = World::new().await;
    let alice = world.account(1);
    let bot = world.builder().api_token("spt_abc").build().unwrap();
    assert!(bot.send(&alice, Text::new("a")).await.unwrap().outcome.is_delivered());
    let requests = world.requests("/encrypted_messages");
    assert_eq!(requests[0].headers["authorization"], "Bearer spt_abc");
}
