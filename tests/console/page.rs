//! The console in a real browser, against a gateway that listens. Pictures of each view are left in
//! the build's folder.

use std::time::Duration;

use serde_json::json;

use super::world::{PASSWORD, sets_aside, start_with};
use crate::harness::browser::{Browser, Page, Visitor};
use crate::harness::{Actor, TestApp};

/// A gateway with a console, and a browser.
struct Stage {
    app: TestApp,
    origin: String,
    browser: Browser,
}

impl Stage {
    async fn open() -> Self {
        let app = start_with(|config| config.limits.inbox_messages = 9_000).await;
        let origin = format!("http://{}", app.socket_address().await);
        Self { app, origin, browser: Browser::start().await }
    }

    /// Somebody at the console, who has not logged in.
    async fn visits(&self) -> (Visitor, Page) {
        let visitor = self.browser.visitor().await;
        let page = visitor.opens(&format!("{}/console", self.origin)).await;
        page.uses_screen(1280, 1700, "light").await;
        page.sees("document.documentElement.dataset.ready").await;
        (visitor, page)
    }

    async fn operator(&self) -> (Visitor, Page) {
        let (visitor, page) = self.visits().await;
        logs_in(&page).await;
        (visitor, page)
    }

    /// Lets some minutes of a busy gateway pass.
    async fn is_busy(&self, bot: &Actor) {
        let bert = self.app.person("Bert", 2).await;
        let mut number = 1;
        for step in 0..60 {
            for _ in 0..=step % 7 {
                number += 1;
                bot.sends(&self.app, &bert, number, "news").await;
            }
            if step % 5 == 0 {
                let stale = bot.seal(bert.user, &bert.recipients()[..1], 250, "stale");
                bot.send(&self.app, &[stale]).await;
            }
            if step % 3 != 0 {
                self.app.clock.advance(Duration::from_millis(40));
                bert.devices[1].receives(&self.app).await;
            }
            self.app.clock.advance(Duration::from_secs(5));
            self.app.app().console().unwrap().figures.take().await;
        }
    }

    /// Insists that the page has asked nobody but this gateway, and complained of nothing.
    fn insists_on_peace(&self, page: &Page) {
        assert_eq!(page.problems(), [] as [serde_json::Value; 0]);
        for request in page.requests() {
            let address = request.split(' ').nth(1).unwrap();
            assert!(address.starts_with(&format!("{}/console", self.origin)), "{request}");
        }
    }
}

async fn logs_in(page: &Page) {
    page.fills("#login-password", PASSWORD).await;
    page.presses("#login-form button").await;
    page.reads("#overview h1", "Overview").await;
    page.reads("#tiles dt", "Sockets").await;
}

/// Presses a button of the switch, and says that it is meant.
async fn turns(page: &Page, button: &str) {
    page.presses(button).await;
    page.presses("#sure-yes").await;
}

