//! What the gateway tells its operator about itself.

pub mod logs;
pub mod metrics;
#[cfg(feature = "otel")]
pub mod spans;
