//! Messages between members are counted under what became of them.

use super::people::{fetched, message, pair, send};
use crate::harness::TestApp;
use crate::metrics::text::Page;

#[tokio::test]
async fn each_message_is_counted_once_and_in_the_words_of_all_dialects() {
    let app = TestApp::start_for_hushnet().await;
    let (alice, bob, chat) = pair(&app).await;
    let carol = app.hush_member("carol").await;
    let before = Page::of(&app).await.value("sealpost_stage_seconds_count{stage=\"deliver\"}");
    let first = send(&app, &chat, &alice, &bob, "m-1").await;
    assert_eq!(send(&app, &chat, &alice, &bob, "m-1").await, first);
    let refused = carol.post(&app, "/messages", message(&chat, &bob, &[&bob.device], "m-1")).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    assert_eq!(fetched(&app, &bob).await, ["m-1"]);

    let page = Page::of(&app).await;
    let counted = ["accepted", "duplicate", "rejected", "deferred"].map(|outcome| {
        let labels = format!("dialect=\"hushnet\",outcome=\"{outcome}\"");
        page.value(&format!("sealpost_messages_total{{{labels}}}"))
    });
    assert_eq!(counted, [1.0, 1.0, 1.0, 0.0]);
    let deliveries = page.value("sealpost_stage_seconds_count{stage=\"deliver\"}");
    assert_eq!(deliveries - before, 1.0);
}
