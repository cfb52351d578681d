//! Frames as bytes: the gzip (RFC 1952) of one JSON object.
//!
//! Compressing needs some 300 KiB of working memory. It is kept for each thread, never for each
//! socket.

use std::cell::RefCell;
use std::io::Read;

use flate2::bufread::GzDecoder;
use flate2::{Compress, Compression, Crc, FlushCompress};
use serde::Serialize;

use crate::domain::error::Fault;

/// The level finds the second copy of a body, which differs from the first in a character here and
/// there.
const LEVEL: u32 = 9;

/// No name, no time, no particular system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// What gzip adds at most to what cannot be compressed, generously.
const OVERHEAD: usize = 64;

thread_local! {
    static COMPRESS: RefCell<Compress> = RefCell::new(Compress::new(Compression::new(LEVEL), false));
}

/// The bytes of a frame.
///
/// # Errors
/// [`Fault::Internal`] when `frame` cannot be written as JSON.
pub fn encode<T: Serialize>(frame: &T) -> Result<Vec<u8>, Fault> {
    let json =
        serde_json::to_vec(frame).map_err(|error| Fault::internal("writing a frame", error))?;
    compress(&json).ok_or_else(|| Fault::internal("compressing a frame", "the output is full"))
}

fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 1000 + OVERHEAD);
    out.extend_from_slice(&HEADER);
    let done = COMPRESS.with_borrow_mut(|compress| {
        compress.reset();
        compress.compress_vec(bytes, &mut out, FlushCompress::Finish)
    });
    if !matches!(done, Ok(flate2::Status::StreamEnd)) {
        return None;
    }
    let mut check = Crc::new();
    check.update(bytes);
    out.extend_from_slice(&check.sum().to_le_bytes());
    out.extend_from_slice(&check.amount().to_le_bytes());
    out.shrink_to_fit();
    Some(out)
}

/// The JSON inside a frame, of at most `limit` bytes.
///
/// # Errors
/// [`Fault::Malformed`] when it is no gzip, or more than that; [`Fault::TooLarge`].
pub fn decompress(frame: &[u8], limit: u64) -> Result<Vec<u8>, Fault> {
    let mut reader = GzDecoder::new(frame).take(limit.saturating_add(1));
    let mut json = Vec::new();
    let read = reader.read_to_end(&mut json);
    let read = read.map_err(|error| Fault::malformed(format!("the frame is no gzip: {error}")))?;
    let actual = read as u64;
    if actual > limit {
        return Err(Fault::TooLarge { what: "the frame's size in bytes", actual, limit });
    }
    if !reader.into_inner().into_inner().is_empty() {
        return Err(Fault::malformed("there is something behind the frame's gzip"));
    }
    Ok(json)
}

/// What can be told of the JSON inside a frame of which only the beginning is there, at most `limit`
/// bytes.
pub fn beginning(frame: &[u8], limit: u64) -> Vec<u8> {
    let mut json = Vec::new();
    // It ends too early; what was read by then is what there is.
    let _ = GzDecoder::new(frame).take(limit).read_to_end(&mut json);
    json
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut writer = GzEncoder::new(Vec::new(), Compression::new(9));
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    proptest! {
        #[test]
        fn every_frame_comes_back(bytes: Vec<u8>) {
            let frame = compress(&bytes).unwrap();
            prop_assert_eq!(decompress(&frame, bytes.len() as u64).unwrap(), bytes);
        }
    }

    #[test]
    fn large_bodies_fit_whatever_they_hold() {
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        });
        let noise: Vec<u8> = noise.take(1 << 20).collect();
        let frame = compress(&noise).unwrap();
        assert_eq!(decompress(&frame, 1 << 20).unwrap(), noise);
    }

    #[test]
    fn a_bomb_is_refused_before_it_goes_off() {
        let bomb = gzip(&vec![0; 16 << 20]);
        assert!(bomb.len() < 20_000);
        let fault = decompress(&bomb, 1024).unwrap_err();
        assert!(matches!(fault, Fault::TooLarge { actual: 1025, limit: 1024, .. }), "{fault:?}");
    }

    #[test]
    fn what_is_no_gzip_is_malformed() {
        let mut cut = gzip(b"{}");
        cut.pop();
        let behind = [gzip(b"{}"), b"x".to_vec()].concat();
        for bad in [b"".as_slice(), b"{}", &cut, &behind] {
            let fault = decompress(bad, 1024).unwrap_err();
            assert!(matches!(fault, Fault::Malformed { .. }), "{bad:?}: {fault:?}");
        }
    }
}
