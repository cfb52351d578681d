//! Files, in pieces of every kind.

use proptest::prelude::*;
use sealpost_sdk::dropbox::{
    FileError, FileOpener, FileSealer, SealError, plain_length, sealed_length,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{BOXES, Chosen, VECTORS, box_of, bytes, reason_of_open};
use crate::generated::{list, rng, text};

fn number(case: &Value, member: &str) -> usize {
    usize::try_from(case[member].as_u64().unwrap()).unwrap()
}

fn plain(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

fn body(mut sealer: FileSealer, plain: &[u8], piece: usize) -> Result<Vec<u8>, SealError> {
    let mut body = Vec::new();
    for piece in plain.chunks(piece) {
        sealer.update(piece, &mut body)?;
    }
    sealer.finish(&mut body)?;
    Ok(body)
}

fn opened(mut opener: FileOpener, body: &[u8], piece: usize) -> Result<Vec<u8>, FileError> {
    let mut file = Vec::new();
    for piece in body.chunks(piece) {
        opener.update(piece, &mut file)?;
    }
    opener.finish(&mut file)?;
    Ok(file)
}

fn sealer(case: &Value) -> FileSealer {
    let chosen = ["ephemeral", "message_key", "key_nonce", "name_nonce", "prefix"];
    let rng = &mut Chosen::of(case, &chosen);
    FileSealer::new(box_of(case).shared(), text(case, "name"), rng).unwrap()
}

fn opener(file: &Value) -> FileOpener {
    let (key, name) = (bytes(file, "encryption_key"), bytes(file, "sealed_name"));
    FileOpener::new(box_of(file), &key, &name).unwrap()
}

/// The body that the vectors describe by their digest.
fn body_of(file: &Value) -> Vec<u8> {
    body(sealer(file), &plain(number(file, "length")), 65_536).unwrap()
}

fn check_refusal(case: &Value, found: Result<Vec<u8>, FileError>) {
    let reason = match found.unwrap_err() {
        FileError::Chunk { number } => {
            assert_eq!(case["chunk"].as_u64(), Some(number), "{case}");
            "chunk"
        }
        FileError::Truncated => "truncated",
        FileError::AfterEnd => "after end",
        FileError::TooManyChunks => "chunks",
    };
    assert_eq!(reason, text(case, "reason"), "{case}");
}

#[test]
fn dropbox_files_are_sealed_as_others_seal_them_in_pieces_of_any_size() {
    for case in list(&VECTORS, "files") {
        let plain = plain(number(case, "length"));
        assert_eq!(Sha256::digest(&plain).as_slice(), bytes(case, "digest"));
        let made = sealer(case);
        assert_eq!(made.encryption_key().as_slice(), bytes(case, "encryption_key"));
        assert_eq!(made.name(), bytes(case, "sealed_name"));
        for piece in [1000, 65_535, 65_536, 65_537, 1 << 20] {
            let body = body(sealer(case), &plain, piece).unwrap();
            assert_eq!(body.len(), number(case, "body_length"));
            assert_eq!(sealed_length(plain.len() as u64), body.len() as u64);
            assert_eq!(plain_length(body.len() as u64), Some(plain.len() as u64));
            assert_eq!(Sha256::digest(&body).as_slice(), bytes(case, "body_digest"));
        }
    }
}

#[test]
fn dropbox_files_open_in_pieces_of_any_size() {
    for case in list(&VECTORS, "files") {
        let body = body_of(case);
        assert_eq!(opener(case).name(), text(case, "name"));
        for piece in [1000, 65_551, 65_552, 65_553, 1 << 20] {
            let file = opened(opener(case), &body, piece).unwrap();
            assert_eq!(Sha256::digest(file).as_slice(), bytes(case, "digest"));
        }
    }
}

#[test]
fn dropbox_files_that_were_cut_or_changed_are_refused() {
    let files = list(&VECTORS, "files");
    for case in list(&VECTORS, "files_refused") {
        let file = &files[number(case, "file")];
        let body = body_of(file);
        let mut changed = Vec::new();
        for range in case["ranges"].as_array().unwrap() {
            let [from, to] =
                [0, 1].map(|end| usize::try_from(range[end].as_u64().unwrap()).unwrap());
            changed.extend_from_slice(&body[from..to]);
        }
        if let Some(flip) = case["flip"].as_u64() {
            changed[usize::try_from(flip).unwrap()] ^= 1;
        }
        if case.get("append").is_some() {
            changed.extend(bytes(case, "append"));
        }
        for piece in [1000, 65_552, 1 << 20] {
            check_refusal(case, opened(opener(file), &changed, piece));
        }
    }
}

#[test]
fn dropbox_files_of_others_are_refused() {
    let files = list(&VECTORS, "files");
    for case in list(&VECTORS, "file_bodies_refused") {
        let file = &files[number(case, "file")];
        check_refusal(case, opened(opener(file), &bytes(case, "body"), 10));
    }
    for case in list(&VECTORS, "file_names_refused") {
        let (key, name) = (bytes(case, "encryption_key"), bytes(case, "sealed_name"));
        let error = FileOpener::new(box_of(case), &key, &name).unwrap_err();
        assert_eq!(reason_of_open(error), text(case, "reason"), "{case}");
    }
}

#[test]
fn dropbox_file_openers_that_failed_once_open_nothing_more() {
    let file = &list(&VECTORS, "files")[4];
    let mut body = body_of(file);
    body[7 + 65_552] ^= 1;
    let mut opener = opener(file);
    let mut plain = Vec::new();
    let error = opener.update(&body, &mut plain).unwrap_err();
    assert_eq!((error, plain.len()), (FileError::Chunk { number: 1 }, 65_536));
    assert_eq!(opener.update(&body, &mut plain), Err(error));
    assert_eq!((opener.finish(&mut plain), plain.len()), (Err(error), 65_536));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn dropbox_every_file_survives(
        length in 0..200_000_usize,
        pieces in (1..100_000_usize, 1..100_000_usize),
        seed: u8,
    ) {
        let keys = &BOXES[0];
        let sealer = FileSealer::new(keys.shared(), "name", &mut rng(seed)).unwrap();
        let (key, name) = (*sealer.encryption_key(), sealer.name().to_vec());
        let body = body(sealer, &plain(length), pieces.0).unwrap();
        let opener = FileOpener::new(keys, &key, &name).unwrap();
        prop_assert_eq!(opened(opener, &body, pieces.1), Ok(plain(length)));
    }

    #[test]
    fn dropbox_hostile_files_never_panic(body: Vec<u8>, piece in 1..100_usize) {
        let file = &list(&VECTORS, "files")[0];
        prop_assert!(opened(opener(file), &body, piece).is_err());
    }
}
