//! What only a box's owner may do.

use std::time::Duration;

use sealpost::domain::clock::Clock;
use serde_json::{Value, json};

use super::{Owner, PASSPHRASE, Stage, bends_requests, follows, sends_text};

/// An owner who has left such texts in the box, and opened it.
async fn owner_of(stage: &Stage, texts: &[&str]) -> Owner {
    let owner = stage.owner().await;
    for text in texts {
        sends_text(&owner.page, text).await;
    }
    owner.opens_the_box(PASSPHRASE).await;
    owner.page.reads("#read-form .status", "The box is open").await;
    owner
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_deleted_message_is_gone_and_the_others_are_not() {
    let stage = Stage::open().await;
    let owner = owner_of(&stage, &["first", "second"]).await;
    owner.page.presses("#read-messages > li:first-child .delete").await;
    owner.page.presses("#sure-yes").await;
    owner.page.sees("document.querySelectorAll('#read-messages > li').length === 1").await;
    owner.page.presses("#read-close").await;
    owner.opens_the_box(PASSPHRASE).await;
    owner.page.reads("#read-form .status", "1 message.").await;
    owner.page.reads("#read-messages .text", "second").await;
    stage.insists_on_peace(&owner.page);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_person_who_is_not_sure_deletes_nothing() {
    let stage = Stage::open().await;
    let owner = owner_of(&stage, &["first"]).await;
    owner.page.presses("#read-delete").await;
    owner.page.presses("#sure-no").await;
    owner.page.sees("!document.getElementById('read-delete').disabled").await;
    assert!(!owner.page.requests().iter().any(|request| request.starts_with("DELETE")));
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_deleted_box_is_gone_for_everybody() {
    let stage = Stage::open().await;
    let owner = owner_of(&stage, &["first"]).await;
    owner.page.presses("#read-delete").await;
    owner.page.presses("#sure-yes").await;
    owner.page.reads("#read-form .status", "are deleted").await;
    let other = stage.visits(&stage.visitor().await, &owner.link).await;
    other.reads("#box-failure", "There is no such box.").await;
    assert!(!other.shows("#write-form").await);
}

/// An owner who has opened a box with such texts, of which two come at once.
async fn owner_of_long_list(stage: &Stage, texts: &[&str]) -> Owner {
    let owner = stage.owner().await;
    for text in texts {
        sends_text(&owner.page, text).await;
    }
    let two_at_once =
        "(url, options) => [url + (options.method === 'GET' ? '&limit=2' : ''), options]";
    bends_requests(&owner.page, two_at_once).await;
    owner.opens_the_box(PASSPHRASE).await;
    owner.page.reads("#read-form .status", "2 messages so far").await;
    owner
}

/// The texts that are shown, in their order.
async fn texts(owner: &Owner) -> Value {
    let texts = "[...document.querySelectorAll('#read-messages .text')].map((t) => t.textContent)";
    owner.page.evaluates(texts).await
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_long_list_comes_in_pages() {
    let stage = Stage::open().await;
    let owner = owner_of_long_list(&stage, &["first", "second", "third"]).await;
    owner.page.presses("#read-more").await;
    owner.page.reads("#read-form .status", "3 messages.").await;
    assert!(!owner.page.shows("#read-more").await);
    assert_eq!(texts(&owner).await, json!(["first", "second", "third"]));
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_list_goes_on_after_a_message_that_was_deleted() {
    let stage = Stage::open().await;
    let owner = owner_of_long_list(&stage, &["1", "2", "3", "4"]).await;
    owner.page.presses("#read-messages > li:last-child .delete").await;
    owner.page.presses("#sure-yes").await;
    owner.page.sees("document.querySelectorAll('#read-messages > li').length === 1").await;
    owner.page.presses("#read-more").await;
    owner.page.reads("#read-form .status", "2 messages so far.").await;
    owner.page.presses("#read-more").await;
    owner.page.reads("#read-form .status", "3 messages.").await;
    assert_eq!(texts(&owner).await, json!(["1", "3", "4"]));
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn what_was_opened_is_forgotten_with_the_next_view() {
    let stage = Stage::open().await;
    let owner = owner_of(&stage, &["for my eyes"]).await;
    follows(&owner.page, "letter").await;
    owner.page.sees("!document.getElementById('letter').hidden").await;
    let text = owner.page.evaluates("document.documentElement.outerHTML").await;
    assert!(!text.as_str().unwrap().contains("for my eyes"));
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_box_with_a_release_date_opens_from_then_on() {
    let stage = Stage::open().await;
    let (visitor, page) = stage.person_at("/keyservice").await;
    let tomorrow = stage.app.clock.now().plus(Duration::from_secs(86_400));
    let micros = json!(tomorrow.as_micros());
    // The field takes the time on the visitor's wall.
    let set = "(micros) => { const date = new Date(micros / 1000); \
               document.querySelector('#create-form details').open = true; \
               const local = new Date(date - date.getTimezoneOffset() * 60000); \
               document.getElementById('create-release').value = local.toISOString().slice(0, 16); }";
    page.applies(set, &micros).await;
    let link = super::makes_box(&page, PASSPHRASE).await;
    page.reads("#created-facts", "Readable from").await;
    page.presses("#created-go").await;
    page.reads("#box-facts", "Readable from").await;
    let owner = Owner { visitor, page, link };
    owner.opens_the_box(PASSPHRASE).await;
    owner.page.reads("#read-form .failure", "Nobody can read this box yet, only from").await;
    stage.app.clock.advance(Duration::from_secs(2 * 86_400));
    owner.opens_the_box(PASSPHRASE).await;
    owner.page.reads("#read-form .status", "The box is open, and empty.").await;
}
