//! The page to try the gateway with: its guests, its bot, and itself in a browser.

mod echo;
mod guests;
mod page;
