//! One frame: gzip of one JSON object.

use std::io::{Read, Write};
use std::time::Duration;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::ids::Id;
use crate::types::{ApiError, BlazeRequest};

use super::super::answer;
use super::super::error::RequestError;
use super::error::SocketError;

/// The largest frame that is taken, packed or unpacked.
pub(super) const FRAME_LIMIT: usize = 4 * 1024 * 1024;

/// What the gateway writes: an answer with id and action of its request, or what comes by itself.
///
/// Read leniently: whatever is missing or odd, an error in it is found.
#[derive(Deserialize)]
pub(super) struct Frame {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) action: String,
    #[serde(default)]
    pub(super) data: Option<Box<RawValue>>,
    #[serde(default)]
    error: Option<Box<RawValue>>,
}

impl Frame {
    /// What the gateway holds against the request, or the connection.
    pub(super) fn error(&self) -> Option<ApiError> {
        self.error.as_ref().map(|error| answer::error_from(error, 500))
    }

    pub(super) fn request_error(&self) -> Option<RequestError> {
        let error = self.error()?;
        let seconds = error.extra.as_ref().and_then(|extra| extra.retry_after);
        let retry_after = seconds.map(|seconds| Duration::from_secs(seconds.into()));
        Some(RequestError::Api { error, retry_after, attempts: 1 })
    }

    /// Whether it answers the request with this id.
    pub(super) fn answers(&self, id: Id<()>) -> bool {
        Id::parse(&self.id).is_ok_and(|own: Id<()>| own == id)
    }
}

/// Writes a request.
pub(super) fn pack(
    id: Id<()>,
    action: &str,
    params: Option<impl Serialize>,
) -> Result<Vec<u8>, RequestError> {
    let request = BlazeRequest { id: id.to_string(), action: action.to_owned(), params };
    let json = serde_json::to_vec(&request).map_err(RequestError::Body)?;
    let mut gzip = GzEncoder::new(Vec::with_capacity(json.len() / 2 + 32), Compression::fast());
    let packed = gzip.write_all(&json).and_then(|()| gzip.finish());
    packed.map_err(|error| SocketError::Broken(error.into()).into())
}

/// Reads what the gateway wrote; never unpacks more than [`FRAME_LIMIT`].
pub(super) fn unpack(bytes: &[u8]) -> Result<Frame, SocketError> {
    let refuse = |reason: String| SocketError::Frame { reason };
    let limit = u64::try_from(FRAME_LIMIT).unwrap_or(u64::MAX);
    let mut json = Vec::new();
    GzDecoder::new(bytes)
        .take(limit.saturating_add(1))
        .read_to_end(&mut json)
        .map_err(|error| refuse(error.to_string()))?;
    if json.len() > FRAME_LIMIT {
        return Err(refuse(format!("unpacked it has more than {FRAME_LIMIT} bytes")));
    }
    serde_json::from_slice(&json).map_err(|error| refuse(error.to_string()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::types::blaze::LIST_PENDING_MESSAGES;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn what_is_packed_can_be_read() {
        let id = Id::from_bytes([7; 16]);
        let packed = pack(id, LIST_PENDING_MESSAGES, None::<()>).unwrap();
        let frame = unpack(&packed).unwrap();
        assert!(frame.answers(id) && frame.action == LIST_PENDING_MESSAGES && frame.data.is_none());
    }

    #[test]
    fn a_small_frame_that_unpacks_to_a_mountain_is_refused() {
        let bomb = gzip(&vec![b' '; FRAME_LIMIT + 1]);
        assert!(bomb.len() < FRAME_LIMIT / 100);
        assert!(matches!(unpack(&bomb), Err(SocketError::Frame { .. })));
    }

    #[test]
    fn what_is_no_gzip_or_no_object_is_refused() {
        let mut cut = gzip(b"{}");
        cut.truncate(10);
        for bytes in [Vec::new(), b"{}".to_vec(), gzip(b"[1]"), gzip(b"{"), cut] {
            assert!(matches!(unpack(&bytes), Err(SocketError::Frame { .. })), "{bytes:?}");
        }
    }

    #[test]
    fn an_error_in_an_unknown_form_is_an_error_all_the_same() {
        let frame = unpack(&gzip(br#"{"id":"x","action":"ERROR","error":"no"}"#)).unwrap();
        assert_eq!(frame.error().unwrap().status, 500);
    }
}
