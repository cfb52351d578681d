//! The Mixin dialect, as a client meets it.

mod authentication;
mod bad_batches;
mod bad_items;
mod bad_tokens;
mod conversations;
mod duplicates;
mod gaps;
mod inbox;
mod poison;
mod quota;
mod sending;
mod sessions;
mod shapes;
mod stale_lists;
mod trouble;
mod users;
