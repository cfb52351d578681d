//! What phones see of the gateway.

mod mounting;
