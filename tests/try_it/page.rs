//! The page in headless Chromium, beside the real program: two people in a window each.
//!
//! What it looks like is kept as pictures, `tmp/artefacts/try-….png` in the build's folder.

use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::browser::{Browser, Page, Visitor};
use crate::program::Program;

/// A gateway with the page, and a browser.
struct Stage {
    origin: String,
    browser: Browser,
    program: Program,
    _folder: TempDir,
}

/// Somebody at a window.
struct Person {
    page: Page,
    visitor: Visitor,
}

impl Stage {
    async fn open() -> Self {
        Self::open_below("").await
    }

    /// The same, with the bot API below a path.
    async fn open_below(prefix: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = [
            ("SEALPOST_CONSOLE__TRY_IT", "true"),
            ("SEALPOST_DIALECTS__MIXIN__PATH_PREFIX", prefix),
        ];
        let program = Program::serve_with(&folder.path().join("data"), "127.0.0.1:0", &settings);
        let origin = format!("http://{}", program.address());
        Self { origin, browser: Browser::start().await, program, _folder: folder }
    }

    /// Somebody who has opened the page, before the door.
    async fn visitor(&self) -> Person {
        let visitor = self.browser.visitor().await;
        let page = visitor.opens(&format!("{}/try", self.origin)).await;
        page.uses_screen(1440, 900, "light").await;
        page.sees("document.documentElement.dataset.ready").await;
        Person { page, visitor }
    }

    /// Somebody who came in under a name.
    async fn person(&self, name: &str) -> Person {
        let person = self.visitor().await;
        person.page.fills("#guest-name", name).await;
        person.page.types("Enter").await;
        person.page.reads("#me-name", name).await;
        person
    }

    /// Insists that nobody's page has asked anybody but this gateway, or complained of anything,
    /// and that the gateway ends in good order.
    fn ends_in_peace(self, people: &[&Person]) {
        for person in people {
            assert_eq!(person.page.problems(), [] as [Value; 0]);
            for request in person.page.requests() {
                let address = request.split(' ').nth(1).unwrap();
                assert!(address.starts_with(&format!("{}/", self.origin)), "{request}");
            }
        }
        self.program.stop();
    }
}

impl Person {
    /// Turns to somebody who is here.
    async fn turns_to(&self, name: &str) {
        let press = "((name) => [...document.querySelectorAll('#people button')].some((button) => \
                     button.textContent.startsWith(name) && (button.click(), true)))";
        self.page.sees(&format!("{press}({})", json!(name))).await;
        self.page.reads("#text-label", &format!("Write to {name}")).await;
    }

    /// Sends a text, and waits until it is stored.
    async fn sends(&self, text: &str) {
        self.page.fills("#text", text).await;
        self.page.types("Enter").await;
        let is_stored = "((text) => [...document.querySelectorAll('.message.own')].some((message) => \
                         message.querySelector('.text').textContent === text && \
                         message.querySelector('.state').textContent === '✓ stored for 1 device'))";
        self.page.sees(&format!("{is_stored}({})", json!(text))).await;
    }

    async fn reads(&self, text: &str) {
        self.page.reads(".message.other .text", text).await;
    }

    async fn signs_in_again(&self) {
        let before = self.page.text("#me-session").await;
        self.page.presses("#again").await;
        self.page.reads(".step.signed-in .title", "You signed in again").await;
        assert_ne!(self.page.text("#me-session").await, before);
    }

    /// What happened to the last message that this person sent, step by step.
    async fn story_of_the_last(&self) -> Value {
        let script = "(() => { const ids = [...document.querySelectorAll('#steps .step.sealed')]\
                      .map((step) => step.dataset.about); const last = ids.at(-1); \
                      return [...document.querySelectorAll('#steps .step')]\
                      .filter((step) => step.dataset.about === last)\
                      .map((step) => step.classList[1]); })()";
        self.page.evaluates(script).await
    }

