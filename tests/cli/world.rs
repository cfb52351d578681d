//! A directory of one's own, commands in it, and a gateway that serves it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::postgres::{self, Schema};

/// A working directory in which commands run without any settings but that of the database, when
/// that is to be on a server.
pub struct Place {
    folder: TempDir,
    schema: Option<Schema>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A gateway in a process of its own; killed at the end.
pub struct Served {
    child: Child,
    out: BufReader<ChildStdout>,
    err: Option<ChildStderr>,
    pub url: String,
}

impl Place {
    pub fn new() -> Self {
        let schema = postgres::is_asked_for().then(Schema::create);
        Self { folder: tempfile::tempdir().unwrap(), schema }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealpost"));
        command.args(arguments).current_dir(self.folder.path());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SEALPOST_")) {
            command.env_remove(name);
        }
        command.envs(self.schema.iter().flat_map(Schema::variables));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Done {
        Done::of(&mut self.command(arguments))
    }

    /// Runs a command that has to succeed; returns its standard output.
    pub fn good(&self, arguments: &[&str]) -> String {
        let done = self.run(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        done.out
    }

    /// A new bot's keystore.
    pub fn bot(&self) -> Value {
        serde_json::from_str(&self.good(&["bot", "create", "Echo"])).unwrap()
    }

    pub fn serve(&self) -> Served {
        Served::start(self.command(&["serve", "--listen", "127.0.0.1:0"]))
    }
}

impl Done {
    pub fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().unwrap();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Served {
    /// Starts a gateway and waits until it says that it is ready.
    pub fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let err = child.stderr.take();
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("sealpost listening on ");
        let url = url.unwrap_or_else(|| panic!("not ready: {line:?}")).to_owned();
        Self { child, out, err, url }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line on standard output.
    pub fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Reads the log in a thread of its own, for gateways that log more than a pipe holds.
    pub fn read_log(&mut self) -> JoinHandle<String> {
        let mut log = self.err.take().unwrap();
        thread::spawn(move || {
            let mut text = String::new();
            log.read_to_string(&mut text).unwrap();
            text
        })
    }

    /// Sends a signal by name and waits for the end; what else was printed, and logged.
    pub fn stop(mut self, signal: &str) -> (ExitStatus, String, String) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &pid]).status().unwrap();
        assert!(sent.success());
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        if let Some(log) = &mut self.err {
            log.read_to_string(&mut err).unwrap();
        }
        (self.child.wait().unwrap(), out, err)
    }

    /// The status of a GET with this bearer token.
    pub fn status_of(&self, path: &str, token: &str) -> u16 {
        let mut stream = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended already when the test stopped it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A member of a keystore.
pub fn text<'a>(keystore: &'a Value, member: &str) -> &'a str {
    keystore[member].as_str().unwrap()
}

/// Another empty database for the same place, when databases are to be on a server.
pub fn other_schema() -> Option<Schema> {
    postgres::is_asked_for().then(Schema::create)
}
