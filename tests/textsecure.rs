//! What phones see of the gateway.

mod attachments;
mod keys;
mod letters;
mod messages;
mod mounting;
mod notifying;
mod pages;
mod pull;
mod receipts;
mod socket_client;
mod socket_endings;
mod socket_json;
mod socket_protobuf;
mod socket_provisioning;
mod stale_phones;
