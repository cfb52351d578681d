//! `--json`: every command understands it, and writes nothing but objects.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::world::{Place, text};

/// Every command that does something, as its words.
fn leaves(command: &clap::Command, path: &str) -> BTreeSet<String> {
    if !command.has_subcommands() {
        return BTreeSet::from([path.to_owned()]);
    }
    let below = command.get_subcommands();
    below.flat_map(|one| leaves(one, format!("{path} {}", one.get_name()).trim_start())).collect()
}

fn objects(text: &str) -> Vec<Value> {
    let object = |line| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(value.is_object(), "{line}");
        value
    };
    text.lines().map(object).collect()
}

/// What each command is called with here; `serve` is what the others talk to.
fn invocations(bot: &Value, gateway: &str) -> Vec<(&'static str, Vec<String>)> {
    let (account, session) = (text(bot, "app_id"), text(bot, "session_id"));
    let message = "00000000-0000-4000-8000-000000000001";
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    vec![
        ("demo", words(&["--data", "demo-data"])),
        ("migrate", words(&[])),
        ("export", words(&["all.sealpost"])),
        ("import", words(&["all.sealpost"])),
        ("bot create", words(&["Other"])),
        ("bot token", words(&[session])),
        ("bot revoke-tokens", words(&[session])),
        ("bot send", words(&["bot.json", "--to", account, "--url", gateway, "hi"])),
        ("bot broadcast", words(&["bot.json", "--csv", "people.csv", "--url", gateway])),
        ("inbox tail", words(&["bot.json", "--url", gateway])),
        ("user create", words(&["Anna", "--devices", "2"])),
        ("session add", words(&[account])),
        ("session list", words(&[account])),
        ("session revoke", words(&[message])),
        ("session set-aside", words(&[session])),
        ("invite create", words(&[])),
        ("invite list", words(&[])),
        ("invite revoke", words(&[message])),
        ("textsecure codes", words(&[])),
        ("admin status", words(&[])),
        ("admin check", words(&[])),
        ("admin accounts", words(&[])),
        ("admin account", words(&[account])),
        ("admin sessions", words(&[account])),
        ("admin set-aside", words(&[session])),
        ("admin stuck", words(&[])),
        ("admin mode", words(&[])),
        ("admin read-only", words(&["off"])),
        ("admin drain", words(&["off"])),
        ("openapi", words(&["--as", "3.0"])),
        ("completions", words(&["bash"])),
        ("doctor", words(&[])),
    ]
}

#[test]
fn every_command_writes_objects_and_nothing_else() {
    let place = Place::new();
    let mut served = Json::serve(&place);
    let bot = place.bot();
    fs::write(place.path("bot.json"), bot.to_string()).unwrap();
    let table = format!("user_id,text\n{},hi\nx,hi\n", text(&bot, "app_id"));
    fs::write(place.path("people.csv"), table).unwrap();
    let mut walked = BTreeSet::from(["serve".to_owned()]);
    for (command, arguments) in invocations(&bot, &served.url) {
        let mut line: Vec<&str> = command.split(' ').chain(["--json"]).collect();
        line.extend(arguments.iter().map(String::as_str));
        let done = place.run(&line);
        let (out, err) = (objects(&done.out), objects(&done.err));
        assert!(
            done.code == 0 || err.iter().any(|it| it["error"].is_string()),
            "{line:?} {done:?}"
        );
        assert!(done.code != 0 || !out.is_empty() || is_list(command), "{line:?}: {done:?}");
        walked.insert(command.to_owned());
    }
    assert_eq!(walked, leaves(&sealpost::cli::commands(), ""));
    served.stop();
}

/// Whether a command may have nothing to tell.
fn is_list(command: &str) -> bool {
    let lists = ["inbox tail", "set-aside", "stuck", "invite list", "textsecure codes"];
    lists.iter().any(|list| command.ends_with(list))
}

#[test]
fn a_failure_is_an_object_with_its_causes_and_a_hint() {
    let place = Place::new();
    let to = "00000000-0000-4000-8000-000000000001";
    let done = place.run(&["bot", "send", "x.json", "--to", to, "hi", "--json"]);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    let failure = objects(&done.err).remove(0);
    assert!(text(&failure, "error").contains("keystore"), "{failure}");
    assert!(failure["because"][0].as_str().unwrap().contains("x.json"), "{failure}");
    assert!(text(&failure, "hint").contains("bot create"), "{failure}");
}

#[test]
fn wrong_usage_is_an_object_too() {
    let place = Place::new();
    for arguments in
        [&["bot", "--json"][..], &["bot", "token", "no-id", "--json"], &["--json", "x"]]
    {
        let done = place.run(arguments);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{arguments:?}: {done:?}");
        let failure = objects(&done.err).remove(0);
        assert!(!text(&failure, "error").is_empty(), "{failure}");
    }
}

#[test]
fn a_keystore_stands_in_the_object_as_it_does_in_a_file() {
    let place = Place::new();
    let made = objects(&place.good(&["bot", "create", "Echo", "--json"])).remove(0);
    assert_eq!(made["keystore"]["session_id"], made["session_id"]);
    assert!(made["identity_number"].is_string(), "{made}");
    let out = place.good(&["bot", "create", "Other", "--out", "other.json", "--json"]);
    let made = objects(&out).remove(0);
    assert_eq!(made["file"], "other.json");
    assert!(made.get("keystore").is_none(), "{made}");
}

/// A gateway that was started with `--json`.
struct Json {
    url: String,
    child: std::process::Child,
    out: std::io::BufReader<std::process::ChildStdout>,
}

impl Json {
    fn serve(place: &Place) -> Self {
        use std::io::BufRead;

        let mut command = place.command(&["serve", "--json", "--listen", "127.0.0.1:0"]);
        let piped = command.stdout(std::process::Stdio::piped());
        let mut child = piped.stderr(std::process::Stdio::piped()).spawn().unwrap();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let ready = objects(&line).remove(0);
        assert_eq!(ready["name"], "sealpost");
        Self { url: text(&ready, "url").to_owned(), child, out }
    }

    /// Ends it; what it wrote besides are objects too.
    fn stop(&mut self) {
        use std::io::Read;

        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill").args(["-s", "TERM", &pid]).status();
        assert!(sent.unwrap().success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(!objects(&log).is_empty(), "a gateway logs that it is ready");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Json {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
