//! Files of the repository that are generated from fixed seeds.

use std::fs;
use std::path::PathBuf;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::Value;

/// A path in the repository.
pub fn path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(relative)
}

/// Checks that a vector file says what the code generates, and returns what the file says.
pub fn vectors(name: &str, generated: &Value) -> Value {
    let relative = format!("tests/vectors/{name}");
    if is_writing() {
        write(&relative, format!("{generated:#}\n").as_bytes());
    }
    let stored: Value = serde_json::from_slice(&fs::read(path(&relative)).unwrap()).unwrap();
    assert!(stored == *generated, "{relative} is stale: run with SEALPOST_WRITE_VECTORS=1");
    stored
}

/// Checks that a file has these bytes.
pub fn bytes(relative: &str, generated: &[u8]) {
    if is_writing() {
        write(relative, generated);
    }
    let stored = fs::read(path(relative)).unwrap_or_default();
    assert!(stored == generated, "{relative} is stale: run with SEALPOST_WRITE_VECTORS=1");
}

fn is_writing() -> bool {
    std::env::var_os("SEALPOST_WRITE_VECTORS").is_some()
}

/// Replaces a file in one step, because several tests may read it meanwhile.
fn write(relative: &str, bytes: &[u8]) {
    let path = path(relative);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let temporary = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
    fs::write(temporary.path(), bytes).unwrap();
    temporary.persist(&path).unwrap();
}

pub fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// The same signature with the group's order added to its scalar, which verifies where nobody looks.
pub fn unreduced(mut signature: [u8; 64]) -> [u8; 64] {
    let order = unhex(&"edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010".into());
    let mut carry = 0;
    for (byte, more) in signature[32..].iter_mut().zip(order) {
        let [low, high] = (u16::from(*byte) + u16::from(more) + carry).to_le_bytes();
        *byte = low;
        carry = u16::from(high);
    }
    signature
}

/// The text of a JSON member.
pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}

/// The list in a JSON member, which must not be empty.
pub fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    let list = value[member].as_array().unwrap();
    assert!(!list.is_empty(), "{member} has entries");
    list
}
