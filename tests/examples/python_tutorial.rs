//! `docs/tutorial.md`, command by command: what it says one sees is seen, and what comes is sealed.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sealpost::sdk::base64url;
use sealpost::sdk::envelope;
use sealpost::sdk::keystore::Keystore;
use serde_json::Value;
use tempfile::TempDir;

use super::variable;
use crate::markdown::{self, Block};
use crate::program::pause;

/// What is run of it: all.
pub const SECTION: (&str, &str) = ("docs/tutorial.md", "# An encrypted echo bot in Python");

/// Whoever follows it types no more than this.
const MOST_COMMANDS: usize = 12;

/// The commands that go on beside the others, each in a terminal of its own.
const ENDLESS: [&str; 2] =
    ["target/release/sealpost serve", ".venv/bin/python sdk-examples/python/my_bot.py"];

/// How long a command may take to say what it should, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at what a command has said.
const PAUSE: Duration = Duration::from_millis(20);

/// A command in a terminal of its own.
struct Terminal {
    command: String,
    child: Child,
    said: PathBuf,
}

/// The folder of the source, as far as the tutorial needs it.
struct Source {
    folder: TempDir,
    terminals: Vec<Terminal>,
    /// Where the gateway listens, once it does.
    address: Option<String>,
    /// What the last command that came to its end has printed.
    printed: String,
    /// The last command.
    last: String,
}

impl Source {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (root, here) = (Path::new(env!("CARGO_MANIFEST_DIR")), folder.path());
        fs::create_dir_all(here.join("target/release")).expect("an empty folder");
        let program = here.join("target/release/sealpost");
        symlink(env!("CARGO_BIN_EXE_sealpost"), program).expect("a writable folder");
        symlink(root.join("openapi.yaml"), here.join("openapi.yaml")).expect("a writable folder");
        let (package, there) =
            ("sdk-examples/python/sealpost_example", here.join("sdk-examples/python"));
        fs::create_dir_all(there.join("sealpost_example")).expect("an empty folder");
        for file in fs::read_dir(root.join(package)).expect("the example").map(Result::unwrap) {
            if file.path().extension().is_some_and(|extension| extension == "py") {
                fs::copy(file.path(), here.join(package).join(file.file_name())).expect("a copy");
            }
        }
        for file in ["requirements.txt", "generator.yaml"] {
            let from = root.join("sdk-examples/python").join(file);
            fs::copy(from, there.join(file)).expect("a copy");
        }
        let (address, printed, last) = (None, String::new(), String::new());
        Self { folder, terminals: Vec::new(), address, printed, last }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a text of the document is here, where the gateway has another port.
    fn here(&self, text: &str) -> String {
        match &self.address {
            Some(address) => text.replace("127.0.0.1:8080", address),
            None => text.to_owned(),
        }
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("bash");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SEALPOST_") {
                shell.env_remove(name);
            }
        }
        shell
            .args(["-eu", "-o", "pipefail", "-c", &format!("exec 2>&1\n{command}")])
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("SEALPOST_LISTEN", "127.0.0.1:0")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            // The packages were fetched before the tests, all that the document names and no others.
            .env("PIP_NO_INDEX", "1")
            .env("PIP_FIND_LINKS", variable("SEALPOST_EXAMPLES_WHEELS"))
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .stdin(Stdio::null());
        shell
    }

    /// Types a command.
    fn types(&mut self, command: &str) {
        command.clone_into(&mut self.last);
        if command == "cargo build --release" {
            // The program is there, from the build of the tests.
            assert!(self.path("target/release/sealpost").exists());
        } else if ENDLESS.contains(&command) {
            self.opens_a_terminal(command);
        } else {
            self.runs(command);
        }
    }

    fn opens_a_terminal(&mut self, command: &str) {
        let said = self.path(&format!("terminal-{}", self.terminals.len()));
        let output = File::create(&said).expect("a writable folder");
        // In the place of the shell, so that it ends with the child.
        let mut shell = self.shell(&format!("exec {command}"));
        let child = shell.stdout(output).spawn().expect("bash starts");
        self.terminals.push(Terminal { command: command.to_owned(), child, said });
        if command.ends_with(" serve") {
            let line = self.waits_for(command, "sealpost listening on http://…");
            self.address = Some(line["sealpost listening on http://".len()..].to_owned());
        }
    }

    fn runs(&mut self, command: &str) {
        let output = self.shell(&self.here(command)).output().expect("bash starts");
        self.printed = String::from_utf8_lossy(&output.stdout).into_owned();
        // It looks for what must not be there, and says so by its status alone.
        let expected = if command.starts_with("grep ") { 1 } else { 0 };
        assert_eq!(output.status.code(), Some(expected), "`{command}`: {}", self.printed);
    }

    /// Waits until the command with this in it has said such a line.
    fn waits_for(&mut self, command: &str, pattern: &str) -> String {
        let terminal = self.terminals.iter_mut().find(|one| one.command.contains(command));
        let terminal = terminal.unwrap_or_else(|| panic!("no terminal runs {command}"));
        let begun = Instant::now();
        loop {
            let said = fs::read_to_string(&terminal.said).unwrap_or_default();
            if let Some(line) = said.lines().find(|line| fits(line, pattern)) {
                return line.to_owned();
            }
            let ended = terminal.child.try_wait().expect("the child was started here");
            let is_over = ended.is_some() || begun.elapsed() > PATIENCE;
            assert!(!is_over, "`{}` does not say {pattern:?}:\n{said}", terminal.command);
            pause(PAUSE);
        }
    }

    /// Insists that one sees what the document says.
    fn sees(&mut self, block: &Block) {
        let expected = self.here(&block.text);
        let terminal = block.kind.strip_prefix("text ").map(ToOwned::to_owned);
        let terminal =
            terminal.or_else(|| ENDLESS.contains(&self.last.as_str()).then(|| self.last.clone()));
        if let Some(terminal) = terminal {
            for line in expected.lines() {
                self.waits_for(&terminal, line);
            }
            return;
        }
        let (seen, expected): (Vec<_>, Vec<_>) =
            (self.printed.lines().collect(), expected.lines().collect());
        let all_fit = seen.iter().zip(&expected).all(|(line, pattern)| fits(line, pattern));
        let command = &self.last;
        assert!(
            seen.len() == expected.len() && all_fit,
            "`{command}` does not print {expected:#?} but {seen:#?}"
        );
    }

    /// Saves a program where the line before it says.
    fn saves(&self, block: &Block) {
        let name = block.before.split('`').nth(1).expect("the name of a file");
        fs::write(self.path(name), &block.text).expect("a writable folder");
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        for terminal in &mut self.terminals {
            let _ = terminal.child.kill();
            let _ = terminal.child.wait();
        }
    }
}

