//! The pages for people, in a real browser against a gateway that listens.

mod boxes;
mod letters;
mod looks;
mod owner;
mod refusals;
mod vectors;

use serde_json::json;

use crate::harness::TestApp;
use crate::harness::browser::{Browser, Page, Visitor};

const PASSPHRASE: &str = "vier ungleiche Wörter, 鍵";

/// A gateway that serves the pages, and a browser.
struct Stage {
    app: TestApp,
    /// Where the gateway is, for a browser.
    origin: String,
    browser: Browser,
}

impl Stage {
    async fn open() -> Self {
        let app = TestApp::start_with(|config| config.dialects.keyservice.enabled = true).await;
        let origin = format!("http://{}", app.socket_address().await);
        Self { app, origin, browser: Browser::start().await }
    }

    async fn visitor(&self) -> Visitor {
        self.browser.visitor().await
    }

    /// Somebody with a page of this gateway, which is ready.
    async fn person_at(&self, path: &str) -> (Visitor, Page) {
        let visitor = self.visitor().await;
        let page = self.visits(&visitor, &format!("{}{path}", self.origin)).await;
        (visitor, page)
    }

    async fn visits(&self, visitor: &Visitor, url: &str) -> Page {
        let page = visitor.opens(url).await;
        page.sees("document.documentElement.dataset.ready").await;
        page
    }

    /// Somebody who has made a box: at the page of the box, with its link.
    async fn owner(&self) -> Owner {
        let (visitor, page) = self.person_at("/keyservice").await;
        let link = makes_box(&page, PASSPHRASE).await;
        page.presses("#created-go").await;
        page.sees("!document.getElementById('box-parts').hidden").await;
        Owner { visitor, page, link }
    }

    /// Insists that the page has asked nobody but this gateway, and complained of nothing.
    fn insists_on_peace(&self, page: &Page) {
        assert_eq!(page.problems(), [] as [serde_json::Value; 0]);
        for request in page.requests() {
            let address = request.split(' ').nth(1).unwrap();
            let is_own = address.starts_with(&format!("{}/", self.origin));
            assert!(is_own || address.starts_with("blob:"), "{request}");
        }
    }
}

/// Whose box it is.
struct Owner {
    visitor: Visitor,
    page: Page,
    link: String,
}

impl Owner {
    fn token(&self) -> &str {
        self.link.split_once('#').unwrap().1
    }

    async fn opens_the_box(&self, passphrase: &str) {
        self.page.fills("#read-passphrase", passphrase).await;
        self.page.presses("#read-form button").await;
    }
}

/// Makes a box with the page's form and returns its link.
async fn makes_box(page: &Page, passphrase: &str) -> String {
    page.fills("#create-passphrase", passphrase).await;
    page.fills("#create-again", passphrase).await;
    page.presses("#create-form button").await;
    page.reads("#created-link", "/keyservice#").await;
    page.text("#created-link").await
}

async fn sends_text(page: &Page, text: &str) {
    page.fills("#write-text", text).await;
    page.presses("#write-form button").await;
    page.reads("#write-form .status", "Sent.").await;
}

/// Has every request of the page go where `change` says, a JavaScript function of address and
/// options: what a gateway would do that lies, or that has another idea of a page's length.
async fn bends_requests(page: &Page, change: &str) {
    let bend = "const real = window.fetch.bind(window);";
    let to = format!("window.fetch = (url, options) => real(...({change})(url, options));");
    page.evaluates(&format!("{{ {bend} {to} }}")).await;
}

/// Follows a link within the page.
async fn follows(page: &Page, fragment: &str) {
    page.applies("(fragment) => { location.hash = fragment; }", &json!(fragment)).await;
}
