//! Making and finding accounts.

use serde_json::json;

use super::world::{ask, get, post, public_key, user};
use crate::harness::TestApp;

#[tokio::test]
async fn an_account_is_made_with_its_sessions() {
    let app = TestApp::start().await;
    let sessions = json!([
        {"public_key": public_key(1), "platform": "Phone"},
        {"public_key": public_key(2)},
    ]);
    let body = json!({"kind": "bot", "full_name": " Echo ", "sessions": sessions});
    let made = post(&app, "/accounts", body).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json["server_public_key"].as_str().map(str::len), Some(64));
    assert_eq!(made.json["sessions"][0]["platform"], "Phone");
    assert_eq!(made.json["sessions"][1]["platform"], "");

    let id = made.json["user_id"].as_str().unwrap();
    let shown = get(&app, &format!("/accounts/{id}")).await;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.json["kind"], "bot");
    assert_eq!(shown.json["full_name"], "Echo");
    assert_eq!(shown.json["identity_number"], made.json["identity_number"]);
}

#[tokio::test]
async fn what_cannot_be_used_is_named_and_leaves_no_account() {
    let app = TestApp::start().await;
    let key = public_key(1);
    let twice = json!([{"public_key": key}, {"public_key": key}]);
    let long = "x".repeat(65);
    let id = "00000000-0000-4000-8000-000000000001";
    let table = [
        (json!({"kind": "robot", "full_name": "A"}), 422, "kind"),
        (json!({"kind": "bot", "full_name": "  "}), 422, "full_name"),
        (json!({"kind": "bot", "full_name": "a\u{7}"}), 422, "full_name"),
        (json!({"kind": "bot", "full_name": long}), 422, "full_name"),
        (json!({"kind": "bot", "full_name": "A", "sessions": twice}), 422, "public_key"),
        (
            json!({"kind": "bot", "full_name": "A", "sessions": [{"public_key": "AAAA"}]}),
            422,
            "public_key",
        ),
        (
            // The neutral element: a point of small order.
            json!({"kind": "bot", "full_name": "A", "sessions": [
                {"public_key": "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}]}),
            422,
            "public_key",
        ),
        (
            json!({"kind": "bot", "full_name": "A", "sessions": [
                {"public_key": key, "platform": long}]}),
            422,
            "platform",
        ),
        (
            json!({"kind": "bot", "full_name": "A", "sessions": [
                {"public_key": key, "replaces": id}]}),
            422,
            "replaces",
        ),
    ];
    for (body, status, field) in table {
        let answer = post(&app, "/accounts", body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.json["field"], field, "{answer:?}");
    }
    assert_eq!(get(&app, "/accounts").await.json["accounts"], json!([]));
}

#[tokio::test]
async fn a_key_that_is_on_file_is_a_conflict() {
    let app = TestApp::start().await;
    user(&app, 1).await;
    let body =
        json!({"kind": "bot", "full_name": "B", "sessions": [{"public_key": public_key(1)}]});
    let answer = post(&app, "/accounts", body).await;
    assert_eq!(answer.content_type, "application/problem+json");
    let problem = &answer.json;
    assert_eq!((answer.status, &problem["code"]), (409, &json!("conflict")));
    assert_eq!(problem["field"], "public_key");
    assert_eq!(problem["request_id"], "r-1");
}

#[tokio::test]
async fn a_refused_account_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let (anna, _) = user(&app, 1).await;
    let sessions = json!([{"public_key": public_key(2)}, {"public_key": public_key(1)}]);
    let body = json!({"kind": "bot", "full_name": "B", "sessions": sessions});
    assert_eq!(post(&app, "/accounts", body).await.status, 409);
    let accounts = get(&app, "/accounts").await.json;
    assert_eq!(accounts["accounts"].as_array().map(Vec::len), Some(1));
    assert_eq!(accounts["accounts"][0]["user_id"], anna);
    // The key before the one on file is still free.
    user(&app, 2).await;
}

#[tokio::test]
async fn too_many_sessions_are_refused_with_the_limit() {
    let app = TestApp::start().await;
    let sessions: Vec<_> = (1..=17).map(|key| json!({"public_key": public_key(key)})).collect();
    let body = json!({"kind": "user", "full_name": "Anna", "sessions": sessions});
    let answer = post(&app, "/accounts", body).await;
    assert_eq!(answer.status, 413);
    assert_eq!((&answer.json["actual"], &answer.json["limit"]), (&json!(17), &json!(16)));
}

#[tokio::test]
async fn accounts_are_listed_page_by_page() {
    let app = TestApp::start().await;
    let mut made = Vec::new();
    for key in 1..=3 {
        made.push(user(&app, key).await.0);
    }
    let first = get(&app, "/accounts?limit=2").await.json;
    let ids = |page: &serde_json::Value| -> Vec<String> {
        let accounts = page["accounts"].as_array().unwrap().iter();
        accounts.map(|account| account["user_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&first), made[..2]);
    assert_eq!(first["next"], made[1].as_str());
    let second = get(&app, &format!("/accounts?limit=2&after={}", made[1])).await.json;
    assert_eq!(ids(&second), made[2..]);
    assert!(second.get("next").is_none());
}

#[tokio::test]
async fn a_page_that_makes_no_sense_is_refused() {
    let app = TestApp::start().await;
    for (query, status) in [
        ("limit=0", 422),
        ("limit=1001", 422),
        ("limit=many", 400),
        ("after=nobody", 422),
        ("after=00000000-0000-4000-8000-000000000001", 404),
    ] {
        let answer = get(&app, &format!("/accounts?{query}")).await;
        assert_eq!(answer.status, status, "{query}: {answer:?}");
        assert_eq!(answer.content_type, "application/problem+json");
    }
}

#[tokio::test]
async fn a_body_that_is_no_account_is_malformed() {
    let app = TestApp::start().await;
    for body in [json!([]), json!("text"), json!({"kind": "bot"})] {
        let answer = post(&app, "/accounts", body).await;
        assert_eq!((answer.status, &answer.json["code"]), (400, &json!("malformed")), "{answer:?}");
    }
}

#[tokio::test]
async fn paths_and_methods_that_nobody_knows_are_problems_too() {
    let app = TestApp::start().await;
    let answer = get(&app, "/nothing").await;
    assert_eq!((answer.status, &answer.json["code"]), (404, &json!("not_found")));
    let answer = ask(&app, axum::http::Method::PUT, "/status", json!({})).await;
    assert_eq!((answer.status, &answer.json["code"]), (405, &json!("method_not_allowed")));
}

#[tokio::test]
async fn the_status_says_what_runs_and_since_when() {
    let app = TestApp::start().await;
    app.clock.advance(std::time::Duration::from_secs(90));
    let status = get(&app, "/status").await.json;
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["uptime_seconds"], 90);
}

#[tokio::test]
async fn the_status_counts_the_sockets() {
    let app = TestApp::start().await;
    let bot = app.bot("echo").await;
    assert_eq!(get(&app, "/status").await.json["sockets"], 0);
    let (one, other) = (app.socket(&bot).await, app.socket(&bot).await);
    assert_eq!(get(&app, "/status").await.json["sockets"], 2);
    one.close().await;
    drop(other);
    while get(&app, "/status").await.json["sockets"] != 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_status_counts_the_commits() {
    let app = TestApp::start().await;
    let before = get(&app, "/status").await.json["storage"].clone();
    assert!(before["database_bytes"].as_u64() > Some(4096));
    assert_eq!(before["waiting_writes"], 0);
    assert!(before.get("newest_message_at").is_none());
    user(&app, 1).await;
    let after = get(&app, "/status").await.json["storage"].clone();
    let groups = |storage: &serde_json::Value| storage["commit_groups"].as_u64().unwrap();
    assert_eq!(groups(&after), groups(&before) + 1, "an account with its session is one commit");
}

#[tokio::test]
async fn a_sound_database_is_said_to_be_sound() {
    let app = TestApp::start().await;
    let found = get(&app, "/check").await;
    assert_eq!((found.status, found.json), (200, json!({"complete": true, "damage": []})));
}

#[tokio::test]
async fn clients_do_not_reach_the_operators_api() {
    let app = TestApp::start().await;
    let request = axum::http::Request::get("/admin/v1/status").body(axum::body::Body::empty());
    assert_eq!(app.call(request.unwrap()).await.status, 404);
}
