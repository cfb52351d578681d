//! The real `sealpost` program as a child process: what a person at a shell would do with it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use sealpost::sdk::keystore::Keystore;

use crate::harness::postgres::{self, Schema};

/// How long a gateway may take to say that it is ready, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program in an environment that sets nothing for it but the database of this data directory,
/// when that is to be on a server.
fn sealpost(data: &Path) -> Command {
    let mut command = without_settings(Command::new(env!("CARGO_BIN_EXE_sealpost")));
    if postgres::is_asked_for() {
        command.envs(variables(data));
    }
    command
}

/// The schema of a data directory, the same for all commands that work on it. It goes with the
/// server.
fn variables(data: &Path) -> [(&'static str, String); 2] {
    static SCHEMAS: Mutex<BTreeMap<PathBuf, Schema>> = Mutex::new(BTreeMap::new());
    let mut schemas = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    schemas.entry(data.to_owned()).or_insert_with(Schema::create).variables()
}

fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SEALPOST_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs one command to its end on a data directory and insists on success.
pub fn run(data: &Path, arguments: &[&str]) -> Output {
    let output = sealpost(data)
        .args(arguments)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "sealpost {arguments:?} ended with {}: {errors}",
        output.status
    );
    output
}

/// Makes a bot and returns its keystore, which is kept beside the data directory.
pub fn create_bot(data: &Path, name: &str) -> Keystore {
    let file = data.with_file_name(format!("{name}.json"));
    run(data, &["bot", "create", name, "--out", file.to_str().expect("a path in Unicode")]);
    Keystore::from_file(&file).expect("a keystore that the SDK reads")
}

/// Makes a person with several devices and returns their keystores.
pub fn create_user(data: &Path, name: &str, devices: usize) -> Vec<Keystore> {
    let folder = data.with_file_name(name);
    let count = devices.to_string();
    let folder_text = folder.to_str().expect("a path in Unicode");
    run(data, &["user", "create", name, "--devices", &count, "--out-dir", folder_text]);
    let keystore = |number| {
        let file = folder.join(format!("device-{number}.json"));
        Keystore::from_file(&file).expect("a keystore that the SDK reads")
    };
    (1..=devices).map(keystore).collect()
}

/// A gateway that runs as a process of its own until it is killed or dropped.
pub struct Program {
    child: Child,
    data: PathBuf,
    errors: PathBuf,
    address: SocketAddr,
}

impl Program {
    /// Starts `sealpost serve` on a free port and waits until it says that it is ready.
    pub fn serve(data: &Path) -> Self {
        Self::start(sealpost(data), data, "127.0.0.1:0")
    }

    /// The same at an address and with settings of its own, given as environment variables.
    pub fn serve_with(data: &Path, address: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = sealpost(data);
        command.envs(settings.iter().copied());
        Self::start(command, data, address)
    }

    /// The same below strace, which writes what the gateway does to its files into `log`.
    pub fn serve_traced(data: &Path, log: &Path) -> Self {
        let version = Command::new("strace").arg("--version").output();
        assert!(
            version.is_ok_and(|output| output.status.success()),
            "this proof needs strace: install it (Debian, Ubuntu: apt-get install strace) and run \
             the test again"
        );
        let mut command = without_settings(Command::new("strace"));
        command
            .args(["-f", "--seccomp-bpf", "-y", "-qq", "-xx", "-s", "4000000"])
            .arg("-e")
            .arg("trace=pwrite64,pwritev,write,writev,sendto,sendmsg,ftruncate,fdatasync,fsync,openat,unlink,rename")
            .arg("-o")
            .arg(log)
            .arg(env!("CARGO_BIN_EXE_sealpost"));
        Self::start(command, data, "127.0.0.1:0")
    }

    fn start(mut command: Command, data: &Path, address: &str) -> Self {
        let errors = data.with_extension("stderr");
        let log = File::options().create(true).append(true).open(&errors);
        let mut child = command
            .args(["serve", "--listen", address, "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("a file for the gateway's log"))
            .spawn()
            .expect("the program starts");
        let output = child.stdout.take().expect("the output is piped");
        let (said, first_line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(output).lines();
            // Nobody may be waiting any more; the rest is read so that the program never blocks.
            let _ = said.send(lines.next().and_then(Result::ok));
            lines.for_each(drop);
        });
        let line = first_line.recv_timeout(PATIENCE).ok().flatten();
        let address = line
            .as_deref()
            .and_then(|line| line.strip_prefix("sealpost listening on ")?.split_once("://"))
            .and_then(|(_, address)| address.parse().ok());
        let Some(address) = address else {
            let _ = child.kill();
            let log = fs::read_to_string(&errors).unwrap_or_default();
            panic!("the gateway said {line:?} where its address was expected; its log:\n{log}");
        };
        Self { child, data: data.to_owned(), errors, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id of the gateway's own process, which below strace is not the child's.
    pub fn process_id(&self) -> u32 {
        self.holder().expect("a lock file with a process id")
    }

    /// The process that the lock file names.
    fn holder(&self) -> Option<u32> {
        let lock = fs::read_to_string(self.data.join("gateway.lock")).ok()?;
        let lock: serde_json::Value = serde_json::from_str(&lock).ok()?;
        lock["pid"].as_u64()?.try_into().ok()
    }

    /// Ends it as a power cut would: no handler runs, nothing is written any more.
    pub fn kill(mut self) {
        self.signal("KILL");
        self.child.wait().expect("the child was started here");
    }

    /// Asks it to end, and insists that it does so in good order.
    pub fn stop(mut self) {
        self.signal("TERM");
        let status = self.child.wait().expect("the child was started here");
        let log = fs::read_to_string(&self.errors).unwrap_or_default();
        assert!(status.success(), "the gateway ended with {status}; its log:\n{log}");
    }

    fn signal(&self, name: &str) {
        let process = self.process_id();
        assert!(signal(process, name), "process {process} got no SIG{name}");
    }
}

/// Sends a signal by the shell's own `kill`: a small system has no program of that name.
fn signal(process: u32, name: &str) -> bool {
    let command = format!("kill -s {name} {process}");
    let status = Command::new("sh").args(["-c", &command]).status();
    status.is_ok_and(|status| status.success())
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // A test has failed: say what the gateway said, end it, then what it may run below.
            let log = fs::read_to_string(&self.errors).unwrap_or_default();
            let last: Vec<_> = log.lines().rev().take(20).collect();
            eprintln!("the end of the gateway's log, newest first:\n{}", last.join("\n"));
            if let Some(process) = self.holder() {
                signal(process, "KILL");
            }
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Waits before another look at a process that tells nobody how far it is.
#[expect(clippy::disallowed_methods, reason = "other processes tell nobody when they are ready")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
