//! People's devices on the gateway's own socket.

use std::time::Duration;

use sealpost::sdk::client::{Device, Outcome, Text};

use crate::harness::TestApp;

#[tokio::test]
async fn a_device_meets_an_old_list_and_goes_on() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (anna, ben) = (app.person("Anna", 2).await, app.person("Ben", 1).await);
    let phone = Device::from(anna.devices[0].client(&app, &url));
    let group = phone.account().create_group("Two", &[ben.user]).await.unwrap().conversation_id;
    phone.send(&group, Text::new("one")).await.unwrap();
    let tablet = app.sign_in(ben.user, None).await;
    let sent = phone.send(&group, Text::new("two")).await.unwrap();
    assert!(matches!(sent.outcome, Outcome::Delivered { sessions } if sessions.len() == 3));

    for (device, expected) in [(&tablet, vec!["two"]), (&anna.devices[1], vec!["one", "two"])] {
        let mut messages = device.client(&app, &url).live_messages();
        let mut texts = Vec::new();
        while texts.len() < expected.len() {
            let message = messages.next().await.unwrap().unwrap();
            texts.extend(message.text().map(str::to_owned));
        }
        assert_eq!(texts, expected);
        messages.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_first_word_of_a_device_makes_the_conversation() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (anna, ben) = (app.person("Anna", 1).await, app.person("Ben", 1).await);
    let phone = Device::from(anna.devices[0].client(&app, &url));
    assert!(phone.send_to(&ben.user, Text::new("hello")).await.unwrap().outcome.is_delivered());
    assert_eq!(ben.devices[0].receives(&app).await, ["hello"]);
}

#[tokio::test]
async fn a_device_is_told_that_an_inbox_is_full_as_a_bot_is() {
    let app = TestApp::start_with(|config| config.limits.inbox_messages = 1).await;
    let url = format!("http://{}", app.listen().await);
    let (anna, ben) = (app.person("Anna", 1).await, app.person("Ben", 1).await);
    let phone = Device::from(anna.devices[0].client(&app, &url));
    assert!(phone.send_to(&ben.user, Text::new("one")).await.unwrap().outcome.is_delivered());
    let full = Outcome::Deferred { retry_after: Some(Duration::from_secs(60)) };
    assert_eq!(phone.send_to(&ben.user, Text::new("two")).await.unwrap().outcome, full);
    let by_post = phone.account().send(&ben.user, Text::new("three")).await.unwrap();
    assert_eq!(by_post.outcome, full);
}
