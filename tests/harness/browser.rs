//! Headless Chromium, driven over the DevTools protocol as a person would use it.
//!
//! [`Browser`] is the program, [`Visitor`] one person's separate profile in it (cookies and
//! downloads of its own), [`Page`] a tab. Every wait has an end.

mod page;
mod wire;

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::time::timeout;

pub use page::Page;
use wire::Wire;

/// How long anything in the browser may take, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// What keeps it from talking to anybody but the test.
const ARGUMENTS: [&str; 16] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--metrics-recording-only",
    "--no-pings",
    "--remote-debugging-port=0",
];

/// The program, until it is dropped.
pub struct Browser {
    wire: Wire,
    child: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts the program of `SEALPOST_CHROMIUM` on a profile of its own.
    pub async fn start() -> Self {
        let program = std::env::var_os("SEALPOST_CHROMIUM")
            .expect("scripts/test.sh sets SEALPOST_CHROMIUM; run that, or set it");
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new(program)
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            // What it leaves behind goes with the profile.
            .env("TMPDIR", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Its helpers are ended with it.
            .process_group(0)
            .spawn()
            .expect("SEALPOST_CHROMIUM is the path of a program");
        let url = announced(&mut child);
        let url = timeout(PATIENCE, url).await.expect("Chromium starts").expect("Chromium listens");
        let wire = Wire::connect(&url).await;
        Self { wire, child, _profile: profile }
    }

    /// Somebody who shares nothing with the other visitors.
    pub async fn visitor(&self) -> Visitor {
        let context = self.wire.call(None, "Target.createBrowserContext", &json!({})).await;
        let context = context["browserContextId"].as_str().unwrap().to_owned();
        let downloads = tempfile::tempdir().unwrap();
        let arguments = json!({
            "behavior": "allow",
            "browserContextId": context,
            "downloadPath": downloads.path(),
            "eventsEnabled": true,
        });
        self.wire.call(None, "Browser.setDownloadBehavior", &arguments).await;
        Visitor { wire: self.wire.clone(), context, downloads }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// The address of the DevTools, which the program writes among its complaints; those are read to
/// their end, so that it is never held up by them.
fn announced(child: &mut Child) -> oneshot::Receiver<String> {
    let complaints = BufReader::new(child.stderr.take().expect("piped"));
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        let mut tell = Some(tell);
        for line in complaints.lines().map_while(Result::ok) {
            let url = line.strip_prefix("DevTools listening on ");
            if let Some((url, tell)) = url.and_then(|url| Some((url, tell.take()?))) {
                let _ = tell.send(url.to_owned());
            }
        }
    });
    told
}

/// One person's profile.
pub struct Visitor {
    wire: Wire,
    context: String,
    downloads: TempDir,
}

impl Visitor {
    /// Opens an address in a new tab and waits until its page is loaded.
    pub async fn opens(&self, url: &str) -> Page {
        let arguments = json!({ "url": "about:blank", "browserContextId": self.context });
        let target = self.wire.call(None, "Target.createTarget", &arguments).await;
        let arguments = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.wire.call(None, "Target.attachToTarget", &arguments).await;
        let session = session["sessionId"].as_str().unwrap().to_owned();
        let page = Page::new(self.wire.clone(), session);
        page.prepare().await;
        page.goes_to(url).await;
        page
    }

    /// The bytes of a file that this person saved under `name`, once it is whole.
    pub async fn downloaded(&self, name: &str) -> Vec<u8> {
        let begun = self
            .wire
            .event("the download begins", |event| {
                event["method"] == "Browser.downloadWillBegin"
                    && event["params"]["suggestedFilename"] == name
            })
            .await;
        let id = &begun["params"]["guid"];
        self.wire
            .event("the download is complete", |event| {
                event["method"] == "Browser.downloadProgress"
                    && event["params"]["guid"] == *id
                    && event["params"]["state"] == "completed"
            })
            .await;
        std::fs::read(self.downloads.path().join(name)).expect("the file that was saved")
    }
}
