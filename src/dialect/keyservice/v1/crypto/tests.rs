//! What the tests of this module share.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;

/// What the original made, for us to make and to open.
pub(super) fn vectors() -> Value {
    let text =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keyservice_v1.json"));
    serde_json::from_str(text).unwrap()
}

/// A member of the recorded message.
pub(super) fn recorded(member: &str) -> String {
    vectors()["message"][member].as_str().unwrap().to_owned()
}

/// Randomness that is the same in every run.
pub(super) fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([42; 32])
}
