//! The page and its files.

use std::sync::LazyLock;

use axum::extract::{Path, Request};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::http::asset::{Asset, HTML, PICTURE, SCRIPT, STYLE};
use crate::http::problem;

/// Every module is in this list, as `name` and as the file of that name.
macro_rules! modules {
    ($($name:literal),+ $(,)?) => {
        [$(Asset::new($name, SCRIPT, include_str!(concat!("page/", $name)))),+]
    };
}

static PAGE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("", HTML, include_str!("page/index.html")));

static FILES: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut files = vec![
        Asset::new("style.css", STYLE, include_str!("page/style.css")),
        Asset::new("icon.svg", PICTURE, include_str!("page/icon.svg")),
    ];
    files.extend(modules![
        "bytes.js",
        "directory.js",
        "dom.js",
        "envelope.js",
        "exchange.js",
        "failure.js",
        "gateway.js",
        "inbox.js",
        "keys.js",
        "main.js",
        "md5.js",
        "names.js",
        "outbox.js",
        "person.js",
        "token.js",
        "view-chat.js",
        "view-gateway.js",
        "view-story.js",
        "words.js",
    ]);
    files
});

/// `GET /try`.
pub(super) async fn show(asked: HeaderMap) -> Response {
    PAGE.answer(&asked)
}

/// `GET /try/`: what the page names is beside it, so it has to be without the slash.
pub(super) async fn without_slash() -> Response {
    let headers = [(LOCATION, "../try"), (CACHE_CONTROL, "no-cache")];
    (StatusCode::PERMANENT_REDIRECT, headers).into_response()
}

/// `GET /try/{file}`.
pub(super) async fn file(Path(name): Path<String>, asked: HeaderMap, request: Request) -> Response {
    match FILES.iter().find(|file| file.name == name) {
        Some(file) => file.answer(&asked),
        None => problem::unknown_path(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static Asset> {
        FILES.iter().chain([&*PAGE])
    }

    /// What stands between `start` and the next quote, for each `start` in `text`.
    fn quoted<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(start).skip(1).filter_map(|rest| rest.split('"').next())
    }

    #[test]
    fn everything_that_the_page_or_a_module_names_is_served() {
        let mut count = 0;
        for asset in all() {
            for start in ["\"try/", "from \"./"] {
                for name in quoted(asset.text, start) {
                    let is_served = FILES.iter().any(|file| file.name == name);
                    assert!(is_served, "{:?} names {name}", asset.name);
                    count += 1;
                }
            }
        }
        assert!(count > FILES.len(), "only {count} names were found");
    }

    #[test]
    fn every_file_is_named_by_the_page_or_a_module() {
        let text: String = all().map(|asset| asset.text).collect();
        for name in FILES.iter().map(|file| file.name) {
            assert!(text.contains(&format!("/{name}\"")), "nobody uses {name}");
        }
    }

    #[test]
    fn nothing_becomes_markup_or_script_that_is_not_one_of_the_files() {
        let forbidden = "innerHTML outerHTML insertAdjacentHTML document.write eval( Function( \
                         style=\" <style <script> onclick=\" javascript:";
        for asset in all().filter(|asset| asset.name != "icon.svg") {
            for word in forbidden.split(' ') {
                assert!(!asset.text.contains(word), "{:?} has {word}", asset.name);
            }
            let addresses = asset.text.matches("://").count();
            let of_this_machine = asset.text.matches("http://127.0.0.1").count();
            assert_eq!(addresses, of_this_machine, "{:?} names a host", asset.name);
        }
    }
}
