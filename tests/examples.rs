//! The examples in every language, run against the real program.
//!
//! Every language has the same four commands (`sdk-examples/README.md`), and here they are started
//! as anybody would start them, with the SDK's clients as the people on the other side; in a browser
//! the forms of a page stand for them. What each one did is printed as a table.
//!
//! Ignored in a bare `cargo test`, because they need other languages and their packages, or the Rust
//! examples, which it does not build: `scripts/test.sh` prepares those below `target` and runs these
//! too. To add a language, add it here, to the table and to `prepare_examples` in
//! `scripts/prepare.sh`.

mod broadcast;
mod browser;
mod command;
mod detour;
mod echo;
pub mod python_tutorial;
mod refresh;
mod rust;
mod stage;
mod table;
mod vectors;

use std::path::Path;
use std::process::Command;

use crate::walkthrough::programs;
use table::Row;

/// One language and how its commands are started.
pub struct Language {
    /// Its name in the table.
    name: &'static str,
    /// A command by its name, to which the arguments are added.
    command: fn(name: &str) -> Command,
}

/// Each command is a program, built with the tests.
const RUST: Language =
    Language { name: "Rust", command: |name| Command::new(programs().join(name)) };

const PYTHON: Language = Language {
    name: "Python",
    command: |name| {
        let mut command = Command::new(variable("SEALPOST_EXAMPLES_PYTHON"));
        command.args(["-m", "sealpost_example", name]).env("PYTHONDONTWRITEBYTECODE", "1");
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk-examples/python"));
        command
    },
};

const GO: Language = Language {
    name: "Go",
    command: |name| {
        let mut command = Command::new(variable("SEALPOST_EXAMPLES_GO"));
        command.arg(name);
        command
    },
};

const TYPESCRIPT: Language = Language {
    name: "TypeScript",
    command: |name| {
        let package = variable("SEALPOST_EXAMPLES_NODE");
        let mut command = Command::new(variable("SEALPOST_NODE"));
        command.arg(Path::new(&package).join("build/typescript/src/main.js")).arg(name);
        command
    },
};

/// What `scripts/prepare.sh` says about where something is.
fn variable(name: &str) -> String {
    let value = std::env::var(name);
    value.unwrap_or_else(|_| panic!("scripts/test.sh sets {name}; run that, or set it"))
}

impl Language {
    /// Runs every command and adds the language to the table.
    fn does_it_all(&self) {
        let held = vectors::hold(self);
        let noticed = vectors::changes_are_noticed(self);
        table::add(Row {
            language: self.name,
            vectors: vectors::in_the_table(held, noticed),
            echo: echo::answers(self),
            broadcast: broadcast::reaches_everybody(self),
            refresh: refresh::meets_a_new_device(self),
        });
    }
}

#[test]
#[ignore = "needs the Rust examples, which `cargo test --workspace` builds and scripts/test.sh runs"]
fn rust_does_what_every_language_does() {
    RUST.does_it_all();
}

#[test]
#[ignore = "needs Python packages and a generated client, which scripts/test.sh prepares"]
fn python_does_what_every_language_does() {
    PYTHON.does_it_all();
}

#[test]
#[ignore = "needs a program that scripts/test.sh builds with Go"]
fn go_does_what_every_language_does() {
    GO.does_it_all();
}

#[test]
#[ignore = "needs Node.js and npm packages, which scripts/test.sh prepares"]
fn typescript_does_what_every_language_does() {
    TYPESCRIPT.does_it_all();
}
