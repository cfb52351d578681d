//! The key service: anonymous drop boxes, as CryptAByte's documentation promises them, in two
//! versions.
//!
//! A translation onto [`crate::domain::dropbox`]. [`asked`] reads off path, method and version what
//! is asked; [`v1`] answers in the words of the original, and is off unless the operator switched it
//! on, because its online half shows the gateway passphrases and texts; `v2` never does. Both are
//! at the same addresses, whose letters may be of either case, and within the one layer of `shape`.

pub mod asked;
mod cors;
mod grid;
mod openapi;
pub mod page;
mod shape;
pub mod transfers;
pub mod v1;
mod v2;

pub use openapi::openapi;
pub use page::PAGE;

use std::sync::Arc;

use axum::Router;

use crate::domain::dropbox::Depot;
use crate::http::cors::Origins;
use crate::http::gate::Gate;
use crate::http::layers::Guard;
use crate::http::leftovers::Leftovers;
use transfers::Transfers;

/// What the handlers work with.
pub struct KeyServiceState {
    /// The rules.
    pub depot: Arc<Depot>,
    /// How often who may come in, and how much of bodies fits.
    pub gate: Arc<Gate>,
    /// Version 1, if it is switched on.
    pub v1: Option<v1::One>,
    /// What the operator chose.
    pub settings: KeyServiceSettings,
    /// Files on their way.
    pub transfers: Transfers,
    /// Who finishes requests whose client has gone.
    pub leftovers: Arc<Leftovers>,
}

/// What an operator may choose for this dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyServiceSettings {
    /// The largest body of a request that is no file, bytes.
    pub body_limit: u64,
    /// About as many bytes of keys, texts and names as one answer may hold.
    pub answer_bytes: u64,
    /// Where the dialect is found from outside, without a slash at its end; if the operator said so.
    pub public_url: Option<String>,
    /// Whose pages may use it.
    pub origins: Origins,
    /// Whether it has an address of its own, whose root leads to its page.
    pub has_own_address: bool,
}

/// What the paths of this dialect begin with; letters of either case.
pub const PLACES: [&str; 4] = ["/service", "/selfdestruct", "/home", "/keyservice"];

/// Everything that this dialect answers. Whatever goes wrong has the shape of the version that was
/// asked for, unknown paths and time-outs included. Requests that bring files may take as long as a
/// poll in `guard`.
pub fn router(state: Arc<KeyServiceState>, guard: Guard) -> Router {
    shape::surround(state, guard)
}
