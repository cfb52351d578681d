//! How a socket opens, and why not.

use std::time::Duration;

use sealpost::domain::session::{Scope, Scopes};
use serde_json::json;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;

use crate::harness::TestApp;

const BLAZE: &[&str] = &["Mixin-Blaze-1"];

#[tokio::test]
async fn the_sub_protocol_is_echoed_and_none_is_made_up() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    let socket = app.socket(&bot).await;
    assert_eq!(socket.headers[SEC_WEBSOCKET_PROTOCOL], "Mixin-Blaze-1");
    let bearer = format!("Bearer {}", bot.token("GET", "/", b""));
    let socket = app.connect("/", &[&bearer], &[]).await.unwrap();
    assert!(!socket.headers.contains_key(SEC_WEBSOCKET_PROTOCOL));
}

#[tokio::test]
async fn a_browser_names_its_token_as_a_sub_protocol_that_is_not_echoed() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    let bearer = format!("bearer.{}", bot.token("GET", "/", b""));
    let mut socket = app.connect("/", &[], &["Mixin-Blaze-1", &bearer]).await.unwrap();
    assert_eq!(socket.headers[SEC_WEBSOCKET_PROTOCOL], "Mixin-Blaze-1");
    socket.listen().await;
}

#[tokio::test]
async fn both_paths_are_the_socket_with_and_without_the_prefix() {
    let app = TestApp::start_with(|it| it.dialects.mixin.path_prefix = "/mixin".into()).await;
    let bot = app.bot("echo").await;
    let signed = |path: &str| format!("Bearer {}", bot.token("GET", path, b""));
    for path in ["/", "/blaze", "/mixin", "/mixin/", "/mixin/blaze"] {
        for over in ["/", path, "/mixin/"] {
            let opened = app.connect(path, &[&signed(over)], BLAZE).await;
            assert!(opened.is_ok(), "{path} signed over {over}");
        }
    }
    let bearer = signed("/blaze");
    assert!(app.connect("/mixin/blaze", &[&bearer], BLAZE).await.is_ok());
    let refused = app.connect("/mixin/me", &[&bearer], BLAZE).await.err().unwrap();
    assert_eq!(refused.status, 202, "no socket there: {:?}", refused.error);
}

#[tokio::test]
async fn a_bad_token_is_refused_with_its_true_status_before_the_upgrade() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    let other_path = format!("Bearer {}", bot.token("GET", "/me", b""));
    let other_method = format!("Bearer {}", bot.token("POST", "/", b""));
    for bad in [&other_path, &other_method, "Bearer nonsense", "Bearer spt_unknown"] {
        let refused = app.connect("/", &[bad], BLAZE).await.err().unwrap();
        assert_eq!((refused.status, &refused.error["code"]), (401, &json!(401)), "{bad}");
    }
    let refused = app.connect("/", &[], BLAZE).await.err().unwrap();
    assert_eq!(refused.status, 401);
}

#[tokio::test]
async fn a_token_opens_sockets_for_an_hour() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    let mut claims = bot.claims("GET", "/", b"");
    claims.exp += 7200;
    let bearer = format!("Bearer {}", sealpost::sdk::token::sign(&claims, &bot.key).unwrap());
    app.clock.advance(Duration::from_secs(3600));
    assert!(app.connect("/", &[&bearer], BLAZE).await.is_ok());
    app.clock.advance(Duration::from_secs(1));
    let refused = app.connect("/", &[&bearer], BLAZE).await.err().unwrap();
    assert_eq!(refused.status, 401);
}

#[tokio::test]
async fn an_api_token_needs_the_scope_to_receive_and_to_send_for_sending() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    let token = async |scope| {
        let life = Duration::from_secs(3600);
        let token = app.gateway().create_api_token(bot.session, Scopes::of(&[scope]), life).await;
        format!("Bearer {}", token.unwrap())
    };
    let refused = app.connect("/", &[&token(Scope::Send).await], BLAZE).await.err().unwrap();
    assert_eq!(refused.status, 403);
    let mut socket = app.connect("/blaze", &[&token(Scope::Receive).await], BLAZE).await.unwrap();
    socket.listen().await;
    let answer = socket.ask("CREATE_MESSAGE", &json!({})).await;
    assert_eq!(answer["error"]["status"], 403);
}

#[tokio::test]
async fn a_plain_request_gets_the_start_page_or_is_told_what_this_is() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    assert_eq!(bot.get(&app, "/").await.json["name"], "sealpost");
    let answer = bot.get(&app, "/blaze").await;
    assert_eq!(answer.status, 426);
    assert_eq!(answer.headers["upgrade"], "websocket");
}

#[tokio::test]
async fn a_session_has_only_so_many_sockets() {
    let app = TestApp::start_with(|config| config.limits.sockets_per_session = 2).await;
    let bot = app.bot("echo").await;
    let first = app.socket(&bot).await;
    let _second = app.socket(&bot).await;
    let bearer = format!("Bearer {}", bot.token("GET", "/", b""));
    let refused = app.connect("/", &[&bearer], BLAZE).await.err().unwrap();
    assert_eq!(refused.status, 413);
    first.close().await;
    // The place is free when the socket is gone for good, a moment after it said so.
    while app.connect("/", &[&bearer], BLAZE).await.is_err() {
        tokio::task::yield_now().await;
    }
}
