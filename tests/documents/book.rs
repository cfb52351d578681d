//! The manual as a book: `docs/SUMMARY.md` has every page, once, and leads nowhere else.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::markdown;

/// The pages below `docs`, without the table of contents.
fn pages() -> BTreeSet<String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let entries = fs::read_dir(docs).expect("the manual").map(|entry| entry.expect("a page"));
    let names = entries.map(|entry| entry.file_name().into_string().expect("a name in Unicode"));
    let is_page = |name: &String| {
        Path::new(name).extension().is_some_and(|extension| extension == "md")
            && name != "SUMMARY.md"
    };
    names.filter(is_page).collect()
}

/// Title and page of each entry.
fn entries(summary: &str) -> Vec<(&str, &str)> {
    summary
        .lines()
        .filter_map(|line| {
            let line = line.trim_start_matches("- ").strip_prefix('[')?;
            let (title, page) = line.split_once("](")?;
            Some((title, page.strip_suffix(')')?))
        })
        .collect()
}

#[test]
fn every_page_is_in_the_book_once() {
    let summary = markdown::read("docs/SUMMARY.md");
    let entries = entries(&summary);
    let listed: BTreeSet<_> = entries.iter().map(|(_, page)| (*page).to_owned()).collect();
    assert_eq!(listed.len(), entries.len(), "a page is listed twice: {entries:?}");
    assert_eq!(listed, pages());
}

#[test]
fn the_book_is_made_of_this_folder() {
    let settings: toml::Table = markdown::read("docs/book.toml").parse().expect("TOML");
    assert_eq!(settings["book"]["src"].as_str(), Some("."));
    assert_eq!(settings["build"]["create-missing"].as_bool(), Some(false));
    let folder = settings["build"]["build-dir"].as_str().expect("a folder");
    assert!(folder.starts_with("../target/"), "{folder} is no place for what is built");
}

/// What the preprocessor of the book makes of a page; other versions of mdBook have other names around
/// it.
fn preprocessed(page: &str) -> String {
    let settings: Value =
        toml::from_str(&markdown::read("docs/book.toml")).expect("settings are plain values");
    let chapter = json!({"Chapter": {"name": "A page", "content": page, "sub_items": []}});
    let given = json!([{"config": settings}, {"items": [chapter], "__non_exhaustive": null}]);
    let command = settings["preprocessor"]["outside"]["command"].as_str().expect("a command");
    let mut words = command.split(' ');
    let mut child = Command::new(words.next().expect("a program"))
        .args(words)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python 3");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(given.to_string().as_bytes()).expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("the child was started here");
    let book: Value = serde_json::from_slice(&output.stdout).expect("a book");
    assert!(book.get("__non_exhaustive").is_some(), "nothing else is left out: {book}");
    book["items"][0]["Chapter"]["content"].as_str().expect("a page").to_owned()
}

#[test]
fn links_out_of_the_book_lead_to_the_source() {
    let page =
        "[a](../deploy/nginx.conf) [b](proxy.md#nginx) ![c](way.svg) [d](https://e.org/../f)";
    let repository = env!("CARGO_PKG_REPOSITORY");
    let expected = page.replace("../deploy", &format!("{repository}/blob/main/deploy"));
    assert_eq!(preprocessed(page), expected);
    for page in pages() {
        let text = markdown::read(Path::new("docs").join(&page));
        assert!(!preprocessed(&text).contains("](../"), "{page} leads out of the book");
    }
}

#[test]
fn the_picture_is_whole_and_reads_in_the_dark() {
    let picture = markdown::read("docs/way.svg");
    assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"));
    let (light, dark) = picture.split_once("prefers-color-scheme: dark").expect("both of them");
    for class in [".sheet", ".party", ".body", ".slot", ".line", ".head", "text {"] {
        let has = |part: &str| part.contains(class);
        assert!(has(light) && has(dark), "{class} has one colour only");
    }
    for document in ["README.md", "docs/README.md"] {
        let text = markdown::read(document);
        let (_, picture) = text.split_once("![").expect("a picture");
        let (words, path) = picture.split_once("](").expect("its words");
        assert!(words.len() > 60 && path.contains("way.svg)"), "{document}: {words}");
    }
}
