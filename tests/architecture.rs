//! Holds the shape of the project: who may import whom, and what a reader may rely on.

mod scan;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use table::{CLIENTS, PLAINTEXT, Row, row};

/// A file with more lines than this answers more than one question.
const LINES: usize = 450;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under `folder`, by its path from the root of the project.
fn files_under(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(folder)];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path.strip_prefix(root()).expect("below the root").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).expect("a readable file")
}

/// The module that a file belongs to: the first name below `src`.
fn module_of(file: &Path) -> String {
    let first = file.components().nth(1).expect("a file below src").as_os_str();
    first.to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// A path as it would be written from the root of the crate, whatever it climbs; a path into
/// another crate stays as it is.
fn absolute(file: &Path, path: &[String]) -> Vec<String> {
    let climbs = path.iter().take_while(|segment| *segment == "super").count();
    let (start, rest): (Vec<_>, _) = match path[0].as_str() {
        "crate" | "sealpost" => (vec!["crate".to_owned()], &path[1..]),
        "sealpost_sdk" => (vec!["crate".to_owned(), "sdk".to_owned()], &path[1..]),
        "super" => {
            let own = file.with_extension("");
            let own = own.components().skip(1).map(|name| name.as_os_str().to_string_lossy());
            let own: Vec<_> =
                std::iter::once("crate".to_owned()).chain(own.map(Into::into)).collect();
            (own[..own.len().saturating_sub(climbs).max(1)].to_vec(), &path[climbs..])
        }
        _ => (Vec::new(), path),
    };
    [&start, rest].concat()
}

/// What is wrong with one file of the server, each with the row that it breaks.
fn violations(file: &Path, source: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(row) = row(&module) else {
        return vec![format!("{}: the module {module} has no row in the table", file.display())];
    };
    let mut found = Vec::new();
    for path in scan::paths(source) {
        let written = path.segments.join("::");
        let place = format!("{}:{}: `{written}`", file.display(), path.line);
        let path = absolute(file, &path.segments);
        if let Some(to) = module_in(&path).filter(|to| *to != module && !row.may_use.contains(to)) {
            found.push(format!("{place} leads to {to}.\n{}", quote(row)));
        }
        if row.never.contains(&path[0].as_str()) {
            found.push(format!("{place} is a crate that {module} never uses.\n{}", quote(row)));
        }
        if let Some(other) = other_dialect(file, &path) {
            let why = "a dialect never knows another: removing one must not touch the rest";
            found.push(format!("{place} leads to the dialect {other}; {why}"));
        }
        if !CLIENTS.contains(&module.as_str()) && handles_plaintext(&path) {
            found.push(format!(
                "{place} reads or writes messages; only {CLIENTS:?} may, where the program plays a \
                 client, so that a reader sees by the imports that the gateway cannot read them"
            ));
        }
    }
    found
}

/// The module of the project that a path leads into.
fn module_in(path: &[String]) -> Option<&str> {
    let name = path.get(1).filter(|_| path[0] == "crate")?.as_str();
    (row(name).is_some() || name == "sdk").then_some(name)
}

fn quote(row: &Row) -> String {
    format!(
        "  | {} | may use: {} | never: {} |\n  because {}",
        row.module,
        row.may_use.join(", "),
        row.never.join(", "),
        row.why
    )
}

/// The dialect that a path leads to from the folder of another one.
fn other_dialect<'a>(file: &Path, path: &'a [String]) -> Option<&'a str> {
    let own = file.with_extension("");
    let mut own = own.components().skip(1).map(|name| name.as_os_str().to_string_lossy());
    let (in_dialects, own) = (own.next()? == "dialect", own.next()?);
    let leads_to_one = path.len() > 2 && path[0] == "crate" && path[1] == "dialect";
    (in_dialects && leads_to_one && path[2] != own).then(|| path[2].as_str())
}

fn handles_plaintext(path: &[String]) -> bool {
    path.windows(2).any(|pair| {
        PLAINTEXT
            .iter()
            .any(|(module, names)| pair[0] == *module && names.contains(&pair[1].as_str()))
    })
}

/// The server's own files: the SDK is a package of its own, and `lib.rs` only lists the modules.
fn server_files() -> Vec<PathBuf> {
    let mut files = files_under("src", "rs");
    files.retain(|file| {
        !file.starts_with("src/sdk")
            && file != Path::new("src/lib.rs")
            // A module's tests in a file of their own are tests all the same.
            && file.file_name().is_some_and(|name| name != "tests.rs")
    });
    files
}

