//! How often somebody may be wrong, write, and make boxes.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::harness::TestApp;
use crate::harness::app::Answer;
use crate::harness::dropbox::{RawBox, b64, from, makings, sealed, two, two_with};

const GUESSER: &str = "203.0.113.1";
const OWNER: &str = "198.51.100.1";

async fn guesses(app: &TestApp, box_: &RawBox) -> Answer {
    app.call(from(GUESSER, box_.asks_with(&[9; 32], Method::GET, "/Service", ""))).await
}

#[tokio::test]
async fn who_is_wrong_ten_times_waits_and_the_owner_elsewhere_does_not() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    for _ in 0..10 {
        assert_eq!(guesses(&app, &box_).await.status, 404);
    }
    let refused = guesses(&app, &box_).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(refused.headers["retry-after"], "6");
    let right = || box_.owner_asks(Method::GET, "/Service", "");
    assert_eq!(app.call(from(GUESSER, right())).await.status, 429, "not even the right one");
    assert_eq!(app.call(from(OWNER, right())).await.status, 200);
    app.clock.advance(Duration::from_secs(6));
    assert_eq!(guesses(&app, &box_).await.status, 404);
    assert_eq!(guesses(&app, &box_).await.status, 429);
}

#[tokio::test]
async fn deleting_and_fetching_are_counted_with_reading() {
    let app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    let id = format!("&messageid={}", box_.gets(&app, "x").await);
    let wrong = [
        (Method::GET, "/Service", ""),
        (Method::DELETE, "/Service", ""),
        (Method::DELETE, "/Service", id.as_str()),
        (Method::GET, "/Service/File", id.as_str()),
    ];
    for (method, path, query) in wrong.iter().cycle().take(10) {
        let request = from(GUESSER, box_.asks_with(&[9; 32], method.clone(), path, query));
        assert_eq!(app.call(request).await.status, 404);
    }
    for (method, path, query) in wrong {
        let request = from(GUESSER, box_.asks_with(&[9; 32], method, path, query));
        assert_eq!(app.call(request).await.status, 429, "{path}{query}");
    }
}

#[tokio::test]
async fn who_goes_from_box_to_box_is_stopped_as_well() {
    let app = TestApp::start_for_boxes_with(|it| it.wrong_secrets_in_all = 15).await;
    let boxes = [app.raw_box(1).await, app.raw_box(2).await];
    for number in 0..15 {
        assert_eq!(guesses(&app, &boxes[number % 2]).await.status, 404, "{number}");
    }
    for box_ in &boxes {
        assert_eq!(guesses(&app, box_).await.status, 429);
    }
    let right = boxes[0].owner_asks(Method::GET, "/Service", "");
    assert_eq!(app.call(from(OWNER, right)).await.status, 200);
}

#[tokio::test]
async fn letters_are_guessed_as_seldom() {
    let app = TestApp::start_for_boxes().await;
    let letter = json!({ "message": sealed("x"), "authdigest": b64(&[1; 32]) });
    let left = app.call(two_with(Method::POST, "/Service/SelfDestruct", &letter)).await;
    let take = || {
        let body = json!({ "messageid": left.json["messageid"] }).to_string();
        let request = two(Method::POST, "/SelfDestruct/Take").header("authkey", b64(&[9; 32]));
        from(GUESSER, request.body(Body::from(body)).unwrap())
    };
    for _ in 0..10 {
        assert_eq!(app.call(take()).await.status, 404);
    }
    let refused = app.call(take()).await;
    assert_eq!((refused.status, &refused.headers["retry-after"]), (429, &"6".parse().unwrap()));
}

#[tokio::test]
async fn messages_from_one_network_for_one_box_are_counted() {
    let app = TestApp::start_for_boxes_with(|it| it.messages_per_minute = 2).await;
    let (box_, other) = (app.raw_box(1).await, app.raw_box(2).await);
    for expected in [201, 201, 429] {
        let left = app.call(from(GUESSER, box_.put("x"))).await;
        assert_eq!(left.status, expected, "{left:?}");
    }
    let file = app.call(from(GUESSER, box_.put_file(vec![1; 64]))).await;
    assert_eq!(file.status, 429, "{file:?}");
    assert_eq!(app.call(from(GUESSER, other.put("x"))).await.status, 201);
    assert_eq!(app.call(from(OWNER, box_.put("x"))).await.status, 201);
}

#[tokio::test]
async fn boxes_and_letters_that_one_network_makes_are_counted() {
    let app = TestApp::start_for_boxes_with(|it| it.made_per_minute = 2).await;
    let make =
        |number, address| from(address, two_with(Method::POST, "/Service", &makings(number)));
    assert_eq!(app.call(make(1, GUESSER)).await.status, 201);
    assert_eq!(app.call(make(2, GUESSER)).await.status, 201);
    let refused = app.call(make(3, GUESSER)).await;
    assert_eq!((refused.status, &refused.json["code"]), (429, &json!("rate_limited")));
    assert!(refused.headers.contains_key("retry-after"));
    let letter = json!({ "message": sealed("x"), "authdigest": b64(&[1; 32]) });
    let letter = |address| from(address, two_with(Method::POST, "/Service/SelfDestruct", &letter));
    assert_eq!(app.call(letter(GUESSER)).await.status, 429);
    assert_eq!(app.call(make(3, OWNER)).await.status, 201);
    assert_eq!(app.call(letter(OWNER)).await.status, 201);
}

#[tokio::test]
async fn an_address_that_asks_too_much_is_refused_in_the_shape_of_the_version() {
    let app = TestApp::start_with(|config| {
        config.dialects.keyservice.enabled = true;
        config.limits.rate.address_requests = 1;
    })
    .await;
    let ask = |target: &str| {
        let target = format!("{target}token=0123456789abcdef0123456789abcdef");
        from(GUESSER, Request::get(target).body(Body::empty()).unwrap())
    };
    assert_eq!(app.answer(ask("/Service?v=2&")).await.status, 404);
    let refused = app.answer(ask("/Service?v=2&")).await;
    assert_eq!((refused.status, &refused.json["code"]), (429, &json!("rate_limited")));
    let refused = app.answer(ask("/Service?")).await;
    assert_eq!((refused.status, refused.json.is_string()), (429, true), "{refused:?}");
}
