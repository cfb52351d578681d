//! Who may have a socket, and how many.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealpost::config::dialects::hushnet::{Limits, SocketAuth};
use sealpost::http::peer::Peer;
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::line::{Line, NoLine, signed};
use crate::harness::TestApp;
use crate::harness::hush::{HushDevice, PREFIX, with_body};

const HERE: &str = "203.0.113.1";
const ELSEWHERE: &str = "203.0.113.2";

/// A gateway that believes the test about where it is.
async fn behind_a_proxy() -> TestApp {
    TestApp::start_with(|config| {
        config.dialects.hushnet.enabled = true;
        config.dialects.hushnet.limits = Limits::Relaxed;
        config.http.trusted_proxies = "127.0.0.0/8".into();
    })
    .await
}

/// A signed request from some address.
async fn is_heard(app: &TestApp, device: &HushDevice, address: &str) {
    let mut request: Request<Body> = device.request(Method::GET, "/chats", &Value::Null);
    request.extensions_mut().insert(Peer(address.parse().unwrap()));
    assert_eq!(app.answer(request).await.status, 200);
}

fn from(address: &str) -> HeaderMap {
    HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), address.parse().unwrap())])
}

fn status<T>(opened: Result<T, NoLine>) -> u16 {
    opened.map_or_else(|none| none.status, |_| 101)
}

#[tokio::test]
async fn without_credentials_it_opens_where_the_member_was_heard_within_ten_minutes() {
    let app = behind_a_proxy().await;
    let (anna, bert) = (app.hush_member("anna").await, app.hush_member("bert").await);
    let annas = format!("/ws/{}", anna.user);
    let berts = format!("/ws/{}", bert.user);
    assert_eq!(status(app.hush_line(&annas, &from(HERE)).await), 401);
    is_heard(&app, &anna, HERE).await;
    assert_eq!(status(app.hush_line(&annas, &from(HERE)).await), 101);
    assert_eq!(status(app.hush_line(&annas, &from(ELSEWHERE)).await), 401);
    assert_eq!(status(app.hush_line(&berts, &from(HERE)).await), 401);
    app.clock.advance(std::time::Duration::from_secs(601));
    let refused = app.hush_line(&annas, &from(HERE)).await.unwrap_err();
    assert_eq!(refused, NoLine { status: 401, body: "Missing X-Identity-Key".to_owned() });
}

#[tokio::test]
async fn a_handshake_may_be_signed_in_its_headers_or_in_its_query() {
    let app = behind_a_proxy().await;
    let anna = app.hush_member("anna").await;
    let path = format!("/ws/{}", anna.user);
    let headers = signed(&anna, &path);
    let query = |signature: &str| {
        let encoded = |text: &str| text.replace('+', "%2B").replace('=', "%3D");
        let text = |name: &str| encoded(headers[name].to_str().unwrap());
        let (key, time) = (text("x-identity-key"), text("x-timestamp"));
        format!("?ik={key}&ts={time}&sig={}", encoded(signature))
    };
    let right = query(headers["x-signature"].to_str().unwrap());
    let wrong = query(&"A".repeat(86));
    for (target, expected) in [
        (format!("{path}{right}"), 101),
        (format!("{PREFIX}{path}{right}"), 101),
        (format!("{PREFIX}/ws{right}&user_id={}", anna.user), 101),
        (format!("{path}{wrong}"), 400),
        (format!("{path}?ik=x"), 401),
    ] {
        assert_eq!(status(app.hush_line(&target, &HeaderMap::new()).await), expected, "{target}");
    }
    assert_eq!(status(app.hush_line(&path, &headers).await), 101);
    app.clock.advance(std::time::Duration::from_secs(31));
    let late = app.hush_line(&path, &headers).await.unwrap_err();
    assert_eq!(late, NoLine { status: 401, body: "Expired timestamp".to_owned() });
}

#[tokio::test]
async fn nobody_gets_the_socket_of_somebody_else_or_of_nobody() {
    let app = TestApp::start_for_hushnet().await;
    let (anna, bert) = (app.hush_member("anna").await, app.hush_member("bert").await);
    let path = format!("/ws/{}", anna.user);
    assert_eq!(status(app.hush_line(&path, &signed(&bert, &path)).await), 403);
    let nobody = "/ws/00000000-0000-4000-8000-000000000000";
    for (path, expected) in [(nobody, 404), ("/ws/anna", 404), ("/ws/%ff%fe", 400)] {
        let opened = status(app.hush_line(path, &signed(&anna, "/chats")).await);
        assert_eq!(opened, expected, "{path}");
    }
    let path = format!("{PREFIX}/ws?user_id=nobody");
    let refused = app.hush_line(&path, &HeaderMap::new()).await.unwrap_err();
    let error: Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!((refused.status, &error["status"]), (404, &404.into()), "{refused:?}");
}