fn assert_none(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_module_keeps_to_its_row_of_the_import_table() {
    let files = server_files();
    assert!(files.len() > 10, "only {} files were found", files.len());
    let found: Vec<_> = files.iter().flat_map(|file| violations(file, &read(file))).collect();
    assert_none(&found);
}

#[test]
fn the_sdk_does_no_io_outside_its_client() {
    let mut found = Vec::new();
    for file in files_under("src/sdk", "rs") {
        let is_client = file.starts_with("src/sdk/client") || file.ends_with("sdk/client.rs");
        for path in scan::paths(&read(&file)) {
            let outside =
                ["axum", "sqlx", "rusqlite", "sealpost"].contains(&path.segments[0].as_str());
            let io = ["reqwest", "tokio", "getrandom"].contains(&path.segments[0].as_str())
                || path.segments.join("::").starts_with("std::net");
            if outside || (io && !is_client) {
                let name = path.segments.join("::");
                found.push(format!("{}:{}: `{name}`", file.display(), path.line));
            }
        }
    }
    assert_none(&found);
}

#[test]
fn a_module_is_a_file_of_its_own_name() {
    let found: Vec<_> = ["src", "tests", "sdk-examples", "benches"]
        .iter()
        .flat_map(|folder| files_under(folder, "rs"))
        .filter(|file| file.file_name().is_some_and(|name| name == "mod.rs"))
        .map(|file| format!("{}: write name.rs and name/ instead", file.display()))
        .collect();
    assert_none(&found);
}

#[test]
fn no_file_is_too_long_to_read() {
    let found: Vec<_> = ["src", "tests", "sdk-examples", "benches"]
        .iter()
        .flat_map(|folder| files_under(folder, "rs"))
        .map(|file| (read(&file).lines().count(), file))
        .filter(|(lines, _)| *lines > LINES)
        .map(|(lines, file)| format!("{}: {lines} lines, at most {LINES}", file.display()))
        .collect();
    assert_none(&found);
}

/// The one file that the compiler cannot check all of.
const UNCHECKED: &str = "src/storage/sqlite/connection/direct.rs";

#[test]
fn what_the_compiler_cannot_check_stands_in_one_file() {
    let folders = ["src", "tests", "sdk-examples", "benches"];
    let files = folders.iter().flat_map(|folder| files_under(folder, "rs"));
    // In two parts, so that this file is not one of them.
    let lifted = concat!("unsafe", "_code");
    let unchecked = files.filter(|file| read(file).contains(lifted));
    let unchecked: Vec<_> = unchecked.map(|file| file.display().to_string()).collect();
    assert_eq!(unchecked, [UNCHECKED], "elsewhere the lint forbids it, and nothing may lift it");
    let text = read(Path::new(UNCHECKED));
    let blocks = text.matches("unsafe {").count();
    assert_eq!(blocks, text.matches("// SAFETY: ").count(), "each block says why it is sound");
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names = |database: &str| -> Vec<_> {
        let files = files_under(&format!("migrations/{database}"), "sql");
        files.iter().map(|file| file.file_name().expect("a file").to_owned()).collect()
    };
    let sqlite = names("sqlite");
    assert!(!sqlite.is_empty(), "no migrations were found");
    assert_eq!(sqlite, names("postgres"));
}

/// The checker itself, on text that breaks each rule: a test that cannot fail proves nothing.
#[test]
fn made_up_offenders_are_caught() {
    let cases = [
        ("src/domain/submit.rs", "use crate::storage::open;", "leads to storage"),
        ("src/domain.rs", "use super::http;", "leads to http"),
        ("src/domain/inbox.rs", "let pool = sqlx::query(\"\");", "`sqlx::query` is a crate"),
        ("src/domain/inbox.rs", "use {axum::Json, std::fmt};", "`axum::Json` is a crate"),
        ("src/dialect/mixin/inbox.rs", "use crate::{domain, storage};", "leads to storage"),
        ("src/dialect/mixin/inbox.rs", "crate::dialect::other::x()", "leads to the dialect other"),
        ("src/http/body.rs", "use super::super::storage;", "leads to storage"),
        ("src/dialect/mixin/me.rs", "use super::super::other::x;", "leads to the dialect other"),
        ("src/http.rs", "use sealpost_sdk::ids::UserId;", "leads to sdk"),
        ("src/admin.rs", "use sealpost_sdk::envelope::open;", "reads or writes messages"),
        ("src/dialect/mixin.rs", "use crate::sdk::envelope::{parse, seal};", "reads or writes"),
        ("src/dialect/mixin.rs", "envelope::open(&bytes)", "reads or writes messages"),
        ("src/unheard_of.rs", "", "has no row"),
    ];
    for (file, source, expected) in cases {
        let found = violations(Path::new(file), source).join("\n");
        assert!(found.contains(expected), "{file} with {source}: {found:?} lacks {expected:?}");
    }
}

#[test]
fn made_up_honest_files_pass() {
    let cases = [
        ("src/storage/sqlite/inbox.rs", "use super::super::batch::Batch; use super::rows::http;"),
        ("src/domain/submit.rs", "use sealpost_sdk::envelope::{self, parse}; use super::ids;"),
        ("src/storage/sqlite.rs", "use crate::domain::Fault; use sqlx::Row;"),
        ("src/demo.rs", "use sealpost_sdk::envelope::{open, seal}; use crate::app::App;"),
        ("src/http/body.rs", "#[cfg(test)] mod tests { use crate::storage::memory; }"),
    ];
    for (file, source) in cases {
        assert_none(&violations(Path::new(file), source));
    }
}
