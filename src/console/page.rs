//! The page and its modules: everybody may have them, and they know nothing.

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::response::{IntoResponse, Response};

use super::PLACE;
use crate::http::asset::{Asset, HTML, SCRIPT, STYLE, modules, shared};
use crate::http::problem::unknown_path;

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut assets = vec![
        Asset::new("", HTML, include_str!("page/index.html")),
        Asset::new("style.css", STYLE, include_str!("page/style.css")),
        shared::look(),
        shared::icon(),
        shared::dom(),
        shared::shown(),
        Asset::new("uplot.js", SCRIPT, include_str!("vendor/uplot/uPlot.iife.min.js")),
        Asset::new("uplot.css", STYLE, include_str!("vendor/uplot/uPlot.min.css")),
    ];
    assets.extend(modules![
        "charts.js",
        "gateway.js",
        "main.js",
        "parts.js",
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
    use crate::http::asset::checks::{
        assert_each_is_named, assert_no_hosts, assert_no_markup, quoted,
    };

    /// Ours, without what is bundled.
    fn own() -> impl Iterator<Item = &'static Asset> {
        ASSETS.iter().filter(|asset| !asset.name.starts_with("uplot"))
    }

    #[test]
    fn every_file_is_named_by_another_and_every_name_is_a_file() {
        assert_each_is_named(ASSETS.iter(), own());
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
        assert_no_markup(own());
        assert_no_hosts(own(), None);
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
