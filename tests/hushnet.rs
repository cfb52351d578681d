//! What HushNet's clients see of the gateway.

mod federation;
mod mounting;
