//! Sockets: what happens to a member, told at once.

use std::sync::Arc;

use super::Routes;
use crate::http::places::Places;

/// The sockets of this dialect.
#[derive(Debug)]
pub struct Sockets {
    /// Room for them, shared with other dialects.
    pub places: Arc<Places>,
}

impl Sockets {
    /// None yet.
    #[must_use]
    pub fn new(places: Arc<Places>) -> Self {
        Self { places }
    }
}

/// The routes of this file.
pub(super) fn routes() -> Routes {
    Routes::new()
}
