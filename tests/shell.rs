//! A shell in a folder of its own, for the commands of documents that change a system.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A folder with programs of its own on the search path.
pub struct Shell {
    folder: TempDir,
    replaced: Vec<(String, String)>,
    variables: Vec<(String, String)>,
}

impl Shell {
    /// `sealpost` is the program that was built, and `sudo -u USER COMMAND` runs the command.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let shell = Self { folder, replaced: Vec::new(), variables: Vec::new() };
        fs::create_dir(shell.path("bin")).expect("an empty folder");
        shell.install("sudo", "shift 2\nexec \"$@\"");
        shell.install("sealpost", &format!("exec '{}' \"$@\"", env!("CARGO_BIN_EXE_sealpost")));
        shell
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a script on the search path.
    pub fn install(&self, name: &str, script: &str) {
        let file = self.path("bin").join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).expect("a writable folder");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a file of ours");
    }

    /// What stands in commands for something that is elsewhere here.
    pub fn replace(&mut self, from: &str, to: impl AsRef<Path>) {
        let to = to.as_ref().to_str().expect("a path in Unicode");
        self.replaced.push((from.to_owned(), to.to_owned()));
    }

    /// The account and the group `sealpost` are those that the test runs as.
    pub fn replace_owner(&mut self) {
        let mine = fs::metadata(self.folder.path()).expect("a folder of ours");
        let (user, group) = (mine.uid(), mine.gid());
        self.replaced.push(("sealpost:sealpost".to_owned(), format!("{user}:{group}")));
        self.replaced.push(("-g sealpost".to_owned(), format!("-g {group}")));
    }

    /// A variable for all commands.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// A command as it has to be written here.
    pub fn translated(&self, command: &str) -> String {
        let here = |text: String, (from, to): &(String, String)| text.replace(from, to);
        self.replaced.iter().fold(command.to_owned(), here)
    }

    /// A command, ready to be started.
    pub fn command(&self, command: &str) -> Command {
        let search = std::env::var("PATH").expect("a search path");
        let own = self.path("bin");
        let mut shell = Command::new("bash");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SEALPOST_") {
                shell.env_remove(name);
            }
        }
        shell
            .args(["-eu", "-o", "pipefail", "-c", &self.translated(command)])
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            // Programs for the administrator are not on everybody's path.
            .env("PATH", format!("{}:{search}:/usr/sbin:/sbin", own.display()))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        shell
    }

    /// Runs a command to its end.
    pub fn output(&self, command: &str) -> Output {
        self.command(command).output().expect("bash starts")
    }

    /// Runs a command that has to succeed; returns what it printed.
    pub fn run(&self, command: &str) -> String {
        let output = self.output(command);
        let errors = String::from_utf8_lossy(&output.stderr);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "`{command}` ended with {}: {text}{errors}",
            output.status
        );
        text
    }
}
