//! Who may come in.

use std::time::Duration;

use axum::http::{Method, Request};
use serde_json::{Value, json};

use super::world::{
    PASSWORD, TOKEN, from_page, login, logs_in, reads, start, start_with, with_token,
};
use crate::harness::TestApp;
use crate::harness::dropbox::from;

const MODE: &str = "/console/api/admin/v1/mode";

fn read_only() -> Value {
    json!({ "read_only": true, "draining": false })
}

#[tokio::test]
async fn without_password_and_token_there_is_no_console() {
    let app = TestApp::start().await;
    let get = |path: &str| Request::get(path).body("".into()).unwrap();
    let unknown = app.answer(get("/unheard-of")).await;
    assert_eq!(unknown.status, 404);
    for path in ["/console", "/console/", "/console/main.js", MODE] {
        let answer = app.answer(get(path)).await;
        assert_eq!((answer.status, &answer.json), (404, &unknown.json), "{path}");
    }
    assert_eq!(app.answer(login(PASSWORD)).await.status, 404);
}

#[tokio::test]
async fn whoever_is_not_logged_in_gets_the_page_and_nothing_else() {
    let app = start().await;
    for path in ["/console", "/console/main.js", "/console/uplot.js"] {
        let answer = app.answer(Request::get(path).body("".into()).unwrap()).await;
        assert_eq!(answer.status, 200, "{path}");
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self';"));
    }
    for path in ["/admin/v1/status", "/figures", "/settings", "/unheard-of"] {
        let answer = reads(&app, "sealpost_console=AAAA", path).await;
        assert_eq!((answer.status, &answer.json["code"]), (401, &json!("unauthorized")), "{path}");
    }
}

#[tokio::test]
async fn a_password_gives_a_cookie_for_the_console_alone_until_somebody_logs_out() {
    let app = start().await;
    let answer = app.answer(login(PASSWORD)).await;
    let header = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    for part in ["; Path=/console;", "; HttpOnly;", "; SameSite=Strict", "; Max-Age=43200;"] {
        assert!(header.contains(part), "{header} lacks {part}");
    }
    assert!(!header.contains("Secure"), "it would never come back over plain HTTP");
    let cookie = header.split(';').next().unwrap();
    let status = reads(&app, cookie, "/admin/v1/status").await;
    assert_eq!(
        (status.status, &status.headers["cache-control"]),
        (200, &"no-store".parse().unwrap())
    );
    let gone = app.answer(from_page(Method::POST, "/console/logout", cookie, &Value::Null)).await;
    assert_eq!(gone.status, 204);
    assert_eq!(reads(&app, cookie, "/admin/v1/status").await.status, 401);
}

