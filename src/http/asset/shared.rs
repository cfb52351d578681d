//! The files that pages share. Each page hands out those that it names under its own path, as it does
//! with its own: pages come and go by their settings, and proxies put something before their paths.

use super::{Asset, PICTURE, SCRIPT, STYLE};

/// What all pages look like; the page's own sheet comes after it.
#[must_use]
pub fn look() -> Asset {
    Asset::new("look.css", STYLE, include_str!("look.css"))
}

/// A sealed letter, for the page's tab.
#[must_use]
pub fn icon() -> Asset {
    Asset::new("icon.svg", PICTURE, include_str!("icon.svg"))
}

/// Bytes, and the texts that stand for them.
#[must_use]
pub fn bytes() -> Asset {
    Asset::new("bytes.js", SCRIPT, include_str!("bytes.js"))
}

/// Finding elements, and asking before something is done.
#[must_use]
pub fn dom() -> Asset {
    Asset::new("dom.js", SCRIPT, include_str!("dom.js"))
}

/// Times, sizes and the names of others, as people are shown them.
#[must_use]
pub fn shown() -> Asset {
    Asset::new("shown.js", SCRIPT, include_str!("shown.js"))
}
