//! Clients that live in a browser's page.

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request};

use crate::harness::hush::PREFIX;
use crate::harness::{Answer, TestApp};

const PAGE: &str = "https://chat.example";

async fn for_pages(origins: &str) -> TestApp {
    TestApp::start_for_hushnet_with(|it| it.allowed_origins = origins.to_owned()).await
}

/// What a browser asks before it lets a page send a signed request.
async fn question(app: &TestApp, origin: &str, path: &str) -> Answer {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri(format!("{PREFIX}{path}"))
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "x-identity-key,x-signature,x-timestamp");
    app.answer(request.body(Body::empty()).unwrap()).await
}

/// What a page gets that just asks.
async fn asked(app: &TestApp, origin: &str, path: &str) -> Answer {
    let request = Request::get(format!("{PREFIX}{path}")).header("origin", origin);
    app.answer(request.body(Body::empty()).unwrap()).await
}

fn allowed(headers: &HeaderMap) -> Option<&str> {
    headers.get("access-control-allow-origin").map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn no_page_may_ask_unless_the_operator_says_so() {
    let app = TestApp::start_for_hushnet().await;
    assert_eq!(question(&app, PAGE, "/messages").await.status, 405, "as the original has it");
    let answer = asked(&app, PAGE, "/users").await;
    assert_eq!((answer.status, allowed(&answer.headers)), (200, None));
    assert!(!answer.headers.contains_key("vary"));
}

#[tokio::test]
async fn pages_of_the_listed_origins_may_ask_anything_and_read_refusals() {
    let app = for_pages("https://chat.example, http://localhost:5000").await;
    for path in ["/messages", "/users/create", "/nothing"] {
        let answer = question(&app, PAGE, path).await;
        assert_eq!((answer.status, allowed(&answer.headers)), (200, Some(PAGE)), "{path}");
        let text = |name: &str| answer.headers[name].to_str().unwrap().to_ascii_lowercase();
        for method in ["get", "post", "put", "patch", "delete"] {
            assert!(text("access-control-allow-methods").contains(method), "{method}");
        }
        for name in ["content-type", "x-identity-key", "x-timestamp", "x-signature", "x-nonce"] {
            assert!(text("access-control-allow-headers").contains(name), "{name}");
        }
        assert_eq!(answer.headers["vary"], "Origin");
    }
    for (path, status) in [("/users", 200), ("/chats", 401), ("/nothing", 404)] {
        let answer = asked(&app, PAGE, path).await;
        assert_eq!((answer.status, allowed(&answer.headers)), (status, Some(PAGE)), "{path}");
        let exposed = answer.headers["access-control-expose-headers"].to_str().unwrap();
        assert!(exposed.contains("Retry-After"), "{exposed}");
    }
    for stranger in ["https://evil.example", "https://chat.example.evil", "null"] {
        assert_eq!(question(&app, stranger, "/messages").await.status, 405, "{stranger}");
        let answer = asked(&app, stranger, "/users").await;
        assert_eq!((answer.status, allowed(&answer.headers)), (200, None), "{stranger}");
        assert_eq!(answer.headers["vary"], "Origin");
    }
    let second = asked(&app, "http://localhost:5000", "/users").await;
    assert_eq!(allowed(&second.headers), Some("http://localhost:5000"));
}

#[tokio::test]
async fn all_pages_may_ask_where_the_operator_wants_that() {
    let app = for_pages("*").await;
    let answer = question(&app, "https://anybody.example", "/messages").await;
    assert_eq!((answer.status, allowed(&answer.headers)), (200, Some("*")));
    let answer = asked(&app, "https://anybody.example", "/users").await;
    assert_eq!((answer.status, allowed(&answer.headers)), (200, Some("*")));
}

#[tokio::test]
async fn a_page_of_a_stranger_opens_no_socket_without_credentials() {
    let app = for_pages(PAGE).await;
    let anna = app.hush_member("anna").await;
    assert_eq!(anna.get(&app, "/chats").await.status, 200);
    let path = format!("/ws/{}", anna.user);
    let from =
        |origin: &str| HeaderMap::from_iter([("origin".parse().unwrap(), origin.parse().unwrap())]);
    let stranger = app.hush_line(&path, &from("https://evil.example")).await;
    assert_eq!(stranger.unwrap_err().status, 401, "the address speaks for programs alone");
    app.hush_line(&path, &from(PAGE)).await.unwrap();
    let mut signed = super::line::signed(&anna, &path);
    signed.extend(from("https://evil.example"));
    app.hush_line(&path, &signed).await.unwrap();
}
