//! The Mixin dialect, as a client meets it.

mod attachments;
mod authentication;
mod bad_batches;
mod bad_items;
mod bad_tokens;
mod conversations;
mod duplicates;
mod etags;
mod groups;
mod inbox;
mod invitations;
mod limits;
mod profile;
mod revocation;
mod sending;
mod session_changes;
mod sessions;
mod shapes;
mod sign_up;
mod stale_lists;
mod trouble;
mod users;
