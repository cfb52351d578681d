//! What every protocol shares: the listener, the layers around a request, problem documents.

pub mod asset;
pub mod blobs;
pub mod body;
pub mod cors;
pub mod course;
pub mod fault_log;
pub mod gate;
pub mod health;
pub mod layers;
pub mod leftovers;
pub mod metrics;
pub mod openapi;
pub mod path;
pub mod peer;
pub mod places;
pub mod problem;
pub mod query;
pub mod ratelimit;
pub mod request_id;
pub mod server;
pub mod shares;
pub mod start;
mod stream;
pub mod tls;
pub mod traffic;
pub mod upgrade;
pub mod wire;
