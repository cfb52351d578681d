//! The documents say what is so: their commands, their links, their table of settings.

use std::fs;
use std::path::{Path, PathBuf};

use sealpost::config::Config;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).expect("a document")
}

/// The Markdown files of the project.
fn documents() -> Vec<PathBuf> {
    let folders = [
        "",
        "docs",
        "migrations",
        "sdk-examples",
        "sdk-examples/browser",
        "sdk-examples/go",
        "sdk-examples/python",
        "sdk-examples/typescript",
        "src/console/vendor/uplot",
        "src/sdk",
        "tests/vectors",
    ];
    let files =
        folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).into_iter().flatten());
    let mut found: Vec<_> = files
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    found.sort();
    found
}

/// The targets of a document's links, `](…)`, without those to other hosts and to its own parts.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with('#'))
        .map(|target| target.split('#').next().unwrap_or(target))
        .collect()
}

#[test]
fn the_readme_begins_with_its_two_commands() {
    let readme = read("README.md");
    let commands: Vec<_> = readme.split("```sh\n").skip(1).take(2).collect();
    assert!(commands[0].starts_with("cargo run --release -- demo\n```"), "{}", commands[0]);
    assert!(commands[1].starts_with("./scripts/test.sh\n```"), "{}", commands[1]);
}

#[test]
fn links_between_documents_lead_somewhere() {
    let documents = documents();
    assert!(documents.len() > 8, "only {documents:?}");
    for document in documents {
        let text = read(&document);
        for link in links(&text) {
            let target = document.parent().expect("a folder").join(link);
            assert!(target.exists(), "{} links to {link}", document.display());
        }
    }
}

#[test]
fn every_command_is_in_the_table_with_its_options_and_no_other_is() {
    let manual = read("docs/command-line.md");
    let table = manual.split("## All of them").nth(1).and_then(|rest| rest.split("\n## ").next());
    let rows: Vec<_> =
        table.unwrap_or_default().lines().filter(|line| line.starts_with("| `")).collect();
    let mut commands = Vec::new();
    collect_commands(&sealpost::cli::commands(), "sealpost", &mut commands);
    assert!(commands.len() > 20, "only {} commands", commands.len());
    for (path, options) in &commands {
        let is_its = |row: &&&str| {
            let rest = row.strip_prefix("| `").and_then(|rest| rest.strip_prefix(path.as_str()));
            rest.is_some_and(|rest| {
                rest.starts_with('`') || rest.strip_prefix(' ').is_some_and(is_argument)
            })
        };
        let row = rows.iter().find(is_its);
        let row = row.unwrap_or_else(|| panic!("docs/command-line.md says nothing of `{path}`"));
        for option in options {
            assert!(row.contains(&format!("`--{option}")), "{path}: no --{option} in {row}");
        }
    }
    assert_eq!(rows.len(), commands.len(), "a row for each command, and none besides");
}

/// Whether what follows a command are its arguments, and not another word of another command.
fn is_argument(rest: &str) -> bool {
    rest.starts_with(|first: char| first.is_ascii_uppercase())
}

/// Every command that does something, with the options that are its own.
fn collect_commands(command: &clap::Command, path: &str, found: &mut Vec<(String, Vec<String>)>) {
    if !command.has_subcommands() {
        let own = command.get_arguments().filter(|argument| !argument.is_global_set());
        let options = own.filter_map(|argument| argument.get_long()).map(ToOwned::to_owned);
        found.push((path.to_owned(), options.collect()));
    }
    for below in command.get_subcommands() {
        collect_commands(below, &format!("{path} {}", below.get_name()), found);
    }
}

#[test]
fn every_setting_is_in_the_table_with_its_default() {
    let manual = read("docs/operation.md");
    let defaults = toml::Table::try_from(Config::default()).expect("settings are plain values");
    let mut settings = Vec::new();
    collect("", &toml::Value::Table(defaults), &mut settings);
    assert!(settings.len() > 15, "only {settings:?}");
    for (name, value) in settings {
        let row = manual.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("docs/operation.md says nothing of `{name}`"));
        let default = row.split('|').nth(2).unwrap_or_default().trim().trim_matches('`');
        let default = if default == "empty" { "" } else { default };
        assert_eq!(default, value, "the default of `{name}` in docs/operation.md");
    }
}

/// Every single value below `value`, with its path and its text.
fn collect(path: &str, value: &toml::Value, found: &mut Vec<(String, String)>) {
    let toml::Value::Table(table) = value else {
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        return found.push((path.to_owned(), text));
    };
    for (name, value) in table {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(&path, value, found);
    }
}
