//! What phones see of the gateway: registering, their devices and their contacts.

mod codes;
mod devices;
mod directory;
mod logs;
mod mounting;
mod push_ids;
mod registering;
mod tokens;
mod voice;
