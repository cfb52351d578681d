//! A gateway with a console, and its operator.

use axum::body::Body;
use axum::http::{Method, Request};
use sealpost::config::Config;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::actor::{Actor, Person};
use crate::harness::{Answer, TestApp};

pub const PASSWORD: &str = "correct horse battery";
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

pub async fn start() -> TestApp {
    start_with(|_| ()).await
}

pub async fn start_with(change: impl FnOnce(&mut Config)) -> TestApp {
    TestApp::start_with(|config| {
        config.console.password = PASSWORD.into();
        config.console.token = TOKEN.into();
        change(config);
    })
    .await
}

/// A request of the console's own page.
pub fn from_page(method: Method, path: &str, cookie: &str, body: &Value) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("x-sealpost-console", "1").header("cookie", cookie);
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    request.body(body).unwrap()
}

/// A request of a program.
pub fn with_token(method: Method, path: &str, token: &str, body: &Value) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header("authorization", format!("Bearer {token}"));
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    request.body(body).unwrap()
}

pub fn login(password: &str) -> Request<Body> {
    from_page(Method::POST, "/console/login", "", &json!({ "password": password }))
}

/// The cookie of somebody who logs in.
pub async fn logs_in(app: &TestApp) -> String {
    let answer = app.answer(login(PASSWORD)).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// What the console's API answers somebody with this cookie.
pub async fn reads(app: &TestApp, cookie: &str, path: &str) -> Answer {
    app.answer(from_page(Method::GET, &format!("/console/api{path}"), cookie, &Value::Null)).await
}

/// Turns the switch at the admin socket.
pub async fn turns(app: &TestApp, read_only: bool, draining: bool) {
    let body = json!({ "read_only": read_only, "draining": draining }).to_string();
    let request = Request::put("/admin/v1/mode").body(Body::from(body)).unwrap();
    let answer = app.admin_router().oneshot(request).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
}

/// Has the person's first device fail on one message until it is set aside.
pub async fn sets_aside(app: &TestApp, bot: &Actor, person: &Person) {
    bot.sends(app, person, 1, "poison").await;
    let phone = &person.devices[0];
    for _ in 0..11 {
        while !phone.get(app, "/inbox").await.list().is_empty() {}
        app.clock.advance(std::time::Duration::from_secs(61));
    }
}