#[tokio::test]
async fn an_operator_may_ask_for_credentials() {
    let app = TestApp::start_for_hushnet_with(|it| it.socket_auth = SocketAuth::Required).await;
    let anna = app.hush_member("anna").await;
    let path = format!("/ws/{}", anna.user);
    assert_eq!(anna.get(&app, "/chats").await.status, 200);
    assert_eq!(status(app.hush_line(&path, &HeaderMap::new()).await), 401);
    assert_eq!(status(app.hush_line(&path, &signed(&anna, &path)).await), 101);
}

#[tokio::test]
async fn a_device_that_signs_strongly_signs_its_handshakes_too() {
    let app = TestApp::start_for_hushnet().await;
    let mut anna = app.hush_member("anna").await;
    anna.is_strong = true;
    assert_eq!(anna.get(&app, "/chats").await.status, 200);
    let path = format!("/ws/{}", anna.user);
    assert_eq!(status(app.hush_line(&path, &HeaderMap::new()).await), 401, "nobody vouches");
    let headers = signed(&anna, &path);
    let full = format!("{PREFIX}{path}");
    assert_eq!(status(app.hush_line(&full, &headers).await), 101);
    assert_eq!(status(app.hush_line(&full, &headers).await), 401, "its nonce was used");
    anna.is_strong = false;
    assert_eq!(status(app.hush_line(&full, &signed(&anna, &path)).await), 401);
}

/// The target of a handshake with a strong signature in its query, where browsers can put it.
fn strongly_signed(device: &HushDevice, path: &str, nonce: &str) -> String {
    let encoded = |text: &str| text.replace('+', "%2B").replace('=', "%3D").replace('/', "%2F");
    let joint = if path.contains('?') { '&' } else { '?' };
    let (key, time) = (encoded(&device.identity_key()), device.now().to_string());
    let target = format!("{path}{joint}ik={key}&ts={time}&v=2&nonce={}", encoded(nonce));
    // That of no body.
    let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let text = format!("GET\n{target}\n{time}\n{nonce}\n{digest}");
    let signature = STANDARD.encode(device.key.sign(text.as_bytes()));
    format!("{target}&sig={}", encoded(&signature))
}

#[tokio::test]
async fn a_page_signs_its_handshake_strongly_in_the_query() {
    let app = TestApp::start_for_hushnet().await;
    let (mut anna, bert) = (app.hush_member("anna").await, app.hush_member("bert").await);
    anna.is_strong = true;
    assert_eq!(anna.get(&app, "/chats").await.status, 200);
    let nonce = |byte| STANDARD.encode([byte; 16]);
    let path = format!("/ws/{}", anna.user);
    let documented = format!("{PREFIX}/ws?user_id={}", anna.user);
    let good = strongly_signed(&anna, &path, &nonce(1));
    let none = HeaderMap::new();
    assert_eq!(status(app.hush_line(&good, &none).await), 101);
    assert_eq!(status(app.hush_line(&good, &none).await), 401, "its nonce was used");
    let good = strongly_signed(&anna, &documented, &nonce(2));
    assert_eq!(status(app.hush_line(&good, &none).await), 101);
    let elsewhere = strongly_signed(&anna, &path, &nonce(3)).replace(&anna.user, &bert.user);
    assert_eq!(status(app.hush_line(&elsewhere, &none).await), 401, "it covers the path");
    let longer = strongly_signed(&anna, &path, &nonce(4)) + "&more=1";
    assert_eq!(status(app.hush_line(&longer, &none).await), 401, "and all of the query");
    let others = strongly_signed(&bert, &path, &nonce(5));
    assert_eq!(status(app.hush_line(&others, &none).await), 403);
    anna.is_strong = false;
    let weak = signed(&anna, &path);
    let text = |name: &str| weak[name].to_str().unwrap().replace('+', "%2B").replace('=', "%3D");
    let (key, time, signature) = (text("x-identity-key"), text("x-timestamp"), text("x-signature"));
    let weak = format!("{path}?ik={key}&ts={time}&sig={signature}");
    let refused = app.hush_line(&weak, &none).await.unwrap_err();
    let expected = "Strong signature required".to_owned();
    assert_eq!(refused, NoLine { status: 401, body: expected });
}

#[tokio::test]
async fn nobody_vouches_for_a_device_that_signs_strongly_since() {
    let app = TestApp::start_for_hushnet().await;
    let mut anna = app.hush_member("anna").await;
    let path = format!("/ws/{}", anna.user);
    assert_eq!(anna.get(&app, "/chats").await.status, 200);
    assert_eq!(status(app.hush_line(&path, &HeaderMap::new()).await), 101);
    anna.is_strong = true;
    assert_eq!(anna.get(&app, "/chats").await.status, 200);
    assert_eq!(status(app.hush_line(&path, &HeaderMap::new()).await), 401);
}

