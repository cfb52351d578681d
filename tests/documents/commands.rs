//! Every command in a document is run by a test, or is of a kind that a test with a name looks at.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::documents;
use crate::examples::python_tutorial;
use crate::markdown::{self, Block};
use crate::{backup, containers, proxies, systemd, walkthrough};

/// Commands that are not run word by word, but that a test covers which fails when they are wrong.
struct Covered {
    /// The document.
    file: &'static str,
    /// How the commands begin.
    begins: &'static str,
    /// The test: module and function.
    by: &'static str,
}

const fn covered(file: &'static str, begins: &'static str, by: &'static str) -> Covered {
    Covered { file, begins, by }
}

/// What docker is told to run within is run; the rest is written down and compared.
const DOCKER: &str = "containers::what_the_commands_run_within_containers_works";

const COVERED: &[Covered] = &[
    // It runs this very test.
    covered("README.md", "./scripts/test.sh", "documents::the_readme_begins_with_its_two_commands"),
    covered(
        "CONTRIBUTING.md",
        "./scripts/test.sh",
        "documents::the_readme_begins_with_its_two_commands",
    ),
    covered(
        "CONTRIBUTING.md",
        "mdbook build docs",
        "documents::book::every_page_is_in_the_book_once",
    ),
    covered(
        "docs/operation.md",
        "SEALPOST_DATABASE__URL=",
        "backup::what_waited_on_a_server_waits_after_a_restore",
    ),
    covered(
        "docs/command-line.md",
        "sealpost bot send ",
        "cli::send::a_text_goes_to_every_device_and_each_can_read_it",
    ),
    covered(
        "docs/command-line.md",
        "df -h | sealpost bot send ",
        "cli::send::a_pipe_is_read_without_the_line_break_at_its_end",
    ),
    covered(
        "docs/command-line.md",
        "sealpost bot broadcast ",
        "cli::broadcast::rows_that_fail_are_told_with_line_and_reason_and_hold_up_no_other",
    ),
    covered(
        "docs/command-line.md",
        "sealpost completions ",
        "cli::completions::each_shell_gets_a_script_that_knows_the_commands",
    ),
    covered("docs/operation.md", "systemctl ", MOVING),
    covered("docs/operation.md", "sealpost export ", MOVING),
    covered("docs/operation.md", "export SEALPOST_DATABASE__URL=", MOVING),
    covered("docs/operation.md", "sealpost import ", MOVING),
    // No container runs where the tests do.
    covered("docs/installation.md", "docker ", DOCKER),
    // A host on the internet.
    covered(
        "docs/proxy.md",
        "curl -fsS https://gateway.example/readyz",
        "proxies::nginx_passes_everything_on",
    ),
    // The examples are run with what `scripts/prepare.sh` has made by the same commands.
    covered("sdk-examples/README.md", "cargo run -p sealpost-examples --bin vectors ", RUST),
    covered("sdk-examples/README.md", "cargo run -p sealpost-examples --bin echo_bot ", RUST),
    covered("sdk-examples/README.md", "cargo run -p sealpost-examples --bin broadcast ", RUST),
    covered(
        "sdk-examples/README.md",
        "cargo run -p sealpost-examples --bin session_refresh ",
        RUST,
    ),
    covered(
        "sdk-examples/README.md",
        "cargo run -p sealpost-examples --bin group_bot ",
        "examples::rust::group_bot_greets_and_answers",
    ),
    covered(
        "sdk-examples/README.md",
        "cargo run -p sealpost-examples --bin conversation_refresh ",
        "examples::rust::conversation_refresh_seals_again_for_who_is_there_now",
    ),
    covered(
        "sdk-examples/README.md",
        "cargo run -p sealpost-examples --bin drop_box ",
        "examples::rust::drop_box_keeps_a_text_for_whoever_knows_the_passphrase",
    ),
    covered("sdk-examples/python/README.md", "cd ", PYTHON),
    covered("sdk-examples/python/README.md", "python3 -m venv .venv", PYTHON_SET_UP),
    covered("sdk-examples/python/README.md", ".venv/bin/pip install --no-deps -r", PYTHON_SET_UP),
    covered(
        "sdk-examples/python/README.md",
        ".venv/bin/openapi-python-client generate",
        PYTHON_SET_UP,
    ),
    covered("sdk-examples/python/README.md", ".venv/bin/python -m sealpost_example ", PYTHON),
    covered("sdk-examples/go/README.md", "cd ", GO),
    covered("sdk-examples/go/README.md", "go build -o sealpost-example .", GO),
    covered("sdk-examples/go/README.md", "./sealpost-example ", GO),
    covered("sdk-examples/typescript/README.md", "cd ", NODE),
    covered("sdk-examples/typescript/README.md", "npm ", NODE),
    covered("sdk-examples/typescript/README.md", "node build/typescript/src/main.js ", NODE),
    covered("sdk-examples/browser/README.md", "cd ", PAGE),
    covered("sdk-examples/browser/README.md", "npm ", PAGE),
    covered("sdk-examples/browser/README.md", "node build/browser/serve.js ", PAGE),
];

