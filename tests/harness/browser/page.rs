//! A tab: what a person sees in it and does to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::PATIENCE;
use super::wire::Wire;

/// Between two looks at the page.
const PAUSE: Duration = Duration::from_millis(20);

/// A tab of one visitor.
pub struct Page {
    wire: Wire,
    session: String,
}

impl Page {
    pub(super) fn new(wire: Wire, session: String) -> Self {
        Self { wire, session }
    }

    /// Has everything reported that [`Self::problems`] looks at.
    pub(super) async fn prepare(&self) {
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"] {
            self.call(&format!("{domain}.enable"), &json!({})).await;
        }
    }

    /// Goes to an address and waits until the page and its modules are loaded.
    pub async fn goes_to(&self, url: &str) {
        let loaded = self.loads();
        let answer = self.call("Page.navigate", &json!({ "url": url })).await;
        assert!(answer["errorText"].is_null(), "{url}: {}", answer["errorText"]);
        // Another fragment of the same page loads nothing.
        if answer["loaderId"].is_null() {
            return;
        }
        let next = async {
            while self.loads() == loaded {
                sleep(PAUSE).await;
            }
        };
        timeout(PATIENCE, next).await.unwrap_or_else(|_| panic!("{url} did not load"));
    }

    fn loads(&self) -> usize {
        self.reports("Page.loadEventFired").len()
    }

    /// The value of a JavaScript expression; a promise is waited for.
    pub async fn evaluates(&self, expression: &str) -> Value {
        let answer = self.try_evaluate(expression).await;
        answer.unwrap_or_else(|error| panic!("{expression}: {error}"))
    }

    /// The same, or why the browser did not look: the page was on its way to another one.
    async fn try_evaluate(&self, expression: &str) -> Result<Value, Value> {
        let arguments = json!({
            "expression": expression,
            "awaitPromise": true,
            "returnByValue": true,
            "userGesture": true,
        });
        let session = Some(self.session.as_str());
        let mut answer = self.wire.try_call(session, "Runtime.evaluate", &arguments).await?;
        let thrown = &answer["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown}");
        Ok(answer["result"]["value"].take())
    }

    /// What JavaScript makes of `argument` with the function `function`.
    pub async fn applies(&self, function: &str, argument: &Value) -> Value {
        self.evaluates(&format!("({function})({argument})")).await
    }

    /// Waits until a JavaScript expression is true.
    pub async fn sees(&self, expression: &str) {
        let seen = async {
            let expression = format!("Boolean({expression})");
            while self.try_evaluate(&expression).await != Ok(true.into()) {
                sleep(PAUSE).await;
            }
        };
        if timeout(PATIENCE, seen).await.is_err() {
            let page = self.evaluates("document.body.innerText").await;
            let picture = self.photographs().await;
            panic!(
                "never came true: {expression}\nthe page says: {page}\nit looks like {}",
                picture.display()
            );
        }
    }

    /// Waits until an element that can be seen says `text`.
    pub async fn reads(&self, selector: &str, text: &str) {
        let arguments = json!([selector, text]);
        self.sees(&format!(
            "(([selector, text]) => [...document.querySelectorAll(selector)].some((element) => \
             element.checkVisibility() && (element.value ?? element.innerText).includes(text)))\
             ({arguments})"
        ))
        .await;
    }

    /// The text of an element, or the value of a field.
    pub async fn text(&self, selector: &str) -> String {
        let function = "(selector) => { const element = document.querySelector(selector); \
                        return element.value ?? element.textContent; }";
        self.applies(function, &json!(selector)).await.as_str().unwrap().to_owned()
    }

    /// Whether an element can be seen.
    pub async fn shows(&self, selector: &str) -> bool {
        let function = "(selector) => document.querySelector(selector)?.checkVisibility() ?? false";
        self.applies(function, &json!(selector)).await == true
    }

    /// Writes into a field in the place of what is there, by the keyboard's way.
    pub async fn fills(&self, selector: &str, text: &str) {
        let function = "(selector) => { const field = document.querySelector(selector); \
                        field.focus(); field.select(); \
                        return document.activeElement === field; }";
        let is_ready = self.applies(function, &json!(selector)).await;
        assert_eq!(is_ready, true, "nobody can write into {selector}");
        self.call("Input.insertText", &json!({ "text": text })).await;
    }

    /// Presses something that can be seen and pressed, once it can.
    pub async fn presses(&self, selector: &str) {
        let selector = json!(selector);
        self.sees(&format!(
            "((selector) => {{ const element = document.querySelector(selector); \
             if (!element?.checkVisibility() || element.matches(':disabled')) return false; \
             element.click(); return true; }})({selector})"
        ))
        .await;
    }

    /// Presses Enter or Tab, where the focus is.
    pub async fn types(&self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            other => panic!("no such key here: {other}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let arguments = json!({
                "type": kind, "key": key, "code": key, "text": text,
                "windowsVirtualKeyCode": code,
            });
            self.call("Input.dispatchKeyEvent", &arguments).await;
        }
    }

    /// Chooses files in a field for files.
    pub async fn chooses(&self, selector: &str, files: &[&Path]) {
        let document = self.call("DOM.getDocument", &json!({ "depth": 0 })).await;
        let arguments = json!({ "nodeId": document["root"]["nodeId"], "selector": selector });
        let node = self.call("DOM.querySelector", &arguments).await;
        let arguments = json!({ "nodeId": node["nodeId"], "files": files });
        self.call("DOM.setFileInputFiles", &arguments).await;
    }

    /// Has the screen be so large, in CSS pixels, and light or dark.
    pub async fn uses_screen(&self, width: u32, height: u32, scheme: &str) {
        let arguments =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", &arguments).await;
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.call("Emulation.setEmulatedMedia", &json!({ "features": [feature] })).await;
    }

    /// Keeps what is on the screen, as a PNG file in the build's folder, for whoever looks for the
    /// cause of a failure.
    pub async fn photographs(&self) -> PathBuf {
        self.keeps_picture(Path::new(&format!("{}.png", self.session))).await
    }

    /// The same under a name of its own, as an artefact to look at.
    pub async fn keeps_picture(&self, name: &Path) -> PathBuf {
        let arguments = json!({ "format": "png", "captureBeyondViewport": true });
        let picture = self.call("Page.captureScreenshot", &arguments).await;
        let picture = BASE64_STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, picture).unwrap();
        path
    }

    /// Whatever the page complained about: uncaught errors, lines in the console, violations of its
    /// policy. Answers of the gateway that are not 2xx are no complaints of the page's, and neither
    /// is advice.
    pub fn problems(&self) -> Vec<Value> {
        let mut found = self.reports("Runtime.exceptionThrown");
        found.extend(self.reports("Runtime.consoleAPICalled"));
        let entries = self.reports("Log.entryAdded");
        found.extend(entries.into_iter().filter(|report| {
            let entry = &report["params"]["entry"];
            entry["source"] != "network" && entry["level"] != "verbose"
        }));
        let is_violation =
            |issue: &Value| issue["params"]["issue"]["code"] == "ContentSecurityPolicyIssue";
        found.extend(self.reports("Audits.issueAdded").into_iter().filter(is_violation));
        found
    }

    /// Everything that the page asked for, `METHOD URL`.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.reports("Network.requestWillBeSent");
        let written = requests.iter().map(|report| {
            let request = &report["params"]["request"];
            let text = |name: &str| request[name].as_str().unwrap().to_owned();
            format!("{} {}", text("method"), text("url"))
        });
        written.collect()
    }

    fn reports(&self, method: &str) -> Vec<Value> {
        self.wire.events(|event| event["method"] == method && event["sessionId"] == *self.session)
    }

    async fn call(&self, method: &str, arguments: &Value) -> Value {
        self.wire.call(Some(&self.session), method, arguments).await
    }
}
