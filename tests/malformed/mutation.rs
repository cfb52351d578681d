//! From a good frame to a bad one.

use rand_chacha::ChaCha20Rng;
use rand_core::Rng as _;
use serde_json::{Map, Value, json};

/// A number below `limit`.
pub fn below(rng: &mut ChaCha20Rng, limit: usize) -> usize {
    usize::try_from(rng.next_u32()).expect("32 bits") % limit.max(1)
}

/// Values that no field expects.
fn odd_value(rng: &mut ChaCha20Rng) -> Value {
    match below(rng, 16) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(i64::MAX),
        4 => json!(1e300),
        5 => json!(""),
        6 => json!("\u{0}\u{202e}\u{10ffff}"),
        7 => json!("A".repeat(1 << below(rng, 14))),
        8 => json!([]),
        9 => json!({}),
        10 => nested(below(rng, 200)),
        11 => json!("00000000-0000-0000-0000-000000000000"),
        12 => json!("ffffffff-ffff-ffff-ffff-ffffffffffff"),
        13 => json!("====________----"),
        14 => json!([null, 1, "x", {"message_id": 7}]),
        _ => json!(format!("{:x}", rng.next_u64())),
    }
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!(1), |inner, _| json!([inner]))
}

/// Changes something somewhere inside.
pub fn mutate(value: &mut Value, rng: &mut ChaCha20Rng) {
    match value {
        Value::Object(members) if !members.is_empty() && below(rng, 5) > 0 => {
            mutate_object(members, rng);
        }
        Value::Array(items) if !items.is_empty() && below(rng, 5) > 0 => {
            let index = below(rng, items.len());
            match below(rng, 4) {
                0 => drop(items.remove(index)),
                1 => items.extend(vec![items[index].clone(); below(rng, 150)]),
                _ => mutate(&mut items[index], rng),
            }
        }
        Value::String(text) if !text.is_empty() && below(rng, 3) > 0 => *text = spoil(text, rng),
        other => *other = odd_value(rng),
    }
}

fn mutate_object(members: &mut Map<String, Value>, rng: &mut ChaCha20Rng) {
    let index = below(rng, members.len());
    let Some(name) = members.keys().nth(index).cloned() else { return };
    match below(rng, 6) {
        0 => drop(members.remove(&name)),
        1 => drop(members.insert(name, odd_value(rng))),
        2 => drop(members.insert(format!("{name}x"), odd_value(rng))),
        _ => {
            if let Some(member) = members.get_mut(&name) {
                mutate(member, rng);
            }
        }
    }
}

/// The same text with a few characters changed, missing, or too many.
fn spoil(text: &str, rng: &mut ChaCha20Rng) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for _ in 0..=below(rng, 3) {
        let index = below(rng, characters.len());
        match below(rng, 3) {
            0 => characters.truncate(index),
            1 => characters.insert(index, char::from(rng.next_u32().to_le_bytes()[0])),
            _ => {
                if let Some(character) = characters.get_mut(index) {
                    *character = char::from(rng.next_u32().to_le_bytes()[0]);
                }
            }
        }
    }
    characters.into_iter().collect()
}

/// The same bytes with a few of them changed, missing, or too many.
pub fn spoil_bytes(bytes: &mut Vec<u8>, rng: &mut ChaCha20Rng) {
    for _ in 0..=below(rng, 4) {
        let index = below(rng, bytes.len());
        let byte = rng.next_u32().to_le_bytes()[0];
        match below(rng, 4) {
            0 => bytes.truncate(index),
            1 => bytes.insert(index.min(bytes.len()), byte),
            _ => {
                if let Some(old) = bytes.get_mut(index) {
                    *old = byte;
                }
            }
        }
    }
}
