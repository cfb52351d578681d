//! What is left in drop boxes is counted.

use crate::harness::TestApp;
use crate::metrics::text::Page;

#[tokio::test]
async fn what_is_left_is_counted_and_what_a_full_box_refuses_too() {
    let app = TestApp::start_for_boxes_with(|settings| settings.box_messages = 1).await;
    let box_ = app.raw_box(1).await;
    box_.gets(&app, "x").await;
    assert_eq!(app.call(box_.put("y")).await.status, 413);

    let page = Page::of(&app).await;
    let counted = ["accepted", "rejected"].map(|outcome| {
        let labels = format!("dialect=\"keyservice\",outcome=\"{outcome}\"");
        page.value(&format!("sealpost_messages_total{{{labels}}}"))
    });
    assert_eq!(counted, [1.0, 1.0]);
}
