//! What the page refuses, and how it says what the gateway refused.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use super::{PASSPHRASE, Stage, bends_requests, follows, sends_text};

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_wrong_passphrase_looks_like_no_box() {
    let stage = Stage::open().await;
    let owner = stage.owner().await;
    owner.opens_the_box("some other passphrase").await;
    owner.page.reads("#read-form .failure", "No such box, or not its passphrase.").await;
    assert!(!owner.page.shows("#read-result").await);
    // And the right one still does.
    owner.opens_the_box(PASSPHRASE).await;
    owner.page.reads("#read-form .status", "The box is open, and empty.").await;
    stage.insists_on_peace(&owner.page);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn many_wrong_passphrases_have_to_wait() {
    let stage = Stage::open().await;
    let owner = stage.owner().await;
    let guess = "(token) => Promise.all(Array.from({ length: 120 }, () => \
                 fetch(`/Service?v=2&token=${token}`, \
                 { headers: { authkey: 'A'.repeat(43) } }).then((answer) => answer.status)))";
    let answers = owner.page.applies(guess, &json!(owner.token())).await;
    assert!(answers.as_array().unwrap().contains(&json!(429)), "{answers}");
    owner.opens_the_box("some other passphrase").await;
    owner.page.reads("#read-form .failure", "Too many tries. Try again in").await;
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_record_that_does_not_follow_from_its_token_is_refused() {
    let stage = Stage::open().await;
    let (honest, other) = (stage.owner().await, stage.owner().await);
    let (_visitor, page) = stage.person_at("/keyservice").await;
    // A gateway that gives out its own key for somebody else's box.
    let lie = format!(
        "(url, options) => [url.replace('{}', '{}'), options]",
        honest.token(),
        other.token()
    );
    bends_requests(&page, &lie).await;
    follows(&page, honest.token()).await;
    page.reads("#box-failure", "does not belong to this link").await;
    assert!(!page.shows("#write-form").await);
    assert!(!page.shows("#read-form").await);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn an_argon2id_box_can_be_written_to_and_says_why_it_cannot_be_read() {
    let stage = Stage::open().await;
    // The curve's base point is a public key as good as any.
    let spki = format!("MCowBQYDK2VuAyEACQ{}", "A".repeat(41));
    let record = json!({
        "publickey": spki,
        "kdf": format!("argon2id:m=65536,t=3,p=1:{}", "A".repeat(22)),
        "privatekey": "A".repeat(102),
        "authdigest": "A".repeat(43),
    });
    let request = Request::post("/Service?v=2")
        .header("content-type", "application/json")
        .body(Body::from(record.to_string()))
        .unwrap();
    let made = stage.app.answer(request).await;
    assert_eq!(made.status, 201, "{}", made.json);
    let token = made.json["token"].as_str().unwrap();
    let (_visitor, page) = stage.person_at(&format!("/keyservice#{token}")).await;
    page.reads("#read-form .failure", "made with Argon2id").await;
    assert!(!page.shows("#read-passphrase").await);
    sends_text(&page, "all the same").await;
    stage.insists_on_peace(&page);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn two_different_passphrases_make_no_box() {
    let stage = Stage::open().await;
    let (_visitor, page) = stage.person_at("/keyservice").await;
    page.fills("#create-passphrase", "one passphrase").await;
    page.fills("#create-again", "another passphrase").await;
    page.presses("#create-form button").await;
    page.reads("#create-form .failure", "The two passphrases are not the same.").await;
    assert!(!page.requests().iter().any(|request| request.starts_with("POST")));
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_link_that_was_cut_is_not_asked_for() {
    let stage = Stage::open().await;
    let (_visitor, page) = stage.person_at("/keyservice#0123456789abcdef").await;
    page.reads("#box-failure", "This link is not whole").await;
    assert!(!page.requests().iter().any(|request| request.contains("/Service?")));
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn what_is_full_and_what_is_too_large_are_told_apart() {
    let stage = Stage::open().await;
    let (_visitor, page) = stage.person_at("/keyservice").await;
    let says = "async (problem) => { const { Refused } = await import('/keyservice/failure.js'); \
                return new Refused(413, problem, null).message; }";
    for (problem, expected) in [
        (json!({ "code": "box_full", "limit": 7 }), "This box is full."),
        (json!({ "code": "gateway_full", "limit": 7 }), "This gateway has no room left."),
        (json!({ "code": "too_large", "limit": 7, "field": "name" }), "The name of this file"),
        (json!({ "code": "too_large", "limit": 7 }), "takes at most 7 bytes"),
        (json!({}), "too large, or the box is full"),
    ] {
        let said = page.applies(says, &problem).await;
        assert!(said.as_str().unwrap().contains(expected), "{problem}: {said}");
    }
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_name_that_no_gateway_takes_is_not_sent() {
    let stage = Stage::open().await;
    let (_visitor, page) = stage.person_at("/keyservice").await;
    let seal = "async (length) => { const { aesKey } = await import('/keyservice/aead.js'); \
                const { sealName } = await import('/keyservice/message.js'); \
                const key = await aesKey(new Uint8Array(32)); \
                try { return (await sealName(key, '0'.repeat(32), 'x'.repeat(length))).length; } \
                catch (error) { return error.message; } }";
    assert_eq!(page.applies(seal, &json!(996)).await, json!(1024));
    let refused = page.applies(seal, &json!(997)).await;
    assert!(refused.as_str().unwrap().contains("name of this file is too long"), "{refused}");
}
