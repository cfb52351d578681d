//! Where the bytes of attachments are kept, each written once.
//!
//! What a store of bytes has to do is written down in [`crate::domain::ports::Blobs`].

mod draft;
mod local;

pub use local::LocalBlobs;
