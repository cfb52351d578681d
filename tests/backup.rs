//! Backup, restore and upgrade, by the commands of `docs/backup.md` and `docs/upgrading.md`, on both
//! databases: what waited waits again, and what happened since is as the page says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::Client;
use sealpost::sdk::client::{Bot, Message, Text};
use sealpost::sdk::ids::{MessageId, UserId};
use sealpost::sdk::keystore::Keystore;
use serde_json::{Value, json};

use crate::harness::postgres;
use crate::markdown;
use crate::program::{self, Program};
use crate::shell::Shell;

/// What is run of the pages.
pub const SECTIONS: [(&str, &str); 3] = [
    ("docs/backup.md", "## The file"),
    ("docs/backup.md", "## PostgreSQL"),
    ("docs/upgrading.md", "## Doing it"),
];

/// Everything that keeps something is switched on.
const ALL: [(&str, &str); 2] = [
    ("SEALPOST_DIALECTS__TEXTSECURE__ENABLED", "true"),
    ("SEALPOST_DIALECTS__KEYSERVICE__ENABLED", "true"),
];

/// A gateway on a machine whose folders are below the shell's.
struct Machine {
    shell: Shell,
    gateway: Option<Program>,
    /// Of a server, when the database is on one.
    database: Option<String>,
    http: Client,
}

impl Machine {
    fn new(database: Option<String>) -> Self {
        let mut shell = Shell::new();
        shell.replace_owner();
        shell.replace("/var/lib/sealpost", shell.path("data"));
        shell.replace("/var/backups/sealpost", shell.path("backup"));
        shell.replace("target/release/sealpost", env!("CARGO_BIN_EXE_sealpost"));
        shell.replace("/usr/local/bin", shell.path("bin"));
        if let Some(url) = &database {
            shell.set("SEALPOST_DATABASE__URL", url);
        }
        // The tests' own client speaks no TLS here, and asks for somebody who could all the same.
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let http = Client::builder().no_proxy().build().expect("a client");
        let mut machine = Self { shell, gateway: None, database, http };
        machine.start();
        machine
    }

    fn data(&self) -> PathBuf {
        self.shell.path("data")
    }

    fn start(&mut self) {
        let mut settings: Vec<(&str, &str)> = ALL.to_vec();
        settings.extend(self.database.as_deref().map(|url| ("SEALPOST_DATABASE__URL", url)));
        let gateway = Program::serve_with(&self.data(), "127.0.0.1:0", &settings);
        self.gateway = Some(gateway);
    }

    fn stop(&mut self) {
        self.gateway.take().expect("it runs").stop();
    }

    fn url(&self) -> String {
        format!("http://{}", self.gateway.as_ref().expect("it runs").address())
    }

    /// Runs a block of a page, starting and stopping the gateway where it says so.
    fn follows(&mut self, block: &str) -> String {
        let mut printed = String::new();
        for command in markdown::commands(block) {
            match command.as_str() {
                "systemctl stop sealpost" => self.stop(),
                "systemctl start sealpost" => self.start(),
                command => printed.push_str(&self.shell.run(command)),
            }
        }
        printed
    }

    /// A token with which the inbox of a device can be read.
    fn reader(&self, name: &str) -> String {
        let file = self.shell.path(&format!("{name}/device-1.json"));
        let file = file.to_str().expect("a path in Unicode");
        let arguments = ["bot", "token", "--keystore", file, "--scopes", "receive"];
        let printed = program::run(&self.data(), &arguments).stdout;
        String::from_utf8(printed).expect("a token").trim().to_owned()
    }

    fn client(&self, keystore: &Keystore) -> Bot {
        Bot::builder(keystore.clone()).base_url(self.url()).build().expect("a client")
    }

    async fn sends(
        &self,
        bot: &Keystore,
        to: &UserId,
        text: &str,
        id: Option<MessageId>,
    ) -> MessageId {
        let message = Message::to(to, Text::new(text));
        let message = id.into_iter().fold(message, Message::with_id);
        let sent = self.client(bot).send_message(message).await.expect("an answer");
        assert!(sent.outcome.is_delivered(), "{sent:?}");
        sent.message_id
    }

    /// The ids of the messages that wait for a reader; they are held for it for a minute then.
    async fn inbox(&self, reader: &str) -> Result<Vec<String>, u16> {
        let asked = self.http.get(format!("{}/inbox", self.url())).bearer_auth(reader).send().await;
        let answer = asked.expect("an answer");
        if answer.status() != 200 {
            return Err(answer.status().as_u16());
        }
        let body: Value = answer.json().await.expect("JSON");
        let messages = body["data"].as_array().expect("messages");
        let id = |message: &Value| message["message_id"].as_str().expect("an id").to_owned();
        Ok(messages.iter().map(id).collect())
    }

    async fn acknowledges(&self, reader: &str, ids: &[String]) {
        let body: Vec<_> =
            ids.iter().map(|id| json!({"message_id": id, "status": "DELIVERED"})).collect();
        let url = format!("{}/acknowledgements", self.url());
        let sent = self.http.post(url).bearer_auth(reader).json(&body).send().await;
        assert_eq!(sent.expect("an answer").status(), 200);
    }
}

