//! The files that pages share. Each page hands out those that it names under its own path, as it does
//! with its own: pages come and go by their settings, and proxies put something before their paths.

use super::{Asset, PICTURE, STYLE};

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
