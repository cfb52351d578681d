//! What HushNet's clients see of the gateway.

mod mounting;
