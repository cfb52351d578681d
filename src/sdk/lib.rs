//! Placeholder docs.

pub mod base64url;
pub mod category;
pub mod checksum;
pub mod conversation;
pub mod ids;
pub mod keys;
pub mod types;

mod hex;
