//! What phones see of the gateway.

mod attachments;
mod codes;
mod devices;
mod directory;
mod federation;
mod keys;
mod letters;
mod logs;
mod messages;
mod mounting;
mod notifying;
mod pages;
mod pull;
mod push_ids;
mod receipts;
mod registering;
mod socket_client;
mod socket_endings;
mod socket_json;
mod socket_protobuf;
mod socket_provisioning;
mod stale_phones;
mod tokens;
mod two_phones;
mod vault;
mod voice;
