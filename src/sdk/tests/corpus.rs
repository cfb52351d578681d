//! The corpora of the fuzz targets: the seeds are generated here, and every file is replayed.

use std::fs;

use sealpost_sdk::envelope::{Recipient, parse, seal};
use sealpost_sdk::fuzzing;
use sealpost_sdk::ids::{SessionId, UserId};
use sealpost_sdk::keys::SigningKey;
use sealpost_sdk::token::{RequestClaims, body_digest, sign};

use crate::generated;

fn envelope(slots: u8) -> Vec<u8> {
    let me = Recipient { session: fuzzing::SESSION, key: fuzzing::device_secret().public() };
    let others = (1..slots).map(|number| Recipient {
        session: SessionId::from_bytes([number; 16]),
        key: SigningKey::from_seed(&[number; 32]).verifying_key().agreement_key(),
    });
    let recipients: Vec<_> = others.chain([me]).collect();
    let sender = SigningKey::from_seed(&[0x5e; 32]).agreement_secret();
    seal(fuzzing::PLAINTEXT, &sender, &recipients, None, &mut generated::rng(slots)).unwrap()
}

fn with(bytes: &[u8], offset: usize, replacement: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[offset..offset + replacement.len()].copy_from_slice(replacement);
    bytes
}

fn envelope_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let [one, three] = [1, 3].map(envelope);
    let slice = parse(&three).unwrap().slice_for(fuzzing::SESSION).unwrap();
    vec![
        ("one_slot", one.clone()),
        ("three_slots", three.clone()),
        ("slice", slice),
        ("empty", Vec::new()),
        ("header_alone", one[..35].to_vec()),
        ("shortest", one[..127].to_vec()),
        ("version_2", with(&one, 0, &[2])),
        ("no_sessions", with(&one, 1, &[0, 0])),
        ("too_many_sessions", with(&one, 1, &[0xff, 0x01])),
        ("count_of_more_than_there_is", with(&three, 1, &[4, 0])),
        ("duplicate_session", with(&three, 35 + 64, &[1; 16])),
        ("small_order_sender", with(&one, 3, &[0; 32])),
        ("changed_slot", with(&one, 35 + 40, &[0])),
        ("changed_body", with(&one, 35 + 64 + 12, &[0])),
        ("without_tag", one[..one.len() - 16].to_vec()),
    ]
}

fn token_seeds() -> Vec<(&'static str, Vec<u8>)> {
    let claims = RequestClaims {
        uid: UserId::from_bytes([1; 16]),
        sid: SessionId::from_bytes([2; 16]),
        iat: 1_750_000_000,
        exp: 1_750_000_060,
        jti: "one".to_owned(),
        sig: body_digest("GET", "/me", b""),
        scp: "FULL".to_owned(),
    };
    let sound = sign(&claims, &fuzzing::signing_key()).unwrap();
    let extreme = RequestClaims { iat: i64::MIN, exp: i64::MAX, ..claims.clone() };
    let extreme = sign(&extreme, &fuzzing::signing_key()).unwrap();
    let (message, signature) = sound.rsplit_once('.').unwrap();
    let (_, payload) = message.split_once('.').unwrap();
    let texts = [
        ("sound", sound.clone()),
        ("extreme_times", extreme),
        ("empty", String::new()),
        ("dots", "..".to_owned()),
        ("four_parts", format!("{sound}.AAAA")),
        // {"alg":"none"}, {"alg":"HS256","typ":"JWT"} and {"alg":"EdDSA","crit":["exp"]}
        ("algorithm_none", format!("eyJhbGciOiJub25lIn0.{payload}.")),
        ("algorithm_hs256", format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{payload}.{signature}")),
        ("critical", format!("eyJhbGciOiJFZERTQSIsImNyaXQiOlsiZXhwIl19.{payload}.{signature}")),
        ("short_signature", format!("{message}.AAAA")),
        ("not_base64", format!("{message}.\u{e9}")),
        ("standard_alphabet", format!("{message}.+/+/")),
    ];
    texts.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}

/// Checks the seeds, then replays every file: those that a fuzzer found as well.
fn replay(target: &str, seeds: &[(&str, Vec<u8>)], exercise: fn(&[u8])) {
    let folder = format!("fuzz/corpus/{target}");
    for (name, bytes) in seeds {
        generated::bytes(&format!("{folder}/{name}"), bytes);
    }
    let mut replayed = 0;
    for file in fs::read_dir(generated::path(&folder)).unwrap() {
        exercise(&fs::read(file.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed >= seeds.len(), "{folder} holds every seed");
}

#[test]
fn the_envelope_corpus_breaks_no_promise() {
    replay("envelope_parse_open", &envelope_seeds(), fuzzing::envelope_parse_open);
}

#[test]
fn the_token_corpus_breaks_no_promise() {
    replay("token_parse", &token_seeds(), fuzzing::token_parse);
}