async fn badge_says(page: &Page, words: &str) {
    page.sees(&format!("document.getElementById('mode').textContent === {}", json!(words))).await;
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn an_operator_logs_in_sees_a_stuck_inbox_sets_it_free_and_drains() {
    let stage = Stage::open().await;
    let (bot, anna) = (stage.app.bot("Evening news").await, stage.app.person("Anna", 2).await);
    sets_aside(&stage.app, &bot, &anna).await;
    stage.is_busy(&bot).await;
    let phone = &anna.devices[0];

    let (_visitor, page) = stage.visits().await;
    page.pictures("console-login").await;
    page.fills("#login-password", "not the password").await;
    page.presses("#login-form button").await;
    page.reads("#login-failure", "wrong").await;
    logs_in(&page).await;
    page.reads("#stuck", "Anna").await;
    page.sees("document.querySelectorAll('.plot canvas').length === 8").await;
    page.pictures("console-overview").await;

    page.presses("#stuck a").await;
    page.reads("#account-title", "Anna").await;
    page.reads("#account-sessions td", "without an acknowledgement").await;
    page.pictures("console-account").await;
    page.presses("button.again").await;
    page.sees("!document.querySelector('button.again')").await;
    let waiting = phone.get(&stage.app, "/inbox").await;
    assert!(!waiting.list().is_empty(), "it is delivered again");
    page.presses("#to-overview").await;
    page.reads("#stuck-none", "Nothing is set aside").await;

    turns(&page, "#read-only").await;
    badge_says(&page, "Read-only").await;
    let item = bot.seal(anna.user, &anna.recipients(), 251, "late");
    assert_eq!(bot.send(&stage.app, &[item]).await.status, 503);
    let mut socket = stage.app.socket(phone).await;
    turns(&page, "#drain").await;
    badge_says(&page, "Read-only, Draining").await;
    page.pictures("console-draining").await;
    assert_eq!(socket.closed().await, Some(1001));
    assert_eq!(phone.get(&stage.app, "/inbox").await.status, 503);
    turns(&page, "#drain").await;
    badge_says(&page, "Read-only").await;
    turns(&page, "#read-only").await;
    page.sees("document.getElementById('mode').hidden").await;
    assert_eq!(phone.get(&stage.app, "/inbox").await.status, 200);
    stage.insists_on_peace(&page);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn accounts_are_found_and_settings_shown_without_secrets() {
    let stage = Stage::open().await;
    stage.app.bot("Evening news").await;
    stage.app.person("Anna", 1).await;
    let (_visitor, page) = stage.operator().await;
    page.presses("#to-accounts").await;
    page.reads("#accounts-list", "Evening news").await;
    page.reads("#accounts-list", "Anna").await;
    page.pictures("console-accounts").await;
    page.fills("#accounts-search", "evening").await;
    page.presses("#accounts-form button").await;
    page.sees("document.querySelectorAll('#accounts-list tr').length === 1").await;
    page.presses("#to-settings").await;
    page.reads("#settings-list", "console.password").await;
    page.presses("#settings-changed").await;
    page.reads("#settings-list", "limits.inbox_messages").await;
    page.pictures("console-settings").await;
    let text = page.text("#settings-list").await;
    assert!(text.contains("(not shown)") && !text.contains(PASSWORD), "{text}");
    page.presses("#log-out").await;
    page.sees("!document.getElementById('login').hidden").await;
    page.goes_to(&format!("{}/console#accounts", stage.origin)).await;
    page.sees("!document.getElementById('login').hidden").await;
    stage.insists_on_peace(&page);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn every_view_fits_a_phone_and_is_dark_where_that_is_liked() {
    let stage = Stage::open().await;
    let (bot, anna) = (stage.app.bot("news").await, stage.app.person("Anna", 2).await);
    sets_aside(&stage.app, &bot, &anna).await;
    let (_visitor, page) = stage.operator().await;
    let color = "getComputedStyle(document.body).backgroundColor";
    let light = page.evaluates(color).await;
    page.uses_screen(360, 740, "dark").await;
    assert_ne!(page.evaluates(color).await, light);
    for (path, selector, text) in [
        ("", "#stuck", "Anna"),
        ("accounts", "#accounts-list", "Anna"),
        (&format!("accounts/{}", anna.user), "#account-sessions td", "without"),
        ("settings", "#settings-list", "console.password"),
    ] {
        page.applies("(path) => { location.hash = path; }", &json!(path)).await;
        page.reads(selector, text).await;
        let width = page.evaluates("document.documentElement.scrollWidth").await;
        assert!(width.as_u64().unwrap() <= 360, "{path} is {width} wide");
    }
    page.applies("(path) => { location.hash = path; }", &json!("")).await;
    page.reads("#stuck", "Anna").await;
    page.uses_screen(360, 1700, "dark").await;
    page.pictures("console-phone-dark").await;
    stage.insists_on_peace(&page);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn every_field_and_button_has_a_name_and_the_login_needs_no_mouse() {
    let stage = Stage::open().await;
    let (_visitor, page) = stage.visits().await;
    page.fills("#login-password", PASSWORD).await;
    page.types("Enter").await;
    page.reads("#overview h1", "Overview").await;
    page.sees("document.activeElement.id === 'overview-title'").await;
    let nameless = "[...document.querySelectorAll('input, select, button')].filter((field) => \
                    !(field.labels?.length || field.ariaLabel || field.textContent.trim() || \
                    field.closest('dialog'))).map((field) => field.id)";
    assert_eq!(page.evaluates(nameless).await, json!([]));
}
