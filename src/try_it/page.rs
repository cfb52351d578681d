//! The page and its files.

use std::sync::LazyLock;

use axum::extract::{Path, Request};
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::http::asset::{Asset, HTML, PICTURE, STYLE, modules, shared};
use crate::http::problem;

static PAGE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("", HTML, include_str!("page/index.html")));

static FILES: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut files = vec![
        Asset::new("style.css", STYLE, include_str!("page/style.css")),
        Asset::new("icon.svg", PICTURE, include_str!("page/icon.svg")),
        shared::look(),
        shared::bytes(),
        shared::dom(),
        shared::shown(),
    ];
    files.extend(modules![
        "directory.js",
        "envelope.js",
        "exchange.js",
        "failure.js",
        "gateway.js",
        "ids.js",
        "inbox.js",
        "keys.js",
        "main.js",
        "md5.js",
        "names.js",
        "outbox.js",
        "parts.js",
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
    use crate::http::asset::checks::{
        assert_each_is_named, assert_no_hosts, assert_no_markup, quoted,
    };

    fn all() -> impl Iterator<Item = &'static Asset> {
        FILES.iter().chain([&*PAGE])
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
        assert_each_is_named(FILES.iter(), all());
    }

    #[test]
    fn nothing_becomes_markup_or_script_that_is_not_one_of_the_files() {
        assert_no_markup(all());
        assert_no_hosts(all(), Some("http://127.0.0.1"));
    }
}
