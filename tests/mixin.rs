//! The Mixin dialect, as a client meets it.

mod authentication;
mod bad_batches;
mod bad_items;
mod bad_tokens;
mod conversation_rosters;
mod conversations;
mod deliver_known;
mod duplicates;
mod idempotency;
mod inbox;
mod plain;
mod recalls;
mod relationships;
mod sending;
mod sessions;
mod shapes;
mod stale_lists;
mod top_up;
mod trouble;
mod users;
