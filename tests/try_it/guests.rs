//! Who gets in, how many, and for how long.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use sealpost::domain::clock::Clock;
use sealpost::http::peer::Peer;
use sealpost::sdk::ids::{SessionId, UserId};
use sealpost::sdk::keys::SigningKey;
use sealpost::sdk::token::{self, SignUpClaims};
use serde_json::{Value, json};

use crate::harness::actor::{fresh_jti, with_token};
use crate::harness::{Actor, Answer, TestApp};

const HOUR: Duration = Duration::from_secs(60 * 60);

async fn open() -> TestApp {
    TestApp::start_with(|config| config.console.try_it = true).await
}

async fn get(app: &TestApp, path: &str) -> Answer {
    app.answer(Request::get(path).body(Body::empty()).unwrap()).await
}

/// Somebody with a key who comes to the door.
struct Caller {
    key: SigningKey,
    body: Value,
    claims: SignUpClaims,
}

impl Caller {
    async fn new(app: &TestApp, name: &str) -> Self {
        let key = app.fresh_key();
        let body = json!({ "full_name": name, "public_key": key.verifying_key().to_base64() });
        let about = get(app, "/").await;
        let now = app.clock.now().as_seconds();
        let claims = SignUpClaims {
            aud: about.json["server_public_key"].as_str().unwrap().to_owned(),
            iat: now,
            exp: now + 60,
            jti: fresh_jti(),
            sig: token::body_digest("POST", "/try/accounts", body.to_string().as_bytes()),
        };
        Self { key, body, claims }
    }

    fn request(&self) -> Request<Body> {
        let token = token::sign_up(&self.claims, &self.key).unwrap();
        with_token(Method::POST, "/try/accounts", &token, self.body.to_string().into_bytes())
    }

    async fn knocks(&self, app: &TestApp) -> Answer {
        app.answer(self.request()).await
    }

    async fn knocks_from(&self, app: &TestApp, address: [u8; 4]) -> u16 {
        let mut request = self.request();
        request.extensions_mut().insert(Peer(IpAddr::from(address)));
        app.answer(request).await.status
    }
}

async fn guest(app: &TestApp, name: &str) -> Actor {
    let caller = Caller::new(app, name).await;
    let answer = caller.knocks(app).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let text = |member: &str| answer.json[member].as_str().unwrap().to_owned();
    let user = UserId::parse(&text("user_id")).unwrap();
    let session = SessionId::parse(&text("session_id")).unwrap();
    Actor::new(user, session, caller.key, app.clock.clone())
}

/// The names of those who are here.
async fn present(app: &TestApp) -> Vec<String> {
    let answer = get(app, "/try/guests").await;
    let names = answer.list_of("guests").iter().map(|guest| guest["full_name"].as_str().unwrap());
    names.map(ToOwned::to_owned).collect()
}

/// Whether a device is let in.
async fn is_known(app: &TestApp, device: &Actor) -> bool {
    let answer = device.get(app, "/me").await;
    answer.json["data"]["user_id"] == json!(device.user)
}

#[tokio::test]
async fn nothing_is_there_unless_it_is_switched_on() {
    let app = TestApp::start().await;
    let unknown = get(&app, "/there-is-no-such-path").await;
    for path in ["/try", "/try/main.js", "/try/gateway", "/try/guests"] {
        let answer = get(&app, path).await;
        assert_eq!(answer.status, unknown.status, "{path}");
        assert_eq!(answer.json["error"]["code"], unknown.json["error"]["code"], "{path}");
    }
    let caller = Caller::new(&app, "Ada").await;
    assert_eq!(caller.knocks(&app).await.json["error"]["status"], 404);
    assert!(app.app().guests().is_none());
}

#[tokio::test]
async fn the_page_comes_with_its_files_and_a_policy() {
    let app = open().await;
    for (path, content_type) in [
        ("/try", "text/html; charset=utf-8"),
        ("/try/main.js", "text/javascript; charset=utf-8"),
        ("/try/style.css", "text/css; charset=utf-8"),
    ] {
        let answer = get(&app, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.headers["content-type"], content_type);
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
    }
    let slash = get(&app, "/try/").await;
    assert_eq!((slash.status, &slash.headers["location"]), (308, &"../try".parse().unwrap()));
    assert_eq!(get(&app, "/try/none.js").await.status, 404);
    assert_eq!(get(&app, "/tryst").await.status, 404);
}

#[tokio::test]
async fn a_guest_is_an_account_like_any_other() {
    let app = open().await;
    let (ada, ben) = (guest(&app, "Ada").await, guest(&app, "Ben").await);
    ada.sends_to(&app, ben.user, &[ben.recipient()], 1, "good morning").await;
    assert_eq!(ben.receives_texts(&app).await, ["good morning"]);
    assert_eq!(present(&app).await, ["Ada", "Ben"]);
    let about = get(&app, "/try/gateway").await;
    assert_eq!(about.json["echo"]["full_name"], "Echo");
    assert_eq!(about.json["api"], "");
}

