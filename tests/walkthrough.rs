//! The commands of `docs/textsecure.md`, as somebody at a shell would type them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::Program;

/// Where the commands begin.
const HEADING: &str = "## Two phones, with curl";

/// The command that does not come to an end.
const SERVE: &str = "sealpost serve\n";

/// The commands below the heading, block by block.
fn commands() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/textsecure.md");
    let page = fs::read_to_string(page).expect("the page");
    let (_, page) = page.split_once(HEADING).expect("the heading");
    let blocks = page.split("```sh\n").skip(1);
    let blocks: Vec<_> = blocks.filter_map(|rest| rest.split("\n```").next()).collect();
    assert!(blocks.len() > 8, "only {} blocks", blocks.len());
    blocks.join("\n") + "\n"
}

#[test]
fn every_command_of_the_page_about_phones_works() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let (data, program) = (home.path().join("data"), home.path().join("sealpost"));
    let settings = [("SEALPOST_DIALECTS__TEXTSECURE__ENABLED", "true")];
    let gateway = Program::serve_with(&data, "127.0.0.1:0", &settings);
    let (address, port) = (gateway.address(), gateway.address().port());
    let wrapper = format!(
        "#!/bin/sh\nexec '{}' \"$@\" --data '{}'\n",
        env!("CARGO_BIN_EXE_sealpost"),
        data.display()
    );
    fs::write(&program, wrapper).expect("a writable folder");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a folder of ours");
    let commands = commands();
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
    for expected in [
        "\"keyId\":1,",
        "{\"needsSync\":false}",
        "{\"missingDevices\":[1],\"extraDevices\":[]}",
        "\"type\":5,",
        "HTTP/1.1 101 Switching Protocols",
        "good evening",
        "{\"missingDevices\":[2],\"extraDevices\":[]}",
    ] {
        assert!(text.contains(expected), "the commands do not print {expected}:\n{text}");
    }
    gateway.stop();
}