/// Follows a section from a backup to a restore, with a life in between.
async fn loses_what_the_page_says(machine: &mut Machine, backup: &str, restore: &[&str]) {
    let data = machine.data();
    let bot = program::create_bot(&data, "echo");
    let ada = program::create_user(&data, "ada", 1).remove(0).user_id;
    let reader = machine.reader("ada");
    let first = machine.sends(&bot, &ada, "first", None).await.to_string();
    let second = machine.sends(&bot, &ada, "second", None).await.to_string();
    let printed = machine.follows(backup);
    assert!(printed.contains("ok\n") || printed.contains("TABLE DATA"), "{printed}");

    // Life goes on: what waited is read, something new comes, somebody signs up.
    let waited = machine.inbox(&reader).await.expect("a reader");
    assert_eq!(waited, [first.clone(), second.clone()]);
    machine.acknowledges(&reader, &waited).await;
    let third = machine.sends(&bot, &ada, "third", None).await;
    program::create_user(&data, "late", 1);
    let late = machine.reader("late");
    assert_eq!(machine.inbox(&late).await, Ok(Vec::new()));

    let key = fs::read(data.join("vault.key")).expect("the key of the vault");
    for block in restore {
        machine.follows(block);
    }
    assert_eq!(fs::read(data.join("vault.key")).expect("it came back"), key);

    // What waited then waits again; what came since is gone, and so is who came since.
    assert_eq!(machine.inbox(&reader).await, Ok(vec![first, second]));
    assert_eq!(machine.inbox(&late).await, Err(401));
    // Its id is forgotten: the sender sends it again, and it arrives.
    let again = machine.sends(&bot, &ada, "third", Some(third)).await;
    assert_eq!(machine.inbox(&reader).await, Ok(vec![again.to_string()]));
    machine.stop();
}

#[tokio::test]
#[ignore = "needs sqlite3, which scripts/test.sh installs"]
async fn what_waited_in_the_file_waits_after_a_restore() {
    let (page, heading) = SECTIONS[0];
    let blocks = markdown::commands_below(&markdown::read(page), heading);
    let [backup, restore] = blocks.as_slice() else { panic!("{} blocks", blocks.len()) };
    let mut machine = Machine::new(None);
    loses_what_the_page_says(&mut machine, backup, &[restore.as_str()]).await;
    assert!(machine.shell.path("data.before/sealpost.db").exists(), "the old one was put aside");
}

#[tokio::test]
#[ignore = "needs a PostgreSQL server, which scripts/test.sh starts"]
async fn what_waited_on_a_server_waits_after_a_restore() {
    let (page, heading) = SECTIONS[1];
    let blocks = markdown::commands_below(&markdown::read(page), heading);
    let [backup, restore, start] = blocks.as_slice() else { panic!("{} blocks", blocks.len()) };
    let server = Server::of_the_tests();
    server.runs(&format!("CREATE DATABASE {}", server.name("sealpost")));
    let mut machine = Machine::new(Some(server.url("sealpost")));
    server.set_in(&mut machine.shell);
    // Both blocks of the restore, with what the words between them say: the URL ends otherwise.
    machine.shell.replace("sealpost_restored", server.name("sealpost_restored"));
    machine.database = Some(server.url("sealpost_restored"));
    loses_what_the_page_says(&mut machine, backup, &[restore.as_str(), start.as_str()]).await;
    for database in ["sealpost", "sealpost_restored"] {
        server.runs(&format!("DROP DATABASE {}", server.name(database)));
    }
}

#[tokio::test]
async fn a_new_version_goes_on_with_the_old_ones_messages() {
    let (page, heading) = SECTIONS[2];
    let blocks = markdown::commands_below(&markdown::read(page), heading);
    let mut machine = Machine::new(None);
    let data = machine.data();
    let bot = program::create_bot(&data, "echo");
    let ada = program::create_user(&data, "ada", 1).remove(0).user_id;
    let reader = machine.reader("ada");
    let first = machine.sends(&bot, &ada, "first", None).await.to_string();
    let printed = machine.follows(&blocks[0]);
    assert!(printed.contains("opens, is up to date, and answers"), "{printed}");
    assert!(printed.ends_with("ready\n"), "{printed}");
    assert_eq!(machine.inbox(&reader).await, Ok(vec![first]));
    machine.stop();
}

/// The server of the tests, with databases of this test's own.
pub struct Server {
    /// `postgres://user:password@host:port`.
    base: String,
}

impl Server {
    pub fn of_the_tests() -> Self {
        let url = postgres::server();
        let (base, _) = url.rsplit_once('/').expect("a URL with a database");
        Self { base: base.to_owned() }
    }

    /// What a database is called here.
    pub fn name(&self, name: &str) -> String {
        format!("{name}_{}", std::process::id())
    }

    /// Where it is.
    pub fn url(&self, name: &str) -> String {
        format!("{}/{}", self.base, self.name(name))
    }

    /// The programs of this server's version, which ask this server.
    pub fn set_in(&self, shell: &mut Shell) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/postgres.sh");
        let found = Command::new(script).arg("find").output().expect("a script");
        let folder = String::from_utf8(found.stdout).expect("a folder");
        let folder = folder.trim();
        for name in ["createdb", "pg_dump", "pg_restore", "psql"] {
            shell.install(name, &format!("exec '{folder}/{name}' \"$@\""));
        }
        let parts = self.base.strip_prefix("postgres://").and_then(|rest| rest.split_once('@'));
        let ((user, password), (host, port)) = parts
            .and_then(|(account, place)| Some((account.split_once(':')?, place.split_once(':')?)))
            .expect("a URL with all parts");
        for (name, value) in
            [("PGUSER", user), ("PGPASSWORD", password), ("PGHOST", host), ("PGPORT", port)]
        {
            shell.set(name, value);
        }
    }

    /// Runs a statement that is in no transaction.
    pub fn runs(&self, statement: &str) {
        let mut shell = Shell::new();
        self.set_in(&mut shell);
        shell.run(&format!("psql --quiet --dbname=postgres --command='{statement}'"));
    }
}
