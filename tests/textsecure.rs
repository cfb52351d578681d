//! What phones see of the gateway.

mod attachments;
mod keys;
mod letters;
mod messages;
mod mounting;
mod pull;
mod receipts;
mod stale_phones;