/// Whether a line is as the document has it, where `…` stands for anything.
fn fits(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    // The end is the end, wherever else it stands before.
    last.map_or(rest.is_empty(), |last| line.ends_with(last))
}

/// What somebody has to type: commands, and those that stand within or behind others.
fn typed(block: &str) -> usize {
    let commands = markdown::commands(block);
    let further = ["$(", "&&", "||", ";", " | "];
    let in_all = further.iter().map(|sign| block.matches(sign).count()).sum::<usize>();
    commands.len() + in_all
}

#[test]
#[ignore = "needs Python packages, which scripts/test.sh prepares"]
fn every_command_of_the_tutorial_works() {
    let tutorial = markdown::read(SECTION.0);
    let blocks = markdown::blocks(&tutorial);
    let mut source = Source::new();
    for block in &blocks {
        match block.kind.split(' ').next().unwrap_or_default() {
            "sh" => markdown::commands(&block.text).iter().for_each(|one| source.types(one)),
            "text" => source.sees(block),
            "python" => source.saves(block),
            other => panic!("nobody knows what to do with a block of {other}"),
        }
        if block.kind == "text" && source.last.starts_with("curl ") {
            is_sealed(&source);
        }
    }
    assert!(source.last.starts_with("grep "), "it ends with a look into the gateway's files");
    assert_eq!(source.printed, "");
    // The same look finds what is there: the name of the bot, which the gateway knows.
    source.runs("command grep -rl echo sealpost-data");
    assert!(source.printed.contains("sealpost.db"), "{}", source.printed);
}

/// Insists that the answer that the gateway has is an envelope which the second device alone opens.
fn is_sealed(source: &Source) {
    let text = "is anybody there?";
    let json = source.printed.lines().last().expect("an answer");
    let json: Value = serde_json::from_str(json).expect("JSON");
    let data = json["data"][0]["data_base64"].as_str().expect("a message");
    let data = base64url::decode(data).expect("base64");
    assert!(!data.windows(text.len()).any(|window| window == text.as_bytes()));
    let keystore =
        |name: &str| Keystore::from_file(source.path(name)).expect("a keystore that the SDK reads");
    let (first, second) = (keystore("ada/device-1.json"), keystore("ada/device-2.json"));
    let bot = keystore("echo.json").session_private_key.verifying_key().agreement_key();
    let senders = [bot];
    let opened = |device: &Keystore| {
        let secret = device.session_private_key.agreement_secret();
        envelope::open(&data, device.session_id, &secret, Some(&senders[..]))
    };
    assert_eq!(opened(&second).expect("it is for this device"), text.as_bytes());
    assert!(opened(&first).is_err(), "it has one slot");
}

#[test]
fn the_tutorial_is_short() {
    let blocks = markdown::blocks(&markdown::read(SECTION.0));
    let commands: Vec<_> = blocks.iter().filter(|block| block.kind == "sh").collect();
    let typed: usize = commands.iter().map(|block| typed(&block.text)).sum();
    assert!((8..=MOST_COMMANDS).contains(&typed), "{typed} commands");
    assert_eq!(commands.len(), 11, "its first line says how many there are");
    assert!(markdown::read(SECTION.0).contains("Ten minutes, eleven commands"));
}

#[test]
fn dots_stand_for_anything_and_nothing_else_does() {
    for (line, pattern, expected) in [
        ("ready", "ready", true),
        ("ready.", "ready", false),
        ("created bot 1, number 2", "created bot …, number …", true),
        ("created user 1, number 2", "created bot …, number …", false),
        ("{\"a\":1,\"b\":2}", "{…\"b\":…}", true),
        ("{\"a\":1,\"b\":2},", "{…\"b\":…}", false),
    ] {
        assert_eq!(fits(line, pattern), expected, "{line} {pattern}");
    }
}
