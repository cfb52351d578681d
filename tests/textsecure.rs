//! What phones see of the gateway.

mod attachments;
mod codes;
mod devices;
mod directory;
mod keys;
mod letters;
mod logs;
mod messages;
mod mounting;
mod pull;
mod push_ids;
mod receipts;
mod registering;
mod stale_phones;
mod tokens;
mod voice;
