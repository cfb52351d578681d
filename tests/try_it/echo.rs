//! The bot in the gateway's own process.

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::{Certificate, Client};
use sealpost::sdk::client::{Bot, SenderProof, Text};
use sealpost::sdk::ids::UserId;
use sealpost::sdk::keystore::Keystore;
use serde_json::Value;
use tempfile::TempDir;

use super::http;
use crate::program::{self, Program};

/// A gateway with the bot, and a person with a device.
struct Stage {
    program: Program,
    folder: TempDir,
    http: Client,
    url: String,
}

impl Stage {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::serve_with(&folder.path().join("data"), "127.0.0.1:0", &[ON]);
        let url = format!("http://{}", program.address());
        Self { program, folder, http: http(Vec::new()), url }
    }

    /// The same with a certificate of `localhost`'s.
    fn open_with_tls() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (vector("there.pem"), vector("there_key.pem"));
        let settings = [
            ON,
            ("SEALPOST_HTTP__TLS_CERTIFICATE", certificate.to_str().unwrap()),
            ("SEALPOST_HTTP__TLS_KEY", key.to_str().unwrap()),
            ("SEALPOST_HTTP__PUBLIC_URL", "https://localhost:4433"),
        ];
        let program = Program::serve_with(&folder.path().join("data"), "127.0.0.1:0", &settings);
        let url = format!("https://localhost:{}", program.address().port());
        let authority = Certificate::from_pem(&fs::read(vector("authority.pem")).unwrap());
        Self { program, folder, http: http(vec![authority.unwrap()]), url }
    }

    async fn echo(&self) -> UserId {
        let about = self.http.get(format!("{}/try/gateway", self.url)).send().await.unwrap();
        let about: Value = about.json().await.unwrap();
        UserId::parse(about["echo"]["user_id"].as_str().unwrap()).unwrap()
    }

    fn person(&self) -> Bot {
        let device = program::create_user(&self.folder.path().join("data"), "ada", 1).remove(0);
        let device = Bot::builder(device).base_url(&self.url).http_client(self.http.clone());
        device.build().unwrap()
    }

    /// Insists that the bot answers a text with the same text, as itself.
    async fn is_answered(&self, person: &Bot, text: &str) {
        let echo = self.echo().await;
        // It signs in as soon as the gateway serves.
        while person.sessions_of(&[echo]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let sent = person.send(&echo, Text::new(text)).await.unwrap();
        assert!(sent.outcome.is_delivered(), "{sent:?}");
        let mut messages = person.messages();
        let answer = messages.next().await.unwrap().unwrap();
        assert_eq!((answer.sender, answer.text()), (echo, Some(text)));
        assert_eq!(answer.proof, SenderProof::LiveSession);
        messages.close().await.unwrap();
    }
}

const ON: (&str, &str) = ("SEALPOST_CONSOLE__TRY_IT", "true");

fn vector(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tls").join(name)
}

#[tokio::test]
async fn the_bot_answers_every_text_with_the_same_text() {
    let stage = Stage::open();
    let person = stage.person();
    for text in ["is anybody there?", "Grüße, 世界 👋"] {
        stage.is_answered(&person, text).await;
    }
    stage.program.stop();
}

#[tokio::test]
async fn the_bot_answers_where_the_gateway_speaks_tls() {
    let stage = Stage::open_with_tls();
    let person = stage.person();
    stage.is_answered(&person, "good evening").await;
    stage.program.stop();
}

#[tokio::test]
async fn the_bot_is_the_same_account_with_another_key_after_a_restart() {
    let stage = Stage::open();
    let (echo, person) = (stage.echo().await, stage.person());
    stage.is_answered(&person, "before").await;
    let before = person.sessions_of(&[echo]).await.unwrap();
    let Stage { program, folder, http, .. } = stage;
    program.stop();
    let program = Program::serve_with(&folder.path().join("data"), "127.0.0.1:0", &[ON]);
    let url = format!("http://{}", program.address());
    let stage = Stage { program, folder, http, url };
    assert_eq!(stage.echo().await, echo);
    let keystore = Keystore::from_file(stage.folder.path().join("ada/device-1.json")).unwrap();
    let device = Bot::builder(keystore).base_url(&stage.url).build().unwrap();
    while device.sessions_of(&[echo]).await.unwrap() == before {
        tokio::task::yield_now().await;
    }
    stage.is_answered(&device, "after").await;
    assert_eq!(device.sessions_of(&[echo]).await.unwrap().len(), 1);
    stage.program.stop();
}
