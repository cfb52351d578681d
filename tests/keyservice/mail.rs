//! Owners who want to hear of messages by mail, against a server that speaks just enough SMTP.

use std::sync::Arc;
use std::time::Duration;

use sealpost::config::Secret;
use sealpost::config::mail::SmtpTls;
use sealpost::domain::clock::{TestClock, Timestamp};
use sealpost::domain::limits::Networks;
use sealpost::outside::mail::{MailError, MailServer, ServerSettings};
use sealpost::outside::reach::Reach;
use serde_json::json;

use crate::harness::TestApp;
use crate::outside::mail::server;

/// A gateway that sends its mail there, and says in it that it is at `https://boxes.example`.
async fn gateway(address: &str) -> TestApp {
    TestApp::start_with(|config| {
        config.http.public_url = "https://boxes.example".to_owned();
        let settings = &mut config.dialects.keyservice;
        settings.enabled = true;
        settings.smtp.server = address.to_owned();
        settings.smtp.from = "gateway@example.org".to_owned();
        (settings.smtp.tls, settings.smtp.check_address) = (SmtpTls::None, false);
    })
    .await
}

fn notified() -> serde_json::Value {
    json!({ "email": "anna@example.org" })
}

#[tokio::test]
async fn an_owner_is_told_that_something_came_and_not_what() {
    let (address, said) = server("250 fine").await;
    let app = gateway(&address).await;
    let box_ = app.raw_box_with(1, notified()).await;
    box_.gets(&app, "the cat sleeps").await;
    let said = said.await.unwrap();
    assert!(said.contains("RCPT TO:<anna@example.org>\r\n"), "{said}");
    assert!(said.contains("MAIL FROM:<gateway@example.org>"), "{said}");
    assert!(said.contains("Subject: A message in your drop box\r\n"), "{said}");
    let link = format!("https://boxes.example/keyservice#{}", box_.token);
    assert!(said.replace("=\r\n", "").contains(&link), "{said}");
    assert!(said.contains("You can read it now."), "{said}");
    assert!(!said.contains("cat sleeps"), "{said}");
}

#[tokio::test]
async fn a_mail_says_when_a_box_can_be_read() {
    let (address, said) = server("250 fine").await;
    let app = gateway(&address).await;
    let mut later = notified();
    later["releasedate"] = json!("2026-02-03T04:05:06Z");
    app.raw_box_with(1, later).await.gets(&app, "x").await;
    let said = said.await.unwrap();
    assert!(said.contains("It can be read from 2026-02-03T04:05:06Z on."), "{said}");
}

#[tokio::test]
async fn a_mail_that_nobody_takes_keeps_no_message_out() {
    let app = gateway("127.0.0.1:1").await;
    let box_ = app.raw_box_with(1, notified()).await;
    box_.gets(&app, "x").await;
    assert_eq!(box_.texts(&app).await, ["x"]);
}

#[tokio::test]
async fn a_server_in_a_private_network_is_asked_only_when_it_may_be() {
    let (address, _said) = server("250 fine").await;
    let password = Secret::default();
    let settings = ServerSettings {
        server: &address,
        tls: SmtpTls::None,
        check_address: true,
        user: "",
        password: &password,
        from: "gateway@example.org",
    };
    let clock = Arc::new(TestClock::at(Timestamp::default()));
    let reach = Reach::with(Networks::default());
    let mail = MailServer::open(&settings, &reach, Duration::from_secs(5), clock.clone()).unwrap();
    let refused = mail.deliver("anna@example.org", None, "x".to_owned()).await;
    assert!(matches!(refused, Err(MailError::Reach(_))), "{refused:?}");
    for bad in ["mail", "mail:x"] {
        let settings = ServerSettings { server: bad, ..settings };
        let opened = MailServer::open(&settings, &reach, Duration::from_secs(5), clock.clone());
        assert!(matches!(opened, Err(MailError::Server)));
    }
}
