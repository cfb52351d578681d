//! The commands of pages that are followed from top to bottom, as somebody at a shell would type them.
//! Where they call cargo, what it would build is there already, from the build of the tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::markdown;
use crate::program::Program;

/// A page, or a section of one, with commands.
pub struct Page {
    /// Its file.
    pub file: &'static str,
    /// The heading above the commands.
    pub heading: &'static str,
    /// How many blocks of them there are, at least.
    blocks: usize,
    /// What the gateway of the page is set to.
    settings: &'static [(&'static str, &'static str)],
    /// What the commands print, among other things.
    prints: &'static [&'static str],
    /// What those say that do not come to an end.
    says: &'static [&'static str],
}

/// All pages that a test of this module follows.
pub const PAGES: [&Page; 7] = [&PHONES, &HUSHNET, &BOXES, &README, &RUST, &METRICS, &SWITCH];

const README: Page = Page {
    file: "README.md",
    heading: "## Five minutes with it",
    blocks: 3,
    settings: &[],
    prints: &[],
    says: &[],
};

const RUST: Page = Page {
    file: "docs/getting-started.md",
    heading: "# Getting started",
    blocks: 7,
    settings: &[],
    prints: &[" delivered\n", "ENCRYPTED_TEXT", "\"full_name\":\"echo\""],
    says: &["said 12 bytes"],
};

const METRICS: Page = Page {
    file: "docs/operation.md",
    heading: "## Metrics",
    blocks: 1,
    settings: &[],
    prints: &["sealpost_build_info{", "# EOF"],
    says: &[],
};

const SWITCH: Page = Page {
    file: "docs/operation.md",
    heading: "## Read-only and drained",
    blocks: 1,
    settings: &[],
    prints: &["draining: all requests are refused", "everything is served"],
    says: &[],
};

const BOXES: Page = Page {
    file: "docs/keyservice.md",
    heading: "# Drop boxes and letters",
    blocks: 7,
    settings: &[
        ("SEALPOST_DIALECTS__KEYSERVICE__ENABLED", "true"),
        ("SEALPOST_DIALECTS__KEYSERVICE__V1", "true"),
    ],
    prints: &[
        "\"deletekeyafterreading\":false}",
        "\"kdf\":\"argon2id:m=65536,t=3,p=1:",
        "\"length\":5000",
        "\"kind\":\"file\"",
        "{\"deleted\":\"message\"}{\"deleted\":\"box\"}",
        "\"mailed\":false}",
        "\"KeyToken\":\"",
        "the cat sleeps",
        "selfdestruct/read/?messageId=",
    ],
    says: &[],
};

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
    says: &[],
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
    says: &[],
};

/// Where `cargo test` puts the programs of the workspace.
pub fn programs() -> PathBuf {
    let sealpost = Path::new(env!("CARGO_BIN_EXE_sealpost"));
    sealpost.parent().expect("a folder").to_owned()
}

/// A line of the commands, with its end, as it is run.
fn in_its_place(line: &str) -> String {
    match line {
        // A gateway serves already.
        line if line.ends_with(" serve") => ":\n".to_owned(),
        line if line.contains("--bin echo_bot ") || line.ends_with(" demo --keep") => {
            format!("{line} >>\"$HOME/beside\" 2>&1 &\n")
        }
        line => format!("{line}\n"),
    }
}

/// A command that waits until one that goes on beside it has said something.
fn waits_for(text: &str) -> String {
    format!("timeout 60 sh -c 'until grep -q \"{text}\" \"$HOME/beside\"; do sleep 0.05; done'\n")
}

/// Stands in for cargo: whatever it would build was built with the tests.
fn cargo() -> String {
    let programs = programs();
    let programs = programs.display();
    format!(
        "#!/bin/sh
case \"$*\" in
'build --release'*) exec test -x '{programs}/sealpost' ;;
'run --release -- '*) shift 3; exec '{programs}/sealpost' \"$@\" ;;
'run --release -p sealpost-examples --bin '*)
    program='{programs}'/$6
    shift 7
    test -x \"$program\" || echo \"cargo test --workspace builds $program\" >&2
    exec \"$program\" \"$@\" ;;
esac
echo \"nothing stands in for cargo $*\" >&2
exit 1
"
    )
}

/// Puts a script on the search path of a page.
fn install(folder: &Path, name: &str, script: &str) {
    let file = folder.join(name);
    fs::write(&file, script).expect("a writable folder");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a folder of ours");
}

impl Page {
    /// The commands below the heading, block by block.
    pub fn commands(&self) -> String {
        let blocks = markdown::commands_below(&markdown::read(self.file), self.heading);
        assert!(blocks.len() >= self.blocks, "only {} blocks", blocks.len());
        blocks.concat()
    }

    /// The commands as they are run: without those that would start a gateway, and with others that
    /// do not come to an end beside the rest.
    fn script(&self, gateway: &Program) -> String {
        let (address, port) = (gateway.address(), gateway.address().port());
        let script: String = self.commands().lines().map(in_its_place).collect();
        let script = script
            .replace("127.0.0.1:8080", &address.to_string())
            .replace("(\"127.0.0.1\", 8080)", &format!("(\"127.0.0.1\", {port})"));
        let waits: String = self.says.iter().map(|text| waits_for(text)).collect();
        format!("trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}{waits}")
    }

    /// Runs them beside a gateway that serves already.
    fn works(&self) {
        let home = tempfile::tempdir().expect("a temporary folder");
        let (data, bin) = (home.path().join("sealpost-data"), home.path().join("bin"));
        let gateway = Program::serve_with(&data, "127.0.0.1:0", self.settings);
        fs::create_dir(&bin).expect("an empty folder");
        let (program, data) = (env!("CARGO_BIN_EXE_sealpost"), data.display());
        install(&bin, "sealpost", &format!("#!/bin/sh\nexec '{program}' \"$@\" --data '{data}'\n"));
        install(&bin, "cargo", &cargo());
        let search = std::env::var("PATH").expect("a search path");
        let output = Command::new("bash")
            .args(["-eu", "-o", "pipefail", "-c", &self.script(&gateway)])
            .current_dir(home.path())
            .env("HOME", home.path())
            .env("PATH", format!("{}:{search}", bin.display()))
            .stdin(Stdio::null())
            .output()
            .expect("bash starts");
        let (text, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let beside = fs::read_to_string(home.path().join("beside")).unwrap_or_default();
        assert!(
            output.status.success(),
            "a command failed; the page needs curl, Python 3 and OpenSSL:\n{text}\n{errors}\n{beside}"
        );
        for expected in self.prints {
            assert!(
                text.contains(expected),
                "the commands do not print {expected}:\n{text}\n{errors}\n{beside}"
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

#[test]
fn every_command_of_the_page_about_drop_boxes_works() {
    BOXES.works();
}

#[test]
fn the_command_that_shows_metrics_works() {
    METRICS.works();
}

#[test]
fn the_commands_of_the_switch_work() {
    SWITCH.works();
}

#[test]
#[ignore = "needs the Rust examples, which `cargo test --workspace` builds and scripts/test.sh runs"]
fn every_command_of_five_minutes_works() {
    README.works();
}

#[test]
#[ignore = "needs the Rust examples, which `cargo test --workspace` builds and scripts/test.sh runs"]
fn every_command_of_getting_started_works() {
    RUST.works();
}
