//! What the clients of drop boxes see of the gateway.

mod limits;
mod logs;
mod mail;
mod memory;
mod mounting;
mod page;
mod timing;
mod v1;
mod v2;
