//! A gateway with a bot and people on it, for one command.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use sealpost::sdk::client::{Bot, SenderProof, Text};
use sealpost::sdk::ids::UserId;
use sealpost::sdk::keystore::Keystore;

use super::Language;
use super::command::{PATIENCE, Running};
use crate::program::{self, Program};

/// A running gateway, and the files of those who are on it.
pub struct Stage {
    folder: tempfile::TempDir,
    gateway: Program,
    bot: UserId,
    narrator: Keystore,
}

/// What the narrator says when nothing is to come any more.
const THE_END: &str = "that is all";

impl Stage {
    /// Starts a gateway and makes the bot whose keystore the command gets.
    pub fn open() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("data");
        let gateway = Program::serve(&data);
        let bot = program::create_bot(&data, "bot").user_id;
        let narrator = program::create_user(&data, "narrator", 1).remove(0);
        Self { folder, gateway, bot, narrator }
    }

    /// Makes a person; one keystore for each device.
    pub fn person(&self, name: &str, devices: usize) -> Vec<Keystore> {
        program::create_user(&self.data(), name, devices)
    }

    /// Signs one more device in, from anywhere.
    pub fn sign_in(data: &Path, user: UserId) -> Keystore {
        let file = data.with_file_name(format!("{user}.json"));
        let out = file.to_str().expect("a path in Unicode");
        program::run(data, &["session", "add", &user.to_string(), "--out", out]);
        Keystore::from_file(&file).expect("a keystore that the SDK reads")
    }

    /// Starts a command as the bot: its name, the bot's keystore, and the rest.
    pub fn start(&self, language: &Language, url: &str, name: &str, rest: &[&str]) -> Running {
        let keystore = self.folder.path().join("bot.json");
        let keystore = keystore.to_str().expect("a path in Unicode");
        Running::start(language, self.folder.path(), url, name, &[&[keystore], rest].concat())
    }

    /// A device at this gateway.
    pub fn client(&self, keystore: &Keystore) -> Bot {
        Bot::builder(keystore.clone()).base_url(self.url()).build().expect("a client")
    }

    /// Insists that each device of a person finds these texts of the bot, and nothing else, in its
    /// inbox.
    pub async fn finds(&self, devices: &[Keystore], texts: &[&str]) {
        let last = self.client(&self.narrator);
        let sent = last.send(&devices[0].user_id, Text::new(THE_END)).await.expect("an answer");
        assert!(sent.outcome.is_delivered(), "{sent:?}");
        let story: Vec<_> = texts.iter().map(|text| (self.bot, (*text).to_owned())).collect();
        let the_end = (self.narrator.user_id, THE_END.to_owned());
        for device in devices {
            let mut messages = self.client(device).messages();
            let mut found = Vec::new();
            while found.last() != Some(&the_end) {
                let message = messages.next().await.expect("a message").expect("one that opens");
                assert_eq!(message.proof, SenderProof::LiveSession);
                found.push((message.sender, message.text().expect("a text").to_owned()));
            }
            messages.close().await.expect("it is acknowledged");
            found.pop();
            assert_eq!(found, story);
        }
    }

    pub fn bot(&self) -> UserId {
        self.bot
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn address(&self) -> SocketAddr {
        self.gateway.address()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Stops the gateway, which insists that it ends in good order.
    pub fn close(self) {
        self.gateway.stop();
    }
}

/// Runs the people's side to its end, which must come in time.
pub fn play<T>(people: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build();
    runtime.expect("a runtime").block_on(in_time(people))
}

/// The same, for those who have a runtime.
pub async fn in_time<T>(people: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, people).await.expect("all comes in time")
}
