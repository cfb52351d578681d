//! Clients that live in a browser's page.

use axum::http::{HeaderMap, Method};
use serde_json::Value;

use super::letters::{BERT, unlimited};
use crate::harness::TestApp;
use crate::harness::phone::request;

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

async fn options(app: &TestApp, path: &str, headers: &[(&'static str, &str)]) -> (u16, HeaderMap) {
    let mut question = request(Method::OPTIONS, path, None, &Value::Null);
    for (name, value) in headers {
        question.headers_mut().insert(*name, value.parse().unwrap());
    }
    let answer = app.answer(question).await;
    (answer.status, answer.headers)
}

#[tokio::test]
async fn a_browser_may_ask_for_any_page() {
    let app = unlimited().await;
    let asked = [
        ("origin", "https://example.org"),
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "authorization"),
    ];
    for path in ["/v1/keys/", "/v1/messages/+14152222222", "/v1/nothing"] {
        let (status, headers) = options(&app, path, &asked).await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(header(&headers, "access-control-allow-origin"), "*");
        assert_eq!(header(&headers, "access-control-max-age"), "5184000");
        for method in ["GET", "PUT", "POST", "DELETE"] {
            assert!(header(&headers, "access-control-allow-methods").contains(method));
        }
        for name in ["Authorization", "Content-Type", "X-Requested-With", "Accept", "Origin"] {
            assert!(header(&headers, "access-control-allow-headers").contains(name));
        }
    }
    let (status, _) = options(&app, "/v1/keys/", &[]).await;
    assert_eq!(status, 405, "nobody's page asks");
}

#[tokio::test]
async fn a_page_may_read_answers_and_refusals() {
    let app = unlimited().await;
    let bert = app.phone(BERT).await;
    let refused = app.stranger(Method::GET, "/v1/keys/", &Value::Null).await;
    for (answer, status) in [(bert.get(&app, "/v1/keys/").await, 200), (refused, 401)] {
        assert_eq!(answer.status, status);
        assert_eq!(header(&answer.headers, "access-control-allow-origin"), "*");
    }
}
