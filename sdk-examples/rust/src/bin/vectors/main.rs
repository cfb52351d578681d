//! Checks the vectors of the repository with the SDK: `vectors DIR`.
//!
//! They are known answers for everything that a bot computes, and what it has to refuse. A file, a
//! list or a member that is not known here is an error, never something to pass over.

mod attachments;
mod envelopes;
mod keys;
mod names;
mod reading;
mod tokens;

use std::path::Path;
use std::{env, fs};

use reading::Wrong;

/// Says how many vectors of a file hold, or which one does not.
type Check = fn(file: &[u8]) -> Result<usize, Wrong>;

/// The files that concern bots.
const CHECKS: [(&str, Check); 9] = [
    ("attachment.json", attachments::check),
    ("base64url.json", names::check_base64url),
    ("checksum.json", names::check_checksums),
    ("conversation_id.json", names::check_conversations),
    ("envelope_v1.json", envelopes::check),
    ("ids.json", names::check_ids),
    ("keys.json", keys::check),
    ("plain_cryptography.json", envelopes::check_plain),
    ("token.json", tokens::check),
];

/// What else is in the folder.
const NOT_FOR_BOTS: [&str; 5] =
    ["README.md", "keyservice_v1.json", "keyservice_v2.json", "rsa_for_tests.pem", "tls"];

fn main() -> Result<(), Wrong> {
    let folder = env::args().nth(1).ok_or("usage: vectors DIR")?;
    let folder = Path::new(&folder);
    refuse_unknown_files(folder)?;
    let mut held = 0;
    for (name, check) in CHECKS {
        let wrong = |error: Wrong| format!("{name}: {error}");
        let file = fs::read(folder.join(name)).map_err(|error| wrong(error.into()))?;
        held += check(&file).map_err(wrong)?;
    }
    println!("{held} vectors hold");
    Ok(())
}

fn refuse_unknown_files(folder: &Path) -> Result<(), Wrong> {
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let is_known = CHECKS.iter().any(|(known, _)| name == *known);
        if !is_known && !NOT_FOR_BOTS.iter().any(|known| name == *known) {
            return Err(format!("{}: a file of an unknown kind", name.display()).into());
        }
    }
    Ok(())
}
