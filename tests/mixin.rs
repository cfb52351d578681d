//! The Mixin dialect, as a client meets it.

mod attachments;
mod authentication;
mod bad_batches;
mod bad_items;
mod bad_tokens;
mod conversations;
mod duplicates;
mod inbox;
mod limits;
mod sending;
mod sessions;
mod shapes;
mod stale_lists;
mod trouble;
mod users;
