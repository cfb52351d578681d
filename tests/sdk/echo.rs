//! A bot of ten lines answers a person.

use sealpost::sdk::client::Text;

use crate::harness::TestApp;

#[tokio::test]
async fn a_bot_answers_a_person_on_all_devices() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("echo").await, app.person("Anna", 2).await);
    let echo = bot.client(&app, &url);
    let (phone, tablet) = (anna.devices[0].client(&app, &url), anna.devices[1].client(&app, &url));

    let answering = async {
        let mut messages = echo.messages();
        let message = messages.next().await.unwrap().unwrap();
        let text = message.text().unwrap().to_owned();
        echo.reply(&message, Text::new(text)).await.unwrap();
        messages.close().await.unwrap();
    };
    let asking = async {
        phone.send(&bot.user, Text::new("is anybody there?")).await.unwrap();
        for device in [&phone, &tablet] {
            let mut messages = device.messages();
            let answer = messages.next().await.unwrap().unwrap();
            assert_eq!(answer.text(), Some("is anybody there?"));
            assert_eq!(answer.sender, bot.user);
            messages.close().await.unwrap();
        }
    };
    tokio::join!(answering, asking);
    assert!(anna.devices[0].receives(&app).await.is_empty(), "everything is acknowledged");
}
