//! Messages between phones are counted under what became of them.

use super::letters::{ANNA, BERT, NOBODY, part, part_for, says, send, texts, unlimited};
use crate::metrics::text::Page;

#[tokio::test]
async fn each_letter_is_counted_once_and_in_the_words_of_all_dialects() {
    let app = unlimited().await;
    let (anna, bert) = (app.phone(ANNA).await, app.phone(BERT).await);
    says(&app, &anna, &[&bert], "hello").await;
    assert_eq!(send(&app, &anna, BERT, &[part_for(7, "to nobody")]).await.status, 409);
    assert_eq!(send(&app, &anna, NOBODY, &[part(&bert, "to nobody")]).await.status, 404);
    assert_eq!(texts(&app, &bert).await, ["hello"]);

    let page = Page::of(&app).await;
    let counted = ["accepted", "stale_sessions", "recipient_gone", "rejected"].map(|outcome| {
        let labels = format!("dialect=\"textsecure\",outcome=\"{outcome}\"");
        page.value(&format!("sealpost_messages_total{{{labels}}}"))
    });
    assert_eq!(counted, [1.0, 1.0, 1.0, 0.0]);
    assert!(page.value("sealpost_stage_seconds_count{stage=\"auth\"}") >= 4.0);
    let route = "sealpost_requests_total{route=\"/v1/messages/{destination}\",status=\"2xx\"}";
    assert!(page.names().any(|name| name == "sealpost_requests_total"));
    assert_eq!(page.value(route), 1.0);
}
