//! How fast one may go: refused before anything is stored, and told where one stands.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use bytes::Bytes;
use futures_util::stream;
use sealpost::config::rate::Rate;
use sealpost::http::peer::Peer;

use crate::harness::actor::with_token;
use crate::harness::{Actor, Answer, Item, Person, TestApp};

/// Nothing is limited but what `change` limits.
async fn setting(change: impl FnOnce(&mut Rate)) -> (TestApp, Actor, Person) {
    let app = TestApp::start_with(|config| {
        let rate = &mut config.limits.rate;
        *rate = Rate {
            account_requests: 0,
            account_messages: 0,
            account_bytes: 0,
            account_sockets: 0,
            address_requests: 0,
            address_messages: 0,
            address_bytes: 0,
            address_sockets: 0,
            address_strangers: 0,
        };
        change(rate);
        config.http.trusted_proxies = "10.0.0.0/8".into();
    })
    .await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    (app, bot, anna)
}

fn batch(bot: &Actor, anna: &Person, numbers: std::ops::Range<u8>) -> Vec<Item> {
    numbers.map(|number| bot.seal(anna.user, &anna.recipients(), number, "hello")).collect()
}

/// A request as the listener hands it on.
fn from(address: &str, mut request: Request<Body>) -> Request<Body> {
    request.extensions_mut().insert(Peer(address.parse::<IpAddr>().unwrap()));
    request
}

