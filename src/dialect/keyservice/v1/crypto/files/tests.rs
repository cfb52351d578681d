//! Files there and back, cut anywhere, and archives that others made.

use bytes::Bytes;
use proptest::prelude::*;

use super::super::{PassKey, Unreadable};
use super::text::TextSealer;
use super::{FileOpener, FileSealError, FileSealer, PIECE};

fn key() -> PassKey {
    PassKey::derive("pass")
}

fn sealed<'piece>(name: &str, pieces: impl IntoIterator<Item = &'piece [u8]>) -> Vec<u8> {
    let mut sealer = FileSealer::new(&key(), name).unwrap();
    let mut bytes = Vec::new();
    pieces.into_iter().for_each(|piece| sealer.update(piece, &mut bytes).unwrap());
    sealer.finish(&mut bytes).unwrap();
    bytes
}

fn drain(opener: &mut FileOpener, plain: &mut Vec<u8>) -> Result<(), Unreadable> {
    while let Some(piece) = opener.next_piece()? {
        assert!(opener.name().is_some());
        assert!(piece.len() <= PIECE);
        plain.extend_from_slice(&piece);
    }
    Ok(())
}

/// Name and bytes of a file whose stored bytes come in pieces of `size`.
fn opened(sealed: &[u8], size: usize) -> Result<(String, Vec<u8>), Unreadable> {
    let mut opener = FileOpener::new(&key());
    let mut plain = Vec::new();
    for piece in sealed.chunks(size) {
        opener.push(Bytes::copy_from_slice(piece));
        drain(&mut opener, &mut plain)?;
    }
    opener.end();
    drain(&mut opener, &mut plain)?;
    Ok((opener.name().unwrap().to_owned(), plain))
}

/// An archive that somebody else made, as it would be stored.
fn stored(archive: &[u8]) -> Vec<u8> {
    let mut text = TextSealer::new(&key());
    let mut bytes = Vec::new();
    text.update(archive, &mut bytes);
    text.finish(&mut bytes);
    bytes
}

/// A local header as the original's library writes it: with sizes, without flags but `flags`.
fn header(flags: u8, method: u8, sizes: [u32; 3], name: &[u8]) -> Vec<u8> {
    let mut bytes = vec![b'P', b'K', 3, 4, 20, 0, flags, 0, method, 0, 0x21, 0x68, 0x4a, 0x51];
    sizes.iter().for_each(|size| bytes.extend(size.to_le_bytes()));
    bytes.extend([u8::try_from(name.len()).unwrap(), 0, 4, 0]);
    bytes.extend_from_slice(name);
    // An extra field of four bytes.
    bytes.extend([0xfe, 0xca, 0, 0]);
    bytes
}

