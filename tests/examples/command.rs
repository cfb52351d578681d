//! A command of an example as a child process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use super::Language;

/// How long a command may take for its next line, on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A command that runs until it ends, or is dropped.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
    errors: PathBuf,
}

impl Running {
    /// Starts a command; what it says on standard error is kept beside `folder`'s other files. Its
    /// gateway is at `url`.
    pub fn start(
        language: &Language,
        folder: &Path,
        url: &str,
        name: &str,
        arguments: &[&str],
    ) -> Self {
        let errors = folder.join(format!("{name}.stderr"));
        let mut child = (language.command)(name)
            .args(arguments)
            .env("SEALPOST_URL", url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors).expect("a file for the command's errors"))
            .spawn()
            .expect("the command starts");
        let output = child.stdout.take().expect("piped");
        let (said, lines) = mpsc::channel();
        std::thread::spawn(move || {
            // Nobody may be listening any more.
            BufReader::new(output).lines().map_while(Result::ok).for_each(|line| {
                let _ = said.send(line);
            });
        });
        Self { child, lines, errors }
    }

    /// The next line that it says.
    pub fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("another line")
    }

    /// Presses Enter.
    pub fn enter(&mut self) {
        let input = self.child.stdin.as_mut().expect("piped");
        input.write_all(b"\n").and_then(|()| input.flush()).expect("the command listens");
    }

    /// Waits for its end, and gives whether it went well, and the lines that were left.
    pub fn end(&mut self) -> (bool, Vec<String>) {
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("no end after {lines:?}"),
            }
        }
        let status = self.child.wait().expect("the command was started here");
        (status.success(), lines)
    }

    /// What it has said on standard error.
    pub fn complaint(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default()
    }

    /// As [`Self::end`], and insists that it went well.
    pub fn end_well(&mut self) -> Vec<String> {
        let (went_well, lines) = self.end();
        assert!(went_well, "the command failed after {lines:?}");
        lines
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", self.complaint());
        }
    }
}
