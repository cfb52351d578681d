//! Where the key service is, and for whom.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use sealpost::domain::account::Dialect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::harness::TestApp;
use crate::harness::dropbox::two;

fn get(target: &str) -> Request<Body> {
    Request::get(target).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn by_default_it_is_not_there() {
    let app = TestApp::start().await;
    for path in ["/Service", "/keyservice", "/SelfDestruct/Read", "/Home/GetFile"] {
        let answer = app.answer(get(path)).await;
        assert_eq!((answer.status, &answer.json["error"]["status"]), (404, &404.into()), "{path}");
    }
}

#[tokio::test]
async fn it_is_beside_everything_else_in_letters_of_either_case() {
    let app = TestApp::start_for_boxes().await;
    let unknown = "0123456789abcdef0123456789abcdef";
    for path in ["/Service", "/service/", "/SERVICE"] {
        let answer = app.answer(get(&format!("{path}?v=2&TOKEN={unknown}"))).await;
        assert_eq!((answer.status, &answer.json["code"]), (404, &"not_found".into()), "{path}");
    }
    for path in ["/keyservice", "/KeyService", "/selfdestruct/READ"] {
        assert_eq!(app.answer(get(path)).await.status, 200, "{path}");
    }
    let mixin = app.answer(get("/me")).await;
    assert_eq!(mixin.json["error"]["status"], 401, "{mixin:?}");
    let mixin = app.answer(get("/services")).await;
    assert_eq!(mixin.json["error"]["status"], 404, "{mixin:?}");
}

#[tokio::test]
async fn an_address_of_its_own_has_nothing_else_and_leads_to_the_page() {
    let mut app = TestApp::start_for_boxes_with(|it| it.listen = "127.0.0.1:0".to_owned()).await;
    let bound = app.bind().await;
    let (everybody, own) = (bound.address(), bound.own_address(Dialect::KeyService).unwrap());
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = app.run(bound, async { drop(stopped.await) });
    let ask = async {
        let head = async |address, path: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer).into_owned();
            answer.split("\r\n\r\n").next().unwrap_or_default().to_owned()
        };
        let root = head(own, "/").await;
        assert!(
            root.starts_with("HTTP/1.1 303") && root.contains("location: keyservice"),
            "{root}"
        );
        assert!(head(own, "/keyservice").await.starts_with("HTTP/1.1 200"));
        assert!(head(own, "/healthz").await.starts_with("HTTP/1.1 404"));
        assert!(head(everybody, "/keyservice").await.starts_with("HTTP/1.1 404"));
        stop.send(()).unwrap();
    };
    tokio::join!(serve, ask);
}

#[tokio::test]
async fn version_1_is_off_and_says_so() {
    let app = TestApp::start_for_boxes().await;
    let said = "version 1 is switched off here; append v=2";
    for target in ["/Service?token=0123456789abcdef", "/Service?v=1"] {
        let answer = app.answer(get(target)).await;
        assert_eq!((answer.status, answer.json.as_str()), (400, Some(said)), "{target}");
    }
    let page = app.answer(get("/SelfDestruct/Read?messageid=1")).await;
    let page = (page.status, page.json.as_str().unwrap_or_default().to_owned());
    assert!(
        page.0 == 400 && page.1.contains("<!DOCTYPE html>") && page.1.contains(said),
        "{page:?}"
    );
}

#[tokio::test]
async fn a_version_that_there_is_not_is_refused_by_name() {
    let app = TestApp::start_for_boxes().await;
    let answer = app.answer(get("/Service?v=3")).await;
    assert_eq!((answer.status, &answer.json["field"]), (400, &"v".into()), "{answer:?}");
}

#[tokio::test]
async fn paths_and_methods_that_there_are_not_are_refused_in_the_shape_of_the_version() {
    let app = TestApp::start_for_boxes().await;
    let ask = async |method: Method, path: &str| {
        app.answer(two(method, path).body(Body::empty()).unwrap()).await
    };
    for path in ["/Service/Nothing", "/Service/GetToken", "/Service/SendMessage", "/Home/GetFile"] {
        let answer = ask(Method::GET, path).await;
        assert_eq!((answer.status, &answer.json["code"]), (404, &"not_found".into()), "{path}");
    }
    for (method, path, allowed) in [
        (Method::PATCH, "/Service", "GET, POST, PUT, DELETE"),
        (Method::HEAD, "/Service", "GET, POST, PUT, DELETE"),
        (Method::POST, "/Service/File", "GET, PUT"),
        (Method::GET, "/SelfDestruct/Take", "POST"),
    ] {
        let answer = ask(method.clone(), path).await;
        assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
        assert_eq!(answer.headers["allow"], allowed);
    }
    // Without a version it is the first one's shape.
    let answer = app.answer(get("/Service/Nothing")).await;
    assert_eq!((answer.status, answer.json.is_string()), (404, true), "{answer:?}");
}

#[tokio::test]
async fn cb43_pages_of_any_site_may_use_it() {
    let app = TestApp::start_for_boxes().await;
    let asked = Request::options("/Service")
        .header("origin", "https://page.example")
        .header("access-control-request-method", "PUT")
        .body(Body::empty())
        .unwrap();
    let answer = app.answer(asked).await;
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert_eq!(answer.headers["access-control-allow-methods"], "GET, POST, PUT, DELETE");
    let headers = answer.headers["access-control-allow-headers"].to_str().unwrap();
    for header in ["token", "passphrase", "privatekeyhash", "authkey", "content-type", "v"] {
        assert!(headers.split(", ").any(|one| one == header), "{header}");
    }
    let asked = Request::get("/Service?v=3").header("origin", "https://page.example");
    let answer = app.answer(asked.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers["access-control-allow-origin"], "*", "refusals are readable too");
    assert!(
        answer.headers["access-control-expose-headers"].to_str().unwrap().contains("Retry-After")
    );
}

#[tokio::test]
async fn an_operator_may_list_whose_pages_may() {
    let origins = "https://page.example".to_owned();
    let app = TestApp::start_for_boxes_with(|it| it.allowed_origins = origins.clone()).await;
    for (origin, allowed) in [("https://page.example", true), ("https://other.example", false)] {
        let asked = Request::options("/Service")
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .body(Body::empty())
            .unwrap();
        let answer = app.answer(asked).await;
        let is_allowed = answer.headers.contains_key("access-control-allow-origin");
        assert_eq!((answer.status, is_allowed), (204, allowed), "{origin}");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_leads_to_the_page_of_a_letter_and_of_boxes() {
    let app = TestApp::start_for_boxes().await;
    for (path, place) in [("/SelfDestruct/Read/", "../read"), ("/keyservice/", "../keyservice")] {
        let answer = app.answer(get(path)).await;
        assert_eq!((answer.status, &answer.headers["location"]), (308, &place.parse().unwrap()));
    }
}

#[tokio::test]
async fn what_was_kept_ends_in_time_where_it_was_switched_off_again() {
    let mut app = TestApp::start_for_boxes().await;
    let box_ = app.raw_box(1).await;
    box_.gets_file(&app, vec![1; 64]).await;
    assert_eq!(app.files_in_boxes(), 1);
    app.restart_with(|config| config.dialects.keyservice.enabled = false).await;
    assert!(app.app().depot().is_none());
    app.clock.advance(Duration::from_secs(200 * 24 * 60 * 60));
    tokio::time::pause();
    for _ in 0..10_000 {
        // Each round looks at the disk, for which the clock stands still.
        tokio::time::sleep(Duration::from_secs(1)).await;
        tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
        if app.files_in_boxes() == 0 {
            return;
        }
    }
    panic!("the file is still there");
}
