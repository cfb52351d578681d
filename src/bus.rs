//! Hints between the parts of the gateway: who should look at the store again.

mod local;

pub use local::LocalBus;
