//! The pages for people: drop boxes at `/keyservice`, and letters that destroy themselves.
//!
//! Everything is sealed and opened in the browser, by the modules beside this file; the gateway
//! hands them out and sees what any other client would send.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::http::asset::{Asset, HTML, STYLE, modules, shared};

/// Where the page for drop boxes is; its modules are below it.
pub const PAGE: &str = "/keyservice";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let mut assets = vec![
        Asset::new("", HTML, include_str!("page/index.html")),
        Asset::new("style.css", STYLE, include_str!("page/style.css")),
        shared::look(),
        shared::icon(),
        shared::bytes(),
        shared::dom(),
        shared::shown(),
    ];
    assets.extend(modules![
        "aead.js",
        "base64url.js",
        "box.js",
        "failure.js",
        "file.js",
        "forms.js",
        "gateway.js",
        "kdf.js",
        "letter.js",
        "link.js",
        "main.js",
        "message.js",
        "strength.js",
        "take.js",
        "view-create.js",
        "view-letter.js",
        "view-message.js",
        "view-read.js",
        "view-write.js",
        "x25519.js",
    ]);
    assets
});

static LETTER: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("", HTML, include_str!("page/read.html")));

/// The answer to `GET` of a path at or below [`PAGE`], whatever the case of its letters; none if
/// there is no such file.
#[must_use]
pub fn answer(path: &str, asked: &HeaderMap) -> Option<Response> {
    let (start, rest) = path.split_at_checked(PAGE.len())?;
    if !start.eq_ignore_ascii_case(PAGE) {
        return None;
    }
    if rest == "/" {
        return Some(led_to("../keyservice".to_owned(), StatusCode::PERMANENT_REDIRECT));
    }
    let name = rest.strip_prefix('/').or(rest.is_empty().then_some(""))?;
    let asset = ASSETS.iter().find(|asset| asset.name.eq_ignore_ascii_case(name))?;
    Some(asset.answer(asked))
}

/// What leads from `/` to the page, at an address that has nothing else.
#[must_use]
pub fn from_root() -> Response {
    led_to("keyservice".to_owned(), StatusCode::SEE_OTHER)
}

/// The page that shows a letter of version 2, for `GET /selfdestruct/read`. The link's secret is in
/// its fragment, which never comes here; nothing is destroyed before the person at the page says so.
/// A slash at the end of `path` leads to the path without it, as does every further one.
#[must_use]
pub fn letter(path: &str, asked: &HeaderMap) -> Response {
    match path.len() - path.trim_end_matches('/').len() {
        0 => LETTER.answer(asked),
        // Browsers keep the fragment.
        slashes => led_to("../".repeat(slashes) + "read", StatusCode::PERMANENT_REDIRECT),
    }
}

/// What a page names is beside it, and so is where one is led to: a proxy may put something before
/// all paths.
fn led_to(place: String, status: StatusCode) -> Response {
    (status, [(LOCATION, place), (CACHE_CONTROL, "no-cache".to_owned())]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::asset::checks::{
        assert_each_is_named, assert_no_hosts, assert_no_markup, quoted,
    };

    fn all() -> impl Iterator<Item = &'static Asset> {
        ASSETS.iter().chain([&*LETTER])
    }

    fn get(path: &str) -> Option<Response> {
        answer(path, &HeaderMap::new())
    }

    fn place(response: &Response) -> &str {
        response.headers()[LOCATION].to_str().unwrap()
    }

    #[test]
    fn everything_that_a_page_or_module_names_is_served() {
        for asset in all() {
            let starts = ["\"keyservice/", "\"../keyservice/", "from \"./"];
            for name in starts.iter().flat_map(|start| quoted(asset.text, start)) {
                assert!(get(&format!("{PAGE}/{name}")).is_some(), "{:?} names {name}", asset.name);
            }
        }
    }

    #[test]
    fn every_module_is_named_by_a_page_or_another_module() {
        assert_each_is_named(ASSETS.iter(), all());
    }

    #[test]
    fn nothing_becomes_markup_or_script_that_is_not_one_of_the_files() {
        assert_no_markup(all());
        assert_no_hosts(all(), None);
    }

    #[test]
    fn paths_are_taken_in_any_case() {
        for path in ["/keyservice", "/KeyService", "/KEYSERVICE/Main.JS"] {
            assert!(get(path).is_some(), "{path}");
        }
        for path in ["/keyservices", "/keyservice/none.js", "/keyservic", "/keyservice//main.js"] {
            assert!(get(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_slash_at_the_end_leads_to_the_page() {
        let response = get("/keyservice/").unwrap();
        assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(place(&response), "../keyservice");
        for (path, leads_to) in
            [("/SelfDestruct/Read/", "../read"), ("/selfdestruct/read//", "../../read")]
        {
            let response = letter(path, &HeaderMap::new());
            assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT, "{path}");
            assert_eq!(place(&response), leads_to);
        }
        assert_eq!(place(&from_root()), "keyservice");
    }
}
