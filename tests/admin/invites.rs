//! Invitations to sign up.

use serde_json::json;

use super::world::{delete, get, post};
use crate::harness::TestApp;

#[tokio::test]
async fn an_invitation_is_made_listed_and_revoked() {
    let app = TestApp::start().await;
    let body = json!({"uses": 3, "life_seconds": 3600});
    let made = post(&app, "/invites", body).await;
    assert_eq!((made.status, &made.json["expires_at"]), (201, &json!("2026-01-02T04:04:05Z")));
    let code = made.json["code"].as_str().unwrap();
    assert!(code.starts_with("spi_") && code.len() == 36, "{code}");

    let listed = get(&app, "/invites").await.json;
    let [invite] = &listed["invites"].as_array().unwrap()[..] else { panic!("{listed}") };
    assert_eq!(invite["invite_id"], made.json["invite_id"]);
    assert_eq!((&invite["used"], &invite["uses"]), (&json!(0), &json!(3)));
    assert!(!listed.to_string().contains(code), "the code is shown once");

    let path = format!("/invites/{}", invite["invite_id"].as_str().unwrap());
    assert_eq!(delete(&app, &path).await.status, 204);
    assert_eq!(delete(&app, &path).await.status, 404);
    assert_eq!(get(&app, "/invites").await.json["invites"], json!([]));
}

#[tokio::test]
async fn invitations_are_listed_in_pages() {
    let app = TestApp::start().await;
    for uses in 1..=3 {
        post(&app, "/invites", json!({"uses": uses, "life_seconds": 60})).await;
    }
    let first = get(&app, "/invites?limit=2").await.json;
    let next = first["next"].as_str().unwrap();
    let second = get(&app, &format!("/invites?limit=2&after={next}")).await.json;
    assert_eq!((&second["invites"][0]["uses"], &second["next"]), (&json!(3), &json!(null)));
}

#[tokio::test]
async fn an_invitation_that_makes_no_sense_is_refused() {
    let app = TestApp::start().await;
    let year = 366 * 24 * 60 * 60;
    for (body, field) in [
        (json!({"uses": 0, "life_seconds": 1}), "uses"),
        (json!({"uses": 1_000_001, "life_seconds": 1}), "uses"),
        (json!({"uses": 1, "life_seconds": 0}), "life_seconds"),
        (json!({"uses": 1, "life_seconds": year + 1}), "life_seconds"),
    ] {
        let answer = post(&app, "/invites", body).await;
        assert_eq!((answer.status, &answer.json["field"]), (422, &json!(field)), "{answer:?}");
    }
}
