//! The commands of the pages about phones and about HushNet, as somebody at a shell would type them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::Program;

/// A page with commands.
struct Page {
    /// Its file.
    file: &'static str,
    /// Where the commands begin.
    heading: &'static str,
    /// How many blocks of them there are, at least.
    blocks: usize,
    /// What the gateway of the page is set to.
    settings: &'static [(&'static str, &'static str)],
    /// What the commands print, among other things.
    prints: &'static [&'static str],
}

const PHONES: Page = Page {
    file: "docs/textsecure.md",
    heading: "## Two phones, with curl",
    blocks: 9,
    settings: &[("SEALPOST_DIALECTS__TEXTSECURE__ENABLED", "true")],
    prints: &[
        "\"keyId\":1,",
        "{\"needsSync\":false}",
        "{\"missingDevices\":[1],\"extraDevices\":[]}",
        "\"type\":5,",
        "HTTP/1.1 101 Switching Protocols",
        "good evening",
        "{\"missingDevices\":[2],\"extraDevices\":[]}",
    ],
};

const HUSHNET: Page = Page {
    file: "docs/hushnet.md",
    heading: "## Two members, with curl",
    blocks: 9,
    settings: &[
        ("SEALPOST_DIALECTS__HUSHNET__ENABLED", "true"),
        ("SEALPOST_DIALECTS__HUSHNET__LIMITS", "relaxed"),
    ],
    prints: &[
        "\"username\":\"anna\"",
        "{\"status\":\"session confirmed\"}",
        "{\"count\":2}",
        "{\"success\":\"true\",",
        "good evening",
        "[][{\"device_id\":",
        "HTTP/1.1 101 Switching Protocols",
        "{\"event_type\":\"message\",",
        "\"to_device_id\":",
        "\"user_a\":",
        "\"devices\":[\"",
        "204\n[{\"id\":",
        "the short form is good no longer",
    ],
};

/// The command that does not come to an end.
const SERVE: &str = "sealpost serve\n";

impl Page {
    /// The commands below the heading, block by block.
    fn commands(&self) -> String {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(self.file);
        let page = fs::read_to_string(page).expect("the page");
        let (_, page) = page.split_once(self.heading).expect("the heading");
        let blocks = page.split("```sh\n").skip(1);
        let blocks: Vec<_> = blocks.filter_map(|rest| rest.split("\n```").next()).collect();
        assert!(blocks.len() >= self.blocks, "only {} blocks", blocks.len());
        blocks.join("\n") + "\n"
    }

    /// Runs them beside a gateway that serves already.
    fn works(&self) {
        let home = tempfile::tempdir().expect("a temporary folder");
        let (data, program) = (home.path().join("data"), home.path().join("sealpost"));
        let gateway = Program::serve_with(&data, "127.0.0.1:0", self.settings);
        let (address, port) = (gateway.address(), gateway.address().port());
        let wrapper = format!(
            "#!/bin/sh\nexec '{}' \"$@\" --data '{}'\n",
            env!("CARGO_BIN_EXE_sealpost"),
            data.display()
        );
        fs::write(&program, wrapper).expect("a writable folder");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a folder of ours");
        let commands = self.commands();
        assert!(commands.contains(SERVE));
        let commands = commands
            .replacen("sealpost serve", ":", 1)
            .replace("127.0.0.1:8080", &address.to_string())
            .replace("(\"127.0.0.1\", 8080)", &format!("(\"127.0.0.1\", {port})"));
        let search = std::env::var("PATH").expect("a search path");
        let output = Command::new("bash")
            .args(["-eu", "-o", "pipefail", "-c", &commands])
            .current_dir(home.path())
            .env("HOME", home.path())
            .env("PATH", format!("{}:{search}", home.path().display()))
            .stdin(Stdio::null())
            .output()
            .expect("bash starts");
        let (text, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(
            output.status.success(),
            "a command failed; the page needs curl, Python 3 and OpenSSL:\n{text}\n{errors}"
        );
        for expected in self.prints {
            assert!(
                text.contains(expected),
                "the commands do not print {expected}:\n{text}\n{errors}"
            );
        }
        gateway.stop();
    }
}

#[test]
fn every_command_of_the_page_about_phones_works() {
    PHONES.works();
}

#[test]
fn every_command_of_the_page_about_hushnet_works() {
    HUSHNET.works();
}
