//! The page of `sdk-examples/browser`, in a real browser, served beside the real program.
//!
//! It is no row of the table, since nobody types its commands: the forms of the page stand for them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sealpost::sdk::client::Text;
use serde_json::Value;

use super::stage::Stage;
use super::{variable, vectors};
use crate::harness::browser::{Browser, Page, Visitor};

/// `serve.js`, which has the page and the gateway at one origin.
struct Server {
    child: Child,
    /// Where the page is.
    url: String,
}

impl Server {
    fn start(gateway: &str) -> Self {
        let mut child = Command::new(variable("SEALPOST_NODE"))
            .arg(Path::new(&variable("SEALPOST_EXAMPLES_NODE")).join("build/browser/serve.js"))
            .arg(gateway)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut url = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut url).expect("the server says where the page is");
        Self { child, url: url.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A tab with the page, beside a gateway.
struct Tab {
    page: Page,
    _visitor: Visitor,
    _browser: Browser,
    server: Server,
}

impl Tab {
    async fn open(stage: &Stage) -> Self {
        let server = Server::start(&stage.url());
        let browser = Browser::start().await;
        let visitor = browser.visitor().await;
        let page = visitor.opens(&server.url).await;
        page.sees("document.documentElement.dataset.ready").await;
        Self { page, _visitor: visitor, _browser: browser, server }
    }

    /// The same, with the keystore of the stage's bot.
    async fn with_keystore(stage: &Stage) -> Self {
        let tab = Self::open(stage).await;
        tab.page.chooses("#keystore-file", &[&stage.folder().join("bot.json")]).await;
        tab.submits("keystore").await;
        tab.says("keystore", &format!("bot {}", stage.bot())).await;
        tab
    }

    async fn submits(&self, form: &str) {
        self.page.presses(&format!("#{form} [type=submit]")).await;
    }

    /// Waits until a form says `text`.
    async fn says(&self, form: &str, text: &str) {
        self.page.reads(&format!("#{form} output"), text).await;
    }

    /// Waits until a form is through, and gives all that it has said.
    async fn story(&self, form: &str) -> Vec<String> {
        self.page.sees(&format!("!document.querySelector('#{form} fieldset').disabled")).await;
        let text = self.page.text(&format!("#{form} output")).await;
        text.lines().map(str::to_owned).collect()
    }

    /// Insists that the page has asked nobody but its own origin, and complained of nothing.
    fn insists_on_peace(self) {
        assert_eq!(self.page.problems(), [] as [Value; 0]);
        let origin = self.server.url.strip_suffix("example/").expect("the path of the page");
        for request in self.page.requests() {
            let address = request.split(' ').nth(1).expect("an address");
            assert!(address.starts_with(origin), "{request}");
        }
    }
}

#[tokio::test]
#[ignore = "needs Node.js, npm packages and Chromium, which scripts/test.sh installs"]
async fn every_vector_holds_in_a_browser_and_a_changed_one_does_not() {
    let stage = Stage::open();
    let tab = Tab::open(&stage).await;
    let files = vectors::files();
    let mut files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    tab.page.chooses("#vectors-files", &files).await;
    tab.submits("vectors").await;
    assert_eq!(tab.story("vectors").await, [format!("{} vectors hold", vectors::number())]);

    let place = files.iter().position(|file| file.ends_with("checksum.json")).expect("the file");
    let changed = stage.folder().join("checksum.json");
    let text = fs::read_to_string(files[place]).expect("a readable file");
    let text = text.replacen(r#""checksum": "0243"#, r#""checksum": "0244"#, 1);
    fs::write(&changed, text).expect("a writable folder");
    files[place] = &changed;
    tab.page.chooses("#vectors-files", &files).await;
    tab.submits("vectors").await;
    let said = tab.story("vectors").await.concat();
    assert!(said.starts_with("failed: checksum.json: "), "{said}");
    tab.insists_on_peace();
    stage.close();
}

#[tokio::test]
#[ignore = "needs Node.js, npm packages and Chromium, which scripts/test.sh installs"]
async fn a_page_answers_every_text() {
    let stage = Stage::open();
    let tab = Tab::with_keystore(&stage).await;
    tab.submits("echo").await;
    tab.says("echo", "ready").await;
    let devices = stage.person("anna", 2);
    let texts = ["is anybody there?", "Grüße, 世界 👋", "<&>\"\\\u{7f}\n"];
    let phone = stage.client(&devices[0]);
    for text in texts {
        let sent = phone.send(&stage.bot(), Text::new(text)).await.expect("an answer");
        assert!(sent.outcome.is_delivered(), "{sent:?}");
    }
    let answered = format!("{} delivered\n", phone.user_id()).repeat(texts.len());
    tab.says("echo", &answered).await;
    stage.finds(&devices, &texts).await;
    tab.page.presses("#echo-stop").await;
    tab.says("echo", "stopped").await;
    tab.insists_on_peace();
    stage.close();
}

#[tokio::test]
#[ignore = "needs Node.js, npm packages and Chromium, which scripts/test.sh installs"]
async fn a_broadcast_reaches_a_device_that_the_page_has_not_heard_of() {
    let stage = Stage::open();
    let tab = Tab::with_keystore(&stage).await;
    let (anna, ben) = (stage.person("anna", 2), stage.person("ben", 1));
    let ids = [&anna, &ben].map(|devices| devices[0].user_id.to_string());
    let delivered = ids.each_ref().map(|user| format!("{user} delivered"));
    tab.page.fills("#broadcast-people", &ids.join("\n")).await;
    tab.page.fills("#broadcast-text", "first").await;
    tab.submits("broadcast").await;
    assert_eq!(tab.story("broadcast").await, delivered);

    let tablet = Stage::sign_in(&stage.data(), ben[0].user_id);
    tab.page.fills("#broadcast-text", "second").await;
    tab.submits("broadcast").await;
    let stale = [format!("{} stale: 1 -> 2", ids[1])];
    assert_eq!(tab.story("broadcast").await, [&stale[..], &delivered].concat());
    stage.finds(&anna, &["first", "second"]).await;
    stage.finds(&ben, &["first", "second"]).await;
    stage.finds(&[tablet], &["second"]).await;
    tab.insists_on_peace();
    stage.close();
}

#[tokio::test]
#[ignore = "needs Node.js, npm packages and Chromium, which scripts/test.sh installs"]
async fn a_page_meets_a_stale_list_once_when_a_device_has_come() {
    let stage = Stage::open();
    let tab = Tab::with_keystore(&stage).await;
    let phone = stage.person("anna", 1);
    let user = phone[0].user_id;
    tab.page.fills("#refresh-user", &user.to_string()).await;
    tab.submits("refresh").await;
    tab.says("refresh", "delivered").await;
    let tablet = Stage::sign_in(&stage.data(), user);
    tab.page.presses("#refresh-again").await;
    let story = ["delivered", "stale: 1 session -> 2 sessions", "delivered"];
    assert_eq!(tab.story("refresh").await, story);
    let both = ["Before anything has changed", "After a device has come"];
    stage.finds(&phone, &both).await;
    stage.finds(&[tablet], &both[1..]).await;
    tab.insists_on_peace();
    stage.close();
}
