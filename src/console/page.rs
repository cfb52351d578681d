//! The page and its modules: everybody may have them, and they know nothing.

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::response::{IntoResponse, Response};

use super::PLACE;
use crate::http::asset::{Asset, HTML, PICTURE, SCRIPT, STYLE};
use crate::http::problem::unknown_path;

/// Every module is in this list, as `name` and as the file of that name.
macro_rules! modules {
    ($($name:literal),+ $(,)?) => {
        [$(Asset::new($name, SCRIPT, include_str!(concat!("page/", $name)))),+]
    };
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut assets = vec![
        Asset::new("", HTML, include_str!("page/index.html")),
        Asset::new("style.css", STYLE, include_str!("page/style.css")),
        Asset::new("icon.svg", PICTURE, include_str!("page/icon.svg")),
        Asset::new("uplot.js", SCRIPT, include_str!("vendor/uplot/uPlot.iife.min.js")),
        Asset::new("uplot.css", STYLE, include_str!("vendor/uplot/uPlot.min.css")),
    ];
    assets.extend(modules![
        "charts.js",
        "dom.js",
        "gateway.js",
        "main.js",
        "view-account.js",
        "view-accounts.js",
        "view-login.js",
        "view-overview.js",
        "view-settings.js",
    ]);
    assets
});

/// The file at the request's path.
pub(super) async fn serve(request: Request) -> Response {
    let rest = request.uri().path().strip_prefix(PLACE).unwrap_or_default();
    if rest == "/" {
        let place = [(LOCATION, "../console"), (CACHE_CONTROL, "no-cache")];
        return (StatusCode::PERMANENT_REDIRECT, place).into_response();
    }
    let name = rest.strip_prefix('/').unwrap_or_default();
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => asset.answer(request.headers()),
        None => unknown_path(request).await,
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// Ours, without what is bundled.
    fn own() -> impl Iterator<Item = &'static Asset> {
        ASSETS.iter().filter(|asset| !asset.name.starts_with("uplot"))
    }

    /// What stands between `start` and the next quote, for each `start` in `text`.
    fn quoted<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
        text.split(start).skip(1).filter_map(|rest| rest.split('"').next())
    }

    #[test]
    fn every_file_is_named_by_another_and_every_name_is_a_file() {
        let all: String = own().map(|asset| asset.text).collect();
        for name in ASSETS.iter().map(|asset| asset.name).filter(|name| !name.is_empty()) {
            assert!(all.contains(&format!("/{name}\"")), "nobody uses {name}");
        }
        for asset in own() {
            let names = ["\"console/", "from \"./"].into_iter();
            for name in names.flat_map(|start| quoted(asset.text, start)) {
                let is_there = ASSETS.iter().any(|asset| asset.name == name);
                assert!(is_there, "{:?} names {name}", asset.name);
            }
        }
    }

    #[test]
    fn nothing_becomes_markup_or_script_that_is_not_one_of_the_files() {
        let forbidden = "innerHTML outerHTML insertAdjacentHTML document.write eval( Function( \
                         style=\" <style <script> onclick=\" javascript: http:// https://";
        for asset in own().filter(|asset| asset.name != "icon.svg") {
            for word in forbidden.split(' ') {
                assert!(!asset.text.contains(word), "{:?} has {word}", asset.name);
            }
        }
    }

    #[test]
    fn what_is_bundled_is_what_its_readme_says() {
        let readme = include_str!("vendor/uplot/README.md");
        for (name, text) in [
            ("uPlot.iife.min.js", include_str!("vendor/uplot/uPlot.iife.min.js")),
            ("uPlot.min.css", include_str!("vendor/uplot/uPlot.min.css")),
            ("LICENSE", include_str!("vendor/uplot/LICENSE")),
        ] {
            let digest = Sha256::digest(text.as_bytes());
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            let row = format!("| `{name}` | `{digest}` |");
            assert!(readme.contains(&row), "README.md has no line {row}");
        }
    }
}
