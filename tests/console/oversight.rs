//! What the console shows of inboxes, accounts and the switch.

use serde_json::json;

use super::world::{logs_in, reads, sets_aside, start, turns};

#[tokio::test]
async fn a_stuck_inbox_is_named_until_it_is_free() {
    let app = start().await;
    let cookie = logs_in(&app).await;
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 2).await);
    let stuck = async || reads(&app, &cookie, "/admin/v1/stuck").await.json["inboxes"].clone();
    assert_eq!(stuck().await, json!([]));
    sets_aside(&app, &bot, &anna).await;
    let found = stuck().await;
    assert_eq!((&found[0]["full_name"], &found[0]["messages"]), (&json!("Anna"), &json!(1)));
    assert_eq!(found[0]["session_id"], json!(anna.devices[0].session));
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
}

#[tokio::test]
async fn the_status_says_how_the_switch_stands() {
    let app = start().await;
    let cookie = logs_in(&app).await;
    for (read_only, draining) in [(false, false), (true, false), (true, true)] {
        turns(&app, read_only, draining).await;
        let status = reads(&app, &cookie, "/admin/v1/status").await;
        let expected = json!({ "read_only": read_only, "draining": draining });
        assert_eq!(status.json["mode"], expected, "and the console stays open");
    }
}

#[tokio::test]
async fn accounts_are_found_by_kind_name_number_and_id() {
    let app = start().await;
    let cookie = logs_in(&app).await;
    let (news, anna) = (app.bot("Evening News").await, app.person("Anna Newton", 0).await);
    app.person("Bert", 0).await;
    let number = app.gateway().account(anna.user).await.unwrap().external_name;
    for (query, expected) in [
        (String::new(), &["Evening News", "Anna Newton", "Bert"][..]),
        ("?kind=bot".to_owned(), &["Evening News"]),
        ("?search=NEW".to_owned(), &["Evening News", "Anna Newton"]),
        ("?search=new&kind=user".to_owned(), &["Anna Newton"]),
        (format!("?search={number}"), &["Anna Newton"]),
        (format!("?search={}", news.user), &["Evening News"]),
        ("?search=nobody".to_owned(), &[]),
    ] {
        let answer = reads(&app, &cookie, &format!("/admin/v1/accounts{query}")).await;
        let accounts = answer.list_of("accounts").iter();
        let names: Vec<_> = accounts.map(|it| it["full_name"].as_str().unwrap()).collect();
        assert_eq!(names, expected, "{query}");
    }
    let first = reads(&app, &cookie, "/admin/v1/accounts?search=new&limit=1").await;
    let next = first.json["next"].as_str().unwrap();
    let second =
        reads(&app, &cookie, &format!("/admin/v1/accounts?search=new&limit=1&after={next}")).await;
    assert_eq!(second.json["accounts"][0]["full_name"], "Anna Newton");
    assert_eq!(second.json["next"], json!(null), "Bert is none");
    assert_eq!(reads(&app, &cookie, "/admin/v1/accounts?kind=cat").await.status, 422);
}
