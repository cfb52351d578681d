//! The page of `sdk-examples/browser`, in a real browser, served beside the real program. Its forms stand
//! for the commands that people type elsewhere.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::broadcast::{self, Crowd};
use super::stage::{Stage, in_time};
use super::table::{self, Row};
use super::{echo, refresh, variable, vectors};
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
    async fn open(gateway: &str) -> Self {
        let server = Server::start(gateway);
        let browser = Browser::start().await;
        let visitor = browser.visitor().await;
        let page = visitor.opens(&server.url).await;
        page.sees("document.documentElement.dataset.ready").await;
        Self { page, _visitor: visitor, _browser: browser, server }
    }

    /// The same, with the keystore of the stage's bot.
    async fn with_keystore(stage: &Stage, gateway: &str) -> Self {
        let tab = Self::open(gateway).await;
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

    /// Has these files checked, and gives what is said of them.
    async fn checks(&self, files: &[PathBuf]) -> Vec<String> {
        let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
        self.page.chooses("#vectors-files", &files).await;
        self.submits("vectors").await;
        self.story("vectors").await
    }

    /// Sends a text to people, one id a line, and gives what is said of them.
    async fn broadcasts(&self, people: &str, text: &str) -> Vec<String> {
        self.page.fills("#broadcast-people", people).await;
        self.page.fills("#broadcast-text", text).await;
        self.submits("broadcast").await;
        self.story("broadcast").await
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
async fn a_page_does_what_every_language_does() {
    table::add(Row {
        language: "a browser",
        vectors: checks_vectors().await,
        echo: answers().await,
        broadcast: reaches_everybody().await,
        refresh: meets_a_new_device().await,
    });
}

/// Every vector holds, and whatever is changed is noticed, by the file that it was done to.
async fn checks_vectors() -> String {
    let stage = Stage::open();
    let tab = Tab::open(&stage.url()).await;
    let said = tab.checks(&vectors::files()).await;
    assert_eq!(said, [format!("{} vectors hold", vectors::number())]);
    let wrong = vectors::everything_wrong();
    for one in &wrong {
        let copy = one.copy();
        let entries = fs::read_dir(copy.path().join("vectors")).expect("a folder");
        let files: Vec<_> = entries.map(|entry| entry.expect("a file").path()).collect();
        let said = tab.checks(&files).await.concat();
        let is_noticed = said.starts_with("failed: ") && said.contains(one.file);
        assert!(is_noticed, "not noticed: {}: {}: {said}", one.file, one.what);
    }
    tab.insists_on_peace();
    stage.close();
    vectors::in_the_table(vectors::number(), wrong.len())
}

/// Every text is answered, until somebody presses the button.
async fn answers() -> String {
    let stage = Stage::open();
    let tab = Tab::with_keystore(&stage, &stage.url()).await;
    tab.submits("echo").await;
    tab.says("echo", "ready").await;
    let devices = stage.person("anna", 2);
    let texts = in_time(echo::talk(&stage, &devices)).await;
    let answered = format!("{} delivered\n", devices[0].user_id).repeat(texts);
    tab.says("echo", &answered).await;
    tab.page.presses("#echo-stop").await;
    tab.says("echo", "stopped").await;
    tab.insists_on_peace();
    stage.close();
    echo::in_the_table(texts)
}

/// A device that the page has not heard of gets the text too: one that comes just before the text,
/// and one that comes before the next.
async fn reaches_everybody() -> String {
    let mut crowd = Crowd::gather();
    let tab = Tab::with_keystore(&crowd.stage, &crowd.url).await;
    let (anna, ben) = (crowd.anna[0].user_id, crowd.ben[0].user_id);
    let said = tab.broadcasts(&crowd.people(), broadcast::TEXT).await;
    assert_eq!(said, [vec![format!("{ben} stale: 1 -> 2")], crowd.lines()].concat());
    in_time(crowd.have_read()).await;

    let tablet = Stage::sign_in(&crowd.stage.data(), anna);
    let said = tab.broadcasts(&format!("{anna}\n{ben}"), "second").await;
    let stale = format!("{anna} stale: 2 -> 3");
    assert_eq!(said, [stale, format!("{anna} delivered"), format!("{ben} delivered")]);
    let done = crowd.in_the_table();
    crowd.anna.push(tablet);
    in_time(async {
        crowd.stage.finds(&crowd.anna, &["second"]).await;
        crowd.stage.finds(&crowd.ben, &["second"]).await;
    })
    .await;
    tab.insists_on_peace();
    crowd.stage.close();
    done
}

/// A list that is old is met once when a device has come.
async fn meets_a_new_device() -> String {
    let stage = Stage::open();
    let tab = Tab::with_keystore(&stage, &stage.url()).await;
    let phone = stage.person("anna", 1).remove(0);
    let user = phone.user_id;
    tab.page.fills("#refresh-user", &user.to_string()).await;
    tab.submits("refresh").await;
    tab.says("refresh", refresh::STORY[0]).await;
    let tablet = Stage::sign_in(&stage.data(), user);
    tab.page.presses("#refresh-again").await;
    assert_eq!(tab.story("refresh").await, refresh::STORY);
    in_time(refresh::both_have_read(&stage, phone, tablet)).await;
    tab.insists_on_peace();
    stage.close();
    refresh::IN_THE_TABLE.to_owned()
}