/// A member with five sockets without credentials at [`HERE`], who was heard elsewhere, too.
async fn crowd(app: &TestApp) -> (HushDevice, Vec<Line>) {
    let anna = app.hush_member("anna").await;
    is_heard(app, &anna, HERE).await;
    is_heard(app, &anna, ELSEWHERE).await;
    let mut lines = Vec::new();
    for _ in 0..5 {
        lines.push(app.hush_line(&format!("/ws/{}", anna.user), &from(HERE)).await.unwrap());
    }
    (anna, lines)
}

async fn documented() -> TestApp {
    TestApp::start_with(|config| {
        config.dialects.hushnet.enabled = true;
        config.http.trusted_proxies = "127.0.0.0/8".into();
    })
    .await
}

#[tokio::test]
async fn a_member_has_five_sockets_and_the_oldest_at_an_address_makes_room_for_another_there() {
    let app = documented().await;
    let (anna, mut lines) = crowd(&app).await;
    let path = format!("/ws/{}", anna.user);
    assert_eq!(status(app.hush_line(&path, &from(ELSEWHERE)).await), 429);
    let mut sixth = app.hush_line(&path, &from(HERE)).await.unwrap();
    assert_eq!(lines.remove(0).close_code().await, Some(1008));
    for line in lines.iter_mut().chain([&mut sixth]) {
        assert!(line.is_quiet().await, "the others stay");
    }
    assert_eq!(status(app.hush_line(&path, &from(ELSEWHERE)).await), 429);
}

#[tokio::test]
async fn credentials_find_a_place_for_a_socket_wherever_the_others_are() {
    let app = documented().await;
    let (anna, mut lines) = crowd(&app).await;
    let path = format!("/ws/{}", anna.user);
    let mut headers = from(ELSEWHERE);
    headers.extend(signed(&anna, &path));
    let mut line = app.hush_line(&path, &headers).await.unwrap();
    assert_eq!(lines.remove(0).close_code().await, Some(1008));
    assert!(line.is_quiet().await && lines[0].is_quiet().await);
}

#[tokio::test]
async fn the_place_of_a_closed_socket_is_free() {
    let app = documented().await;
    let (anna, mut lines) = crowd(&app).await;
    let path = format!("/ws/{}", anna.user);
    lines.pop();
    for _ in 0..400 {
        match status(app.hush_line(&path, &from(ELSEWHERE)).await) {
            101 => return,
            429 => tokio::time::sleep(std::time::Duration::from_millis(25)).await,
            other => panic!("{other}"),
        }
    }
    panic!("the place of a closed socket was never free");
}

#[tokio::test]
async fn a_device_that_was_just_enrolled_may_open_its_socket() {
    let app = behind_a_proxy().await;
    let (user, token) = app.hush_user("anna").await;
    let anna = HushDevice::new(&app, "anna", &user);
    let path = format!("{PREFIX}/users/{user}/devices");
    let body = anna.enrolment(&token, 5).to_string();
    let mut enrol = with_body(Request::post(path), body);
    enrol.extensions_mut().insert(Peer(HERE.parse().unwrap()));
    assert_eq!(app.call(enrol).await.status, 201);
    let path = format!("/ws/{user}");
    assert_eq!(status(app.hush_line(&path, &from(ELSEWHERE)).await), 401);
    assert_eq!(status(app.hush_line(&path, &from(HERE)).await), 101);
}

#[tokio::test]
async fn who_had_a_socket_comes_back_after_a_quiet_hour() {
    let app = behind_a_proxy().await;
    let anna = app.hush_member("anna").await;
    is_heard(&app, &anna, HERE).await;
    let path = format!("/ws/{}", anna.user);
    let mut line = app.hush_line(&path, &from(HERE)).await.unwrap();
    app.clock.advance(std::time::Duration::from_secs(60 * 60));
    assert_eq!(status(app.hush_line(&path, &from(ELSEWHERE)).await), 401);
    line.send(Message::Close(None)).await;
    line.close_code().await;
    assert_eq!(status(app.hush_line(&path, &from(ELSEWHERE)).await), 401);
    assert_eq!(status(app.hush_line(&path, &from(HERE)).await), 101);
}

#[tokio::test]
async fn an_address_has_as_many_sockets_as_connections() {
    let app = TestApp::start_with(|config| {
        config.dialects.hushnet.enabled = true;
        config.dialects.hushnet.limits = Limits::Relaxed;
        config.http.trusted_proxies = "127.0.0.0/8".into();
        config.http.address_connections = 2;
    })
    .await;
    let anna = app.hush_member("anna").await;
    is_heard(&app, &anna, HERE).await;
    is_heard(&app, &anna, ELSEWHERE).await;
    let path = format!("/ws/{}", anna.user);
    let _first = app.hush_line(&path, &from(HERE)).await.unwrap();
    let _second = app.hush_line(&path, &from(HERE)).await.unwrap();
    assert_eq!(status(app.hush_line(&path, &from(HERE)).await), 429);
    assert_eq!(status(app.hush_line(&path, &from(ELSEWHERE)).await), 101);
}