#[tokio::test]
async fn an_answer_that_got_lost_comes_again_and_makes_no_second_guest() {
    let app = open().await;
    let caller = Caller::new(&app, "Ada").await;
    let (first, second) = (caller.knocks(&app).await, caller.knocks(&app).await);
    assert_eq!((first.status, &first.json), (201, &second.json));
    assert_eq!(present(&app).await, ["Ada"]);
}

#[tokio::test]
async fn nobody_gets_in_with_a_key_or_for_a_request_that_is_not_his() {
    let app = open().await;
    let mut stranger = Caller::new(&app, "Ada").await;
    stranger.key = app.fresh_key();
    assert_eq!(stranger.knocks(&app).await.status, 401);
    let mut elsewhere = Caller::new(&app, "Ada").await;
    elsewhere.claims.sig = token::body_digest("POST", "/accounts", b"");
    assert_eq!(elsewhere.knocks(&app).await.status, 401);
    let mut late = Caller::new(&app, "Ada").await;
    late.claims.exp = late.claims.iat;
    assert_eq!(late.knocks(&app).await.status, 401);
    let nameless = Caller::new(&app, " ").await.knocks(&app).await;
    assert_eq!((nameless.status, &nameless.json["field"]), (422, &json!("full_name")));
    assert_eq!(present(&app).await, [] as [String; 0]);
}

#[tokio::test]
async fn one_network_has_twenty_guests_and_leaves_room_for_others() {
    let app = open().await;
    for number in 0..20 {
        let caller = Caller::new(&app, &format!("Guest {number}")).await;
        assert_eq!(caller.knocks_from(&app, [203, 0, 113, 7]).await, 201, "{number}");
    }
    let one_more = Caller::new(&app, "Ada").await;
    assert_eq!(one_more.knocks_from(&app, [203, 0, 113, 7]).await, 429);
    assert_eq!(one_more.knocks_from(&app, [203, 0, 113, 8]).await, 201);
}

#[tokio::test]
async fn there_are_a_hundred_guests_and_room_again_when_they_have_gone() {
    let app = open().await;
    for number in 0..100 {
        guest(&app, &format!("Guest {number}")).await;
    }
    let one_more = Caller::new(&app, "Ada").await;
    let refused = one_more.knocks(&app).await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (429, &"60".parse().unwrap()));
    app.clock.advance(HOUR);
    assert_eq!(app.app().guests().unwrap().see_off().await.unwrap(), 100);
    guest(&app, "Ben").await;
}

#[tokio::test]
async fn who_was_silent_for_an_hour_goes_with_all_devices() {
    let app = open().await;
    let ada = guest(&app, "Ada").await;
    let tablet = app.sign_in(ada.user, None).await;
    app.clock.advance(HOUR.saturating_sub(Duration::from_secs(1)));
    assert_eq!(app.app().guests().unwrap().see_off().await.unwrap(), 0);
    assert!(is_known(&app, &ada).await && is_known(&app, &tablet).await);
    assert_eq!(present(&app).await, [] as [String; 0], "nobody listens");
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(app.app().guests().unwrap().see_off().await.unwrap(), 1);
    assert!(!is_known(&app, &ada).await && !is_known(&app, &tablet).await);
}

#[tokio::test]
async fn who_has_left_goes_with_those_who_go_next() {
    let app = open().await;
    let (ada, ben) = (guest(&app, "Ada").await, guest(&app, "Ben").await);
    ada.delete(&app, &format!("/sessions/{}", ada.session)).await;
    assert_eq!(present(&app).await, ["Ben"]);
    assert_eq!(app.app().guests().unwrap().see_off().await.unwrap(), 1);
    assert!(is_known(&app, &ben).await);
}

#[tokio::test]
async fn who_listens_stays() {
    let app = open().await;
    let (ada, _ben) = (guest(&app, "Ada").await, guest(&app, "Ben").await);
    let waiting = app.router();
    let poll = ada.request(Method::GET, "/inbox?wait=60", Vec::new());
    let poll = tokio::spawn(tower::ServiceExt::oneshot(waiting, poll));
    while app.hub_sessions() == 0 {
        tokio::task::yield_now().await;
    }
    app.clock.advance(HOUR);
    assert_eq!(present(&app).await, ["Ada"]);
    assert_eq!(app.app().guests().unwrap().see_off().await.unwrap(), 1);
    assert!(is_known(&app, &ada).await);
    poll.abort();
}

#[tokio::test]
async fn guests_are_known_after_a_restart_and_go_when_it_is_switched_off() {
    let mut app = open().await;
    let ada = guest(&app, "Ada").await;
    app.restart().await;
    assert!(is_known(&app, &ada).await);
    assert_eq!(present(&app).await, ["Ada"]);
    app.restart_with(|config| config.console.try_it = false).await;
    assert!(!is_known(&app, &ada).await);
    app.restart_with(|config| config.console.try_it = true).await;
    assert_eq!(present(&app).await, [] as [String; 0]);
}