const MOVING: &str = "cli::moving::it_moves_from_a_file_to_a_server_and_back";
const RUST: &str = "examples::rust_does_what_every_language_does";
const PYTHON: &str = "examples::python_does_what_every_language_does";
const PYTHON_SET_UP: &str = "examples::python_tutorial::every_command_of_the_tutorial_works";
const GO: &str = "examples::go_does_what_every_language_does";
const NODE: &str = "examples::typescript_does_what_every_language_does";
const PAGE: &str = "examples::browser::";

/// Whether a test runs this block as it stands.
fn is_run(file: &str, block: &Block) -> bool {
    let below = |heading: &str| block.headings.iter().any(|one| one == heading);
    let pages = walkthrough::PAGES.iter().map(|page| (page.file, page.heading));
    let sections = [python_tutorial::SECTION].into_iter();
    let sections = sections.chain(backup::SECTIONS).chain([systemd::SECTION, containers::SECRETS]);
    let mut sections = pages.chain(sections).chain(proxies::SECTIONS);
    sections.any(|(page, heading)| page == file && below(heading))
        && !block.text.starts_with("docker ")
}

/// All commands of the documents: the file, the command, and whether its block is run as it stands.
fn commands() -> Vec<(String, String, bool)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for document in documents() {
        let file = document.strip_prefix(root).expect("below the root").display().to_string();
        let text = fs::read_to_string(&document).expect("a document");
        for block in markdown::blocks(&text).iter().filter(|block| block.kind == "sh") {
            let is_run = is_run(&file, block);
            let commands = markdown::commands(&block.text).into_iter();
            found.extend(commands.map(|command| (file.clone(), command, is_run)));
        }
    }
    found
}

#[test]
fn every_command_is_run_or_covered_by_a_test() {
    let all = commands();
    assert!(all.len() > 100, "only {} commands", all.len());
    // What one page has run is run, whichever other page has it as well.
    let run: BTreeSet<_> = all.iter().filter(|(.., run)| *run).map(|(_, one, _)| one).collect();
    let missing: Vec<_> = all
        .iter()
        .filter(|(file, command, is_run)| {
            !is_run && !run.contains(command) && !covers(file, command)
        })
        .collect();
    assert!(missing.is_empty(), "nobody runs these commands: {missing:#?}");
}

fn covers(file: &str, command: &str) -> bool {
    COVERED.iter().any(|one| one.file == file && command.starts_with(one.begins))
}

#[test]
fn whatever_covers_commands_is_there_and_is_needed() {
    let all = commands();
    for Covered { file, begins, by } in COVERED {
        let used = all
            .iter()
            .any(|(one, command, run)| one == file && !run && command.starts_with(begins));
        assert!(used, "{file} has no command {begins} any more");
        assert!(is_a_test(by), "there is no test {by}");
    }
}

/// Whether the module has a test of this name; any test where it ends with `::`.
fn is_a_test(path: &str) -> bool {
    let (module, name) = path.rsplit_once("::").expect("module and test");
    let file = PathBuf::from("tests").join(module.replace("::", "/")).with_extension("rs");
    let source = markdown::read(file);
    let mut tests = source.split("#[test]").skip(1).chain(source.split("#[tokio::test").skip(1));
    tests.any(|after| {
        let function = after.split("fn ").nth(1).unwrap_or_default();
        function.starts_with(&format!("{name}(")) || name.is_empty() && !function.is_empty()
    })
}

#[test]
fn a_test_that_is_not_there_covers_nothing() {
    assert!(is_a_test("documents::commands::every_command_is_run_or_covered_by_a_test"));
    assert!(!is_a_test("documents::commands::nobody_has_written_this"));
}