/// CRC-32 of "hello".
const CHECKSUM: u32 = 0x3610_a686;
/// "hello", deflated with the fixed codes.
const DEFLATED: [u8; 7] = [0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_file_comes_back_with_its_name() {
    for plain in [Vec::new(), b"hello".to_vec(), noise(PIECE), noise(3 * PIECE + 1)] {
        let bytes = sealed("grüße 世界.txt", [&plain[..]]);
        for size in [1000, 16 * 1024, bytes.len()] {
            let (name, found) = opened(&bytes, size).unwrap();
            assert_eq!(name, "grüße 世界.txt");
            assert!(found == plain);
        }
    }
}

#[test]
fn what_decompresses_to_much_comes_in_small_pieces() {
    let plain = vec![7; 5_000_000];
    let bytes = sealed("zeroes", plain.chunks(100_000));
    assert!(bytes.len() < 20_000);
    let (_, found) = opened(&bytes, bytes.len()).unwrap();
    assert!(found == plain);
}

#[test]
fn the_name_is_known_from_the_beginning_alone() {
    let bytes = sealed("name.bin", [&noise(200_000)[..]]);
    let mut opener = FileOpener::new(&key());
    opener.push(Bytes::copy_from_slice(&bytes[..1024]));
    assert!(opener.next_piece().is_ok());
    assert_eq!(opener.name(), Some("name.bin"));
}

#[test]
fn archives_with_sizes_in_front_are_read() {
    for (flags, method, body) in [(0, 8, &DEFLATED[..]), (0, 0, b"hello")] {
        let length = u32::try_from(body.len()).unwrap();
        let header = header(flags, method, [CHECKSUM, length, 5], b"gr\x81n.txt");
        let directory = b"PK\x01\x02 and whatever follows";
        let bytes = stored(&[&header, body, directory].concat());
        for size in [1, 7, bytes.len()] {
            assert_eq!(opened(&bytes, size), Ok(("grün.txt".to_owned(), b"hello".to_vec())));
        }
    }
}

#[test]
fn an_empty_stored_entry_is_an_empty_file() {
    let bytes = stored(&header(0, 0, [0; 3], b"empty"));
    assert_eq!(opened(&bytes, 9), Ok(("empty".to_owned(), Vec::new())));
}

#[test]
fn a_descriptor_may_come_without_its_signature() {
    let sizes = [CHECKSUM, 7, 5].map(u32::to_le_bytes).concat();
    for signature in [&b""[..], b"PK\x07\x08"] {
        let archive = [&header(8, 8, [0; 3], b"name"), &DEFLATED[..], signature, &sizes].concat();
        assert_eq!(opened(&stored(&archive), 5), Ok(("name".to_owned(), b"hello".to_vec())));
    }
}

#[test]
fn archives_that_do_not_keep_what_they_promise_are_unreadable() {
    let good = [CHECKSUM, 7, 5];
    let archive = |flags, method, sizes, body: &[u8]| {
        [&header(flags, method, sizes, b"name"), body, &[0; 40]].concat()
    };
    assert!(opened(&stored(&archive(0, 8, good, &DEFLATED)), 999).is_ok());
    let mut other = header(0, 8, good, b"name");
    other[0] = b'Q';
    for broken in [
        // Checksum, packed and plain size.
        archive(0, 8, [1, 7, 5], &DEFLATED),
        archive(0, 8, [CHECKSUM, 6, 5], &DEFLATED),
        archive(0, 8, [CHECKSUM, 8, 5], &DEFLATED),
        archive(0, 8, [CHECKSUM, 7, 6], &DEFLATED),
        archive(0, 0, [CHECKSUM, 5, 4], b"hello"),
        archive(0, 0, [CHECKSUM, 4, 5], b"hello"),
        // Encrypted, of a stored entry nobody knows the end, bzip2, zip64.
        archive(1, 8, good, &DEFLATED),
        archive(8, 0, [0; 3], b"hello"),
        archive(0, 12, good, &DEFLATED),
        archive(0, 8, [CHECKSUM, u32::MAX, u32::MAX], &DEFLATED),
        // Not deflated, no archive, no name, a descriptor of zeroes.
        archive(0, 8, good, &[0xff; 7]),
        other,
        header(0, 0, [0; 3], b""),
        archive(8, 8, [0; 3], &DEFLATED),
    ] {
        assert_eq!(opened(&stored(&broken), 999), Err(Unreadable), "{broken:x?}");
    }
}

#[test]
fn a_file_that_was_cut_anywhere_is_unreadable() {
    let bytes = sealed("name", [&b"hello"[..]]);
    for length in 0..bytes.len() {
        assert_eq!(opened(&bytes[..length], 999), Err(Unreadable), "{length}");
    }
}

#[test]
fn after_an_error_everything_is_one() {
    let mut opener = FileOpener::new(&key());
    opener.push(Bytes::from_static(&[0; 64]));
    assert_eq!(opener.next_piece(), Err(Unreadable));
    opener.push(Bytes::from(sealed("name", [&b"hello"[..]])));
    opener.end();
    assert_eq!(opener.next_piece(), Err(Unreadable));
}

#[test]
fn another_pass_opens_nothing() {
    let bytes = sealed("name", [&b"hello"[..]]);
    let mut opener = FileOpener::new(&PassKey::derive("another"));
    opener.push(Bytes::from(bytes));
    opener.end();
    assert_eq!(opener.next_piece(), Err(Unreadable));
}

#[test]
fn names_have_one_to_1024_bytes() {
    for length in [0, 1025] {
        let refused = FileSealer::new(&key(), &"n".repeat(length)).map(|_| ());
        assert_eq!(refused, Err(FileSealError::Name { length }));
    }
    let name = "n".repeat(1024);
    assert_eq!(opened(&sealed(&name, []), 999), Ok((name, Vec::new())));
}

#[test]
fn neither_end_of_a_file_shows_anything() {
    let sealer = FileSealer::new(&key(), "name").unwrap();
    let opener = FileOpener::new(&key());
    assert_eq!(format!("{sealer:?} {opener:?}"), "FileSealer(..) FileOpener(..)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn how_a_file_is_cut_makes_no_difference(
        length in 0..200_000_usize,
        repeated in 1..5000_usize,
        size in 1..100_000_usize,
        back in 1..100_000_usize,
    ) {
        let plain: Vec<u8> = noise(repeated).into_iter().cycle().take(length).collect();
        let whole = sealed("name", [&plain[..]]);
        prop_assert!(sealed("name", plain.chunks(size)) == whole);
        let (name, found) = opened(&whole, back).unwrap();
        prop_assert_eq!(name, "name");
        prop_assert!(found == plain);
    }

    #[test]
    fn hostile_archives_never_panic(
        archive: Vec<u8>,
        flags: u8,
        method in 0..10_u8,
        sizes: [u32; 3],
    ) {
        let bytes = [header(flags, method, sizes, b"name"), archive].concat();
        let _ = opened(&stored(&bytes), 999);
    }
}
