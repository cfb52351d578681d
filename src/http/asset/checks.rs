//! What the tests of every page ask of its files.

use super::Asset;

/// What would become markup or script that is not one of the files.
const MARKUP: &str = "innerHTML outerHTML insertAdjacentHTML document.write eval( Function( \
                      style=\" <style <script> onclick=\" javascript:";

/// What stands between `start` and the next quote, for each `start` in `text`.
pub fn quoted<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).filter_map(|rest| rest.split('"').next())
}

/// Each of `files` but pages is named by one of `others`.
pub fn assert_each_is_named<'a>(
    files: impl Iterator<Item = &'a Asset>,
    others: impl Iterator<Item = &'a Asset>,
) {
    let all: String = others.map(|file| file.text).collect();
    for name in files.map(|file| file.name).filter(|name| !name.is_empty()) {
        assert!(all.contains(&format!("/{name}\"")), "nobody uses {name}");
    }
}

/// No file makes markup or script of what is not one of the files.
pub fn assert_no_markup<'a>(files: impl Iterator<Item = &'a Asset>) {
    for file in files {
        for word in MARKUP.split(' ') {
            assert!(!file.text.contains(word), "{:?} has {word}", file.name);
        }
    }
}

/// No file but pictures names an address with its host, `known` aside.
pub fn assert_no_hosts<'a>(files: impl Iterator<Item = &'a Asset>, known: Option<&str>) {
    for file in files.filter(|file| file.content_type != super::PICTURE) {
        let count = file.text.matches("://").count();
        let expected = known.map_or(0, |known| file.text.matches(known).count());
        assert_eq!(count, expected, "{:?} names a host", file.name);
    }
}
