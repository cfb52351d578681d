//! Behaviour that needs no inside view: vectors, corpora of the fuzz targets, and what `Debug`
//! shows.
//!
//! Vectors and corpora are generated here from fixed seeds and kept in the repository. A test fails
//! when a file is not what the code generates; after a deliberate change, run the tests once with
//! `SEALPOST_WRITE_VECTORS=1` and read the difference.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod attachment_vectors;
mod corpus;
#[cfg(feature = "dropbox")]
mod dropbox_secrets;
#[cfg(feature = "dropbox")]
mod dropbox_vectors;
mod envelope_vectors;
mod generated;
mod id_vectors;
mod key_vectors;
mod secrets;
mod token_vectors;