#[tokio::test]
async fn behind_tls_the_cookie_never_goes_without_it() {
    let app = start_with(|it| it.http.public_url = "https://gateway.example".to_owned()).await;
    let answer = app.answer(login(PASSWORD)).await;
    assert!(answer.headers["set-cookie"].to_str().unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn a_login_is_over_after_half_a_day() {
    let app = start().await;
    let cookie = logs_in(&app).await;
    app.clock.advance(Duration::from_secs(12 * 60 * 60 - 1));
    assert_eq!(reads(&app, &cookie, "/settings").await.status, 200);
    app.clock.advance(Duration::from_secs(1));
    assert_eq!(reads(&app, &cookie, "/settings").await.status, 401);
}

#[tokio::test]
async fn when_many_are_logged_in_the_oldest_has_to_log_in_again() {
    let app = start().await;
    let first = logs_in(&app).await;
    let second = logs_in(&app).await;
    for _ in 0..63 {
        logs_in(&app).await;
    }
    assert_eq!(reads(&app, &first, "/settings").await.status, 401);
    assert_eq!(reads(&app, &second, "/settings").await.status, 200);
}

#[tokio::test]
async fn wrong_passwords_of_a_network_are_counted_and_others_may_still_come() {
    let app = start().await;
    for _ in 0..10 {
        let answer = app.answer(from("203.0.113.7", login("a wrong password"))).await;
        assert_eq!(answer.status, 401, "{answer:?}");
    }
    let refused = app.answer(from("203.0.113.7", login(PASSWORD))).await;
    assert_eq!((refused.status, refused.headers.contains_key("retry-after")), (429, true));
    let guess = with_token(Method::GET, MODE, TOKEN, &Value::Null);
    assert_eq!(app.answer(from("203.0.113.7", guess)).await.status, 429, "nor by a token");
    assert_eq!(app.answer(from("198.51.100.1", login(PASSWORD))).await.status, 204);
    app.clock.advance(Duration::from_secs(60));
    assert_eq!(app.answer(from("203.0.113.7", login(PASSWORD))).await.status, 204);
}

#[tokio::test]
async fn wrong_passwords_of_all_networks_together_are_counted() {
    let app = start().await;
    for number in 0..60 {
        let wrong = with_token(Method::GET, MODE, "a wrong token", &Value::Null);
        assert_eq!(app.answer(from(&format!("203.0.{number}.7"), wrong)).await.status, 401);
    }
    assert_eq!(app.answer(from("198.51.100.1", login(PASSWORD))).await.status, 429);
}

#[tokio::test]
async fn a_change_with_a_cookie_comes_from_the_consoles_own_page() {
    let app = start().await;
    let cookie = logs_in(&app).await;
    let put = |headers: &[(&str, &str)]| {
        let request = Request::put(MODE).header("cookie", &cookie);
        let request = headers.iter().fold(request, |it, (name, value)| it.header(*name, *value));
        request.body(read_only().to_string().into()).unwrap()
    };
    let own = ("x-sealpost-console", "1");
    for (headers, status) in [
        (&[][..], 403),
        (&[("content-type", "text/plain")][..], 403),
        (&[own, ("sec-fetch-site", "cross-site")][..], 403),
        (&[own, ("sec-fetch-site", "same-site")][..], 403),
        (&[own, ("sec-fetch-site", "same-origin")][..], 200),
        (&[own][..], 200),
    ] {
        assert_eq!(app.answer(put(headers)).await.status, status, "{headers:?}");
    }
    let form = Request::post("/console/login").body("{}".into()).unwrap();
    assert_eq!(app.answer(form).await.status, 403, "nor does another site log anybody in");
}

#[tokio::test]
async fn a_token_is_shown_on_purpose_and_needs_no_page() {
    let app = start().await;
    let changed = app.answer(with_token(Method::PUT, MODE, TOKEN, &read_only())).await;
    assert_eq!((changed.status, changed.json), (200, read_only()));
    assert_eq!(app.answer(login(TOKEN)).await.status, 204, "the form takes it too");
    let password = with_token(Method::GET, MODE, PASSWORD, &Value::Null);
    assert_eq!(app.answer(password).await.status, 401, "a password is for the form");
}

#[tokio::test]
async fn nobody_comes_to_keys_codes_or_tokens_by_the_console() {
    let app = start().await;
    let bot = app.bot("news").await;
    let tokens = format!("/console/api/admin/v1/sessions/{}/tokens", bot.session);
    let sessions = format!("/console/api/admin/v1/accounts/{}/sessions", bot.user);
    for (method, path) in [
        (Method::POST, "/console/api/admin/v1/accounts"),
        (Method::POST, sessions.as_str()),
        (Method::POST, tokens.as_str()),
        (Method::GET, "/console/api/admin/v1/invites"),
        (Method::GET, "/console/api/admin/v1/textsecure/codes"),
    ] {
        let answer = app.answer(with_token(method.clone(), path, TOKEN, &json!({}))).await;
        assert!([404, 405].contains(&answer.status), "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_not_quoted() {
    let app = start().await;
    for body in [json!("hunter2hunter2"), json!({ "password": ["hunter2hunter2"] })] {
        let request = from_page(Method::POST, "/console/login", "", &body);
        let answer = app.answer(request).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(!answer.json.to_string().contains("hunter2"), "{answer:?}");
    }
}