fn header<'answer>(answer: &'answer Answer, name: &str) -> &'answer str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn expect_limited(answer: &Answer, retry_after: &str) {
    assert_eq!(answer.status, 429, "also for a signed token: {answer:?}");
    assert_eq!(answer.json["error"]["code"], 429);
    assert_eq!(header(answer, "retry-after"), retry_after, "{answer:?}");
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_not_at_all() {
    let (app, bot, anna) = setting(|rate| rate.account_messages = 6).await;
    let phone = &anna.devices[0];
    assert_eq!(bot.send(&app, &batch(&bot, &anna, 1..5)).await.list().len(), 4);
    let next = batch(&bot, &anna, 5..9);
    let refused = bot.send(&app, &next).await;
    expect_limited(&refused, "20");
    assert_eq!(header(&refused, "ratelimit"), r#""messages";r=2;t=40"#);
    assert_eq!(phone.receives(&app).await.len(), 4, "nothing of the second batch was stored");
    app.clock.advance(Duration::from_secs(20));
    let again = bot.send(&app, &next).await;
    assert!(again.list().iter().all(|receipt| receipt["outcome"] == "accepted"), "{again:?}");
}

#[tokio::test]
async fn a_batch_that_can_never_pass_is_told_so() {
    let (app, bot, anna) = setting(|rate| rate.account_messages = 6).await;
    let refused = bot.send(&app, &batch(&bot, &anna, 1..8)).await;
    let reason = "the number of messages is 7, the limit is 6";
    assert_eq!(refused.complaint(), (413, "body", reason));
    assert_eq!(header(&refused, "retry-after"), "");
}

#[tokio::test]
async fn an_account_is_told_where_it_stands() {
    let (app, bot, anna) = setting(|rate| {
        (rate.account_requests, rate.account_messages, rate.account_bytes) = (10, 100, 1_000_000);
    })
    .await;
    let answer = bot.get(&app, "/me").await;
    assert_eq!(
        header(&answer, "ratelimit-policy"),
        r#""requests";q=10;w=60, "messages";q=100;w=60;qu="messages", "bytes";q=1000000;w=60;qu="content-bytes""#
    );
    assert_eq!(
        header(&answer, "ratelimit"),
        r#""requests";r=9;t=6, "messages";r=100;t=0, "bytes";r=1000000;t=0"#
    );
    let sent = bot.send(&app, &batch(&bot, &anna, 1..2)).await;
    assert!(header(&sent, "ratelimit").starts_with(r#""requests";r=8;t=12, "messages";r=99;t=1,"#));
    let stranger = app.call(with_token(Method::GET, "/me", "x.y.z", Vec::new())).await;
    assert_eq!(header(&stranger, "ratelimit"), "");
}

#[tokio::test]
async fn requests_are_counted_by_account_and_come_back_with_time() {
    let (app, bot, anna) = setting(|rate| rate.account_requests = 2).await;
    for _ in 0..2 {
        assert_eq!(bot.get(&app, "/me").await.status, 200);
    }
    expect_limited(&bot.get(&app, "/me").await, "30");
    assert_eq!(anna.devices[0].get(&app, "/me").await.status, 200);
    app.clock.advance(Duration::from_secs(30));
    assert_eq!(bot.get(&app, "/me").await.status, 200);
}

#[tokio::test]
async fn bytes_are_counted_whether_announced_or_not() {
    let (app, bot, _) = setting(|rate| rate.account_bytes = 100).await;
    let body = format!("[\"{}\"]", bot.user);
    assert_eq!(bot.post_bytes(&app, "/users/fetch", body.as_bytes()).await.status, 200);
    let token = bot.token("POST", "/users/fetch", body.as_bytes());
    let mut piecemeal = with_token(Method::POST, "/users/fetch", &token, Vec::new());
    let pieces = [Ok::<_, std::io::Error>(Bytes::from(body.clone()))];
    *piecemeal.body_mut() = Body::from_stream(stream::iter(pieces));
    assert_eq!(app.call(piecemeal).await.status, 200);
    expect_limited(&bot.post_bytes(&app, "/users/fetch", body.as_bytes()).await, "12");
    let never = bot.post_bytes(&app, "/users/fetch", &[b' '; 101]).await;
    assert_eq!(never.complaint().0, 413);
}

#[tokio::test]
async fn a_body_that_the_token_is_not_for_costs_the_address_and_not_the_account() {
    let (app, bot, _) = setting(|rate| {
        (rate.account_requests, rate.account_bytes, rate.address_bytes) = (10, 1000, 1500);
    })
    .await;
    let token = bot.token("POST", "/users/fetch", b"[]");
    let path = "/users/fetch";
    let wrong = || from("203.0.113.1", with_token(Method::POST, path, &token, vec![b' '; 600]));
    for _ in 0..2 {
        assert_eq!(app.call(wrong()).await.complaint().0, 401);
    }
    let mut unannounced = wrong();
    let pieces = [Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 200]))];
    *unannounced.body_mut() = Body::from_stream(stream::iter(pieces));
    assert_eq!(app.call(unannounced).await.complaint().0, 401);
    let answer = bot.get(&app, "/me").await;
    assert_eq!(header(&answer, "ratelimit"), r#""requests";r=9;t=6, "bytes";r=1000;t=0"#);
    expect_limited(&app.call(wrong()).await, "20");
}

#[tokio::test]
async fn an_address_is_limited_for_all_its_accounts_together() {
    let (app, bot, anna) = setting(|rate| rate.address_requests = 2).await;
    let me = |who: &Actor| who.request(Method::GET, "/me", Vec::new());
    let (one, other) = ("203.0.113.1", "203.0.113.2");
    assert_eq!(app.call(from(one, me(&bot))).await.status, 200);
    assert_eq!(app.call(from(one, me(&anna.devices[0]))).await.status, 200);
    expect_limited(&app.call(from(one, me(&bot))).await, "30");
    assert_eq!(app.call(from(other, me(&bot))).await.status, 200);
    // Programs on this machine are not limited by their address.
    for _ in 0..3 {
        assert_eq!(app.call(from("127.0.0.1", me(&bot))).await.status, 200);
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_and_nobody_else() {
    let (app, bot, _) = setting(|rate| rate.address_requests = 1).await;
    let through = |proxy: &str, client: &'static str| {
        let mut request = bot.request(Method::GET, "/me", Vec::new());
        request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
        from(proxy, request)
    };
    for client in ["203.0.113.1", "203.0.113.2"] {
        assert_eq!(app.call(through("10.1.2.3", client)).await.status, 200);
        assert_eq!(app.call(through("10.1.2.3", client)).await.status, 429);
    }
    assert_eq!(app.call(through("198.51.100.1", "203.0.113.3")).await.status, 200);
    assert_eq!(app.call(through("198.51.100.1", "203.0.113.4")).await.status, 429);
}

#[tokio::test]
async fn strangers_are_turned_away_before_their_credential_is_looked_at() {
    let (app, bot, _) = setting(|rate| rate.address_strangers = 3).await;
    let address = "203.0.113.1";
    let stranger = || with_token(Method::GET, "/me", "x.y.z", Vec::new());
    let nobody = Request::get("/me").body(Body::empty()).unwrap();
    let forged = Request::get("/blobs/x?expires=1").body(Body::empty()).unwrap();
    assert_eq!(app.call(from(address, stranger())).await.complaint().0, 401);
    assert_eq!(app.call(from(address, nobody)).await.complaint().0, 401);
    assert_eq!(app.call(from(address, forged)).await.status, 403);
    expect_limited(&app.call(from(address, stranger())).await, "20");
    let good = || bot.request(Method::GET, "/me", Vec::new());
    expect_limited(&app.call(from(address, good())).await, "20");
    let mut repeated = with_token(Method::POST, "/me", "x.y.z", b"{}".to_vec());
    repeated.headers_mut().insert("idempotency-key", "1".parse().unwrap());
    expect_limited(&app.call(from(address, repeated)).await, "20");
    assert_eq!(app.call(from("203.0.113.2", good())).await.status, 200);
    app.clock.advance(Duration::from_secs(20));
    for _ in 0..3 {
        assert_eq!(app.call(from(address, good())).await.status, 200, "costs nothing");
    }
}

#[tokio::test]
async fn a_token_for_another_request_is_a_strangers() {
    let (app, bot, _) = setting(|rate| rate.address_strangers = 1).await;
    let token = bot.token("GET", "/users/1", b"");
    let wrong = || from("203.0.113.1", with_token(Method::GET, "/me", &token, Vec::new()));
    assert_eq!(app.call(wrong()).await.complaint().0, 401);
    expect_limited(&app.call(wrong()).await, "60");
}

#[tokio::test]
async fn bodies_share_a_budget() {
    let app = TestApp::start_with(|config| {
        config.limits.body_bytes = 1 << 20;
        config.http.body_budget_bytes = 1 << 20;
    })
    .await;
    let bot = app.bot("news").await;
    let body = format!("[\"{}\"]", bot.user).into_bytes();
    let token = bot.token("POST", "/users/fetch", &body);
    // Whoever is known waits for nothing before the body is read.
    assert_eq!(bot.post_bytes(&app, "/users/fetch", &body).await.status, 200);
    // A body that says nothing of its size, and does not come, may have any.
    let (sender, waiting) = one_piece();
    let mut slow = with_token(Method::POST, "/users/fetch", &token, Vec::new());
    *slow.body_mut() = Body::from_stream(waiting);
    let first = app.call(slow);
    let second = async {
        tokio::task::yield_now().await;
        let refused = bot.post_bytes(&app, "/users/fetch", &body).await;
        assert_eq!((refused.status, header(&refused, "retry-after")), (503, "1"), "{refused:?}");
        sender.send(Bytes::from(body.clone())).unwrap();
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(bot.post_bytes(&app, "/users/fetch", &body).await.status, 200);
}

/// A stream of one piece, which comes when it is sent.
fn one_piece() -> (
    tokio::sync::oneshot::Sender<Bytes>,
    impl futures_util::Stream<Item = Result<Bytes, tokio::sync::oneshot::error::RecvError>>,
) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    (sender, stream::once(receiver))
}

#[tokio::test]
async fn the_defaults_do_not_disturb_a_broadcast() {
    let app = TestApp::start().await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let item = bot.seal(anna.user, &anna.recipients(), 1, "hello");
    // 10,000 messages at once, the same one again and again.
    let batch = vec![item; 100];
    for _ in 0..100 {
        let answer =
            bot.request(Method::POST, "/encrypted_messages", serde_json::to_vec(&batch).unwrap());
        assert_eq!(app.call(from("203.0.113.1", answer)).await.status, 200);
    }
}
