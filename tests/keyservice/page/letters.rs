//! Letters that destroy themselves.

use axum::body::Body;
use axum::http::Request;

use super::Stage;
use crate::harness::browser::Page;

const TEXT: &str = "It is the third brick. 🧱";

/// Leaves a letter and returns its link.
async fn leaves_letter(page: &Page) -> String {
    page.fills("#letter-text", TEXT).await;
    page.presses("#letter-form button").await;
    page.reads("#letter-link", "/selfdestruct/read#2.").await;
    page.text("#letter-link").await
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_letter_outlives_scanners_and_not_its_reader() {
    let stage = Stage::open().await;
    let (_writer, page) = stage.person_at("/keyservice#letter").await;
    let link = leaves_letter(&page).await;
    // One that only fetches …
    let request = Request::get("/selfdestruct/read").body(Body::empty()).unwrap();
    assert_eq!(stage.app.answer(request).await.status, 200);
    // … and one that runs the page as well.
    let scanner = stage.visits(&stage.visitor().await, &link).await;
    assert!(scanner.shows("#take-form button").await);
    assert!(!scanner.requests().iter().any(|request| request.starts_with("POST")));

    let reader = stage.visits(&stage.visitor().await, &link).await;
    reader.presses("#take-form button").await;
    reader.reads("#taken-text", TEXT).await;
    assert!(!reader.shows("#take-form button").await);
    assert_eq!(reader.evaluates("location.hash").await, "");

    let late = stage.visits(&stage.visitor().await, &link).await;
    late.presses("#take-form button").await;
    late.reads("#take-form .failure", "There is no such letter: it was read already").await;
    for page in [&page, &scanner, &reader, &late] {
        stage.insists_on_peace(page);
    }
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_guessed_secret_neither_shows_nor_destroys_a_letter() {
    let stage = Stage::open().await;
    let (_writer, page) = stage.person_at("/keyservice#letter").await;
    let link = leaves_letter(&page).await;
    let (start, _secret) = link.rsplit_once('.').unwrap();
    let wrong = format!("{start}.{}", "A".repeat(43));
    let visitor = stage.visitor().await;
    let guesser = stage.visits(&visitor, &wrong).await;
    guesser.presses("#take-form button").await;
    guesser.reads("#take-form .failure", "There is no such letter").await;
    // The next link comes into the same tab.
    guesser.goes_to(&link).await;
    guesser.presses("#take-form button").await;
    guesser.reads("#taken-text", TEXT).await;
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_link_that_was_cut_says_so_and_has_no_button() {
    let stage = Stage::open().await;
    for path in ["/selfdestruct/read", "/selfdestruct/read#2.00112233.AAAA"] {
        let (_visitor, page) = stage.person_at(path).await;
        page.reads("#take-form .failure", "This link is not whole").await;
        assert!(!page.shows("#take-form button").await, "{path}");
    }
}