    /// Keeps what is on the screen.
    async fn is_photographed(&self, name: &str) {
        let name = PathBuf::from(format!("artefacts/try-{name}.png"));
        self.page.keeps_picture(&name).await;
    }
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn two_windows_talk_and_one_meets_a_stale_list_when_the_other_signs_in_again() {
    let stage = Stage::open().await;
    let door = stage.visitor().await;
    door.is_photographed("door").await;
    let (anna, ben) = (stage.person("Anna").await, stage.person("Ben").await);

    // To the bot, which answers.
    anna.turns_to("Echo").await;
    anna.sends("good morning, Grüße, 世界 👋").await;
    anna.reads("good morning, Grüße, 世界 👋").await;
    // To the other window, and back.
    anna.turns_to("Ben").await;
    anna.sends("hello Ben, this is Anna").await;
    ben.turns_to("Anna").await;
    ben.reads("hello Ben, this is Anna").await;
    ben.sends("hello Anna").await;
    anna.reads("hello Anna").await;
    let plain = json!(["looked-up", "sealed", "stored"]);
    assert_eq!(ben.story_of_the_last().await, plain);
    anna.is_photographed("talk").await;

    // Anna signs in again; Ben does not know yet.
    anna.signs_in_again().await;
    ben.sends("are you still there?").await;
    anna.reads("are you still there?").await;
    let refreshed = json!(["looked-up", "sealed", "refused", "fresh", "sealed", "stored"]);
    assert_eq!(ben.story_of_the_last().await, refreshed);
    ben.page.reads(".step.refused .title", "Refused: the list is stale").await;
    ben.page.reads(".step.sealed .title", "Sealed again for 1 device").await;
    ben.page.reads(".exchange .verdict", "stale sessions").await;
    let sums = "[...document.querySelectorAll('.step.refused dd')].map((sum) => sum.textContent)";
    let sums = ben.page.evaluates(sums).await;
    let (sent, now) = (sums[0].as_str().unwrap(), sums[1].as_str().unwrap());
    assert_ne!(sent, now);
    ben.page.reads(".exchange dd", sent).await;
    ben.page.reads(".exchange dd", now).await;
    anna.is_photographed("signed-in-again").await;
    ben.is_photographed("stale").await;

    // Whoever learned it once knows it.
    ben.sends("good").await;
    assert_eq!(ben.story_of_the_last().await, plain);
    // The bot finds the new key on Anna's list.
    anna.turns_to("Echo").await;
    anna.sends("and you?").await;
    anna.reads("and you?").await;
    stage.ends_in_peace(&[&anna, &ben, &door]);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn what_the_gateway_sees_is_sealed_and_each_text_leads_to_it() {
    let stage = Stage::open().await;
    let anna = stage.person("Anna").await;
    anna.turns_to("Echo").await;
    anna.sends("the cat sleeps at noon").await;
    anna.reads("the cat sleeps at noon").await;
    anna.page.reads(".exchange .verdict", "deleted").await;
    let seen = anna.page.text("#exchanges").await;
    assert!(seen.contains("ENCRYPTED_TEXT") && seen.contains("recipient_sessions"), "{seen}");
    assert!(!seen.contains("the cat sleeps"), "{seen}");
    // All that was asked stands there, but for who is here and what waits.
    let shown = anna.page.evaluates("document.querySelectorAll('.exchange').length").await;
    let asked = anna.page.requests();
    let asked = asked.iter().filter(|request| request.starts_with("POST")).count();
    assert!(shown.as_u64().unwrap() >= asked as u64, "{shown} of {asked}");

    anna.page.presses(".message.own .link").await;
    anna.page.reads(".exchange.pointed-at .what", "POST /encrypted_messages").await;
    anna.page.presses(".exchange.pointed-at summary").await;
    anna.page.reads(".exchange.pointed-at .request", "\"data_base64\"").await;
    anna.is_photographed("whole-request").await;
    stage.ends_in_peace(&[&anna]);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_reload_keeps_the_person_and_whoever_leaves_is_gone() {
    let stage = Stage::open().await;
    let (anna, ben) = (stage.person("Anna").await, stage.person("Ben").await);
    let session = anna.page.text("#me-session").await;
    anna.page.goes_to(&format!("{}/try", stage.origin)).await;
    anna.page.reads("#me-name", "Anna").await;
    assert_eq!(anna.page.text("#me-session").await, session);
    anna.turns_to("Ben").await;
    anna.sends("still me").await;
    ben.turns_to("Anna").await;
    ben.reads("still me").await;

    anna.page.presses("#leave").await;
    anna.page.sees("document.getElementById('door')?.checkVisibility()").await;
    ben.page.fills("#text", "are you there?").await;
    ben.page.types("Enter").await;
    ben.page.reads(".message.own .state", "Anna").await;
    ben.page.reads(".step.trouble .title", "Anna").await;
    stage.ends_in_peace(&[&anna, &ben]);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_window_that_the_browser_copied_is_nobody_as_long_as_the_first_is_open() {
    let stage = Stage::open().await;
    let anna = stage.person("Anna").await;
    let address = format!("{}/try", stage.origin);
    let copy = anna.visitor.opens(&address).await;
    let kept = anna.page.evaluates("sessionStorage.getItem('sealpost try')").await;
    copy.applies("(kept) => sessionStorage.setItem('sealpost try', kept)", &kept).await;
    copy.goes_to(&address).await;
    copy.sees("document.documentElement.dataset.ready").await;
    assert!(copy.shows("#door").await && !copy.shows("#panels").await);
    assert_eq!(copy.evaluates("sessionStorage.length").await, 0);
    // The first one stays who it is.
    anna.turns_to("Echo").await;
    anna.sends("only one of me").await;
    stage.ends_in_peace(&[&anna]);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn the_page_finds_a_bot_api_that_is_below_a_path() {
    let stage = Stage::open_below("/mixin").await;
    let anna = stage.person("Anna").await;
    anna.turns_to("Echo").await;
    anna.sends("is this the way?").await;
    anna.reads("is this the way?").await;
    anna.page.reads(".exchange .what", "POST /mixin/encrypted_messages").await;
    stage.ends_in_peace(&[&anna]);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn the_page_fits_a_phone_and_a_dark_room_and_names_all_that_can_be_pressed() {
    let stage = Stage::open().await;
    let anna = stage.person("Anna").await;
    anna.turns_to("Echo").await;
    anna.sends("good night").await;
    anna.reads("good night").await;
    anna.page.uses_screen(1440, 900, "dark").await;
    anna.is_photographed("dark").await;
    let dark = anna.page.evaluates("getComputedStyle(document.body).backgroundColor").await;
    anna.page.uses_screen(360, 740, "light").await;
    anna.page.sees("innerWidth === 360").await;
    let light = anna.page.evaluates("getComputedStyle(document.body).backgroundColor").await;
    assert_ne!(dark, light);
    let width = anna.page.evaluates("document.documentElement.scrollWidth").await;
    assert!(width.as_u64().unwrap() <= 360, "it is {width} wide");
    anna.is_photographed("phone").await;
    let nameless = "[...document.querySelectorAll('input, button, a, summary')].filter((field) => \
                    !(field.labels?.length || field.ariaLabel || field.textContent.trim()))\
                    .map((field) => field.outerHTML)";
    assert_eq!(anna.page.evaluates(nameless).await, json!([]));
    stage.ends_in_peace(&[&anna]);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn a_browser_without_x25519_is_told_what_is_needed() {
    let stage = Stage::open().await;
    let visitor = stage.visitor().await;
    let old = "(async () => { \
               SubtleCrypto.prototype.importKey = () => Promise.reject(new Error('unknown')); \
               const { requireBrowser } = await import('/try/keys.js'); \
               return requireBrowser().then(() => 'fine', (error) => error.message); })()";
    let said = visitor.page.evaluates(old).await;
    let said = said.as_str().unwrap();
    assert!(said.contains("Chrome or Edge 137, Firefox 130, Safari 17"), "{said}");
    stage.ends_in_peace(&[&visitor]);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn the_policy_stops_markup_and_other_hosts() {
    let stage = Stage::open().await;
    let visitor = stage.visitor().await;
    let markup = "try { document.body.innerHTML = '<p>'; 'written' } catch { 'refused' }";
    assert_eq!(visitor.page.evaluates(markup).await, "refused");
    // Nobody listens there; the policy speaks first.
    let other_host = "fetch('http://127.0.0.2:9/').then(() => 'asked', () => 'refused')";
    assert_eq!(visitor.page.evaluates(other_host).await, "refused");
    let said: String = visitor.page.problems().iter().map(ToString::to_string).collect();
    assert!(said.contains("connect-src"), "{said}");
    stage.program.stop();
}
