//! `multipart/form-data` (RFC 7578), read as it comes: never more of it is in memory than a piece of
//! the body and the head of a part.
//!
//! | bytes | |
//! | --- | --- |
//! | `--boundary` | before the first part, behind whatever is passed over |
//! | blanks, CRLF, headers, empty line | the head of a part, at most [`HEAD`] bytes |
//! | the part's own | up to the next delimiter |
//! | CRLF, `--boundary` | the delimiter; `--` behind it is the end |

use bytes::{Bytes, BytesMut};

use super::disposition::{PartNames, of_part};
use super::inflow::Inflow;
use crate::domain::error::Fault;

/// Bytes of one part's headers.
const HEAD: usize = 8 * 1024;

/// Bytes that may stand before the first part.
const PREAMBLE: usize = 8 * 1024;

/// A body in parts.
pub(super) struct Multipart {
    inflow: Inflow,
    buffer: BytesMut,
    /// CRLF, `--` and the boundary.
    delimiter: Vec<u8>,
    place: Place,
}

/// How far a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Preamble,
    /// Behind a delimiter.
    Delimiter,
    Part,
    End,
}

impl Multipart {
    /// A body whose parts are divided by that boundary.
    pub(super) fn new(inflow: Inflow, boundary: &str) -> Self {
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        // So that a delimiter at the very beginning is one like all others.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        Self { inflow, buffer, delimiter, place: Place::Preamble }
    }

    /// The names of the next part, whose bytes come then; `None` behind the last one. What was not
    /// read of the part before is passed over.
    ///
    /// # Errors
    /// [`Fault::Malformed`] when the body is not in parts or breaks off; those of its pieces.
    pub(super) async fn next_part(&mut self) -> Result<Option<PartNames>, Fault> {
        let mut passed_over = 0;
        while matches!(self.place, Place::Preamble | Place::Part) {
            let is_preamble = self.place == Place::Preamble;
            let Some(piece) = self.up_to_delimiter().await? else { break };
            passed_over += piece.len();
            if is_preamble && passed_over > PREAMBLE {
                return Err(broken());
            }
        }
        if self.place == Place::End || self.is_last().await? {
            self.place = Place::End;
            return Ok(None);
        }
        let names = self.head().await?;
        self.place = Place::Part;
        Ok(Some(names))
    }

    /// The next bytes of a part; `None` at its end.
    ///
    /// # Errors
    /// As [`Self::next_part`].
    pub(super) async fn next_piece(&mut self) -> Result<Option<Bytes>, Fault> {
        match self.place {
            Place::Part => self.up_to_delimiter().await,
            _ => Ok(None),
        }
    }

    /// The next bytes before a delimiter, never none; `None` once it was passed.
    async fn up_to_delimiter(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let found = find(&self.buffer, &self.delimiter);
            let before = match found {
                Found::At(0) => {
                    let _ = self.buffer.split_to(self.delimiter.len());
                    self.place = Place::Delimiter;
                    return Ok(None);
                }
                Found::At(at) | Found::MayBegin(at) => at,
                Found::Nowhere => self.buffer.len(),
            };
            if before > 0 {
                return Ok(Some(self.buffer.split_to(before).freeze()));
            }
            self.more().await?;
        }
    }

    /// Whether the delimiter that was passed is the last one.
    async fn is_last(&mut self) -> Result<bool, Fault> {
        while self.buffer.len() < 2 {
            self.more().await?;
        }
        Ok(self.buffer.starts_with(b"--"))
    }

    /// Reads the head of a part.
    async fn head(&mut self) -> Result<PartNames, Fault> {
        let end = loop {
            match find(&self.buffer, b"\r\n\r\n") {
                Found::At(at) => break at,
                _ if self.buffer.len() > HEAD => return Err(broken()),
                _ => self.more().await?,
            }
        };
        let head = self.buffer.split_to(end + 4);
        if end > HEAD {
            return Err(broken());
        }
        let head = String::from_utf8_lossy(&head);
        let (padding, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
        if !padding.bytes().all(|byte| byte == b' ' || byte == b'\t') {
            return Err(broken());
        }
        let named = headers.split("\r\n").filter_map(|line| line.split_once(':'));
        let mut dispositions =
            named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"));
        let (_, value) = dispositions.next().ok_or_else(broken)?;
        Ok(of_part(value))
    }

    async fn more(&mut self) -> Result<(), Fault> {
        let piece = self.inflow.next().await?.ok_or_else(broken)?;
        self.buffer.extend_from_slice(&piece);
        Ok(())
    }
}

/// The boundary that a content type names; `None` when it is not `multipart/form-data` or names
/// none that can be one (RFC 2046, section 5.1.1).
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (_, parameters) = content_type.split_once(';')?;
    let mut parameters = parameters.split(';').filter_map(|one| one.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim();
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let is_one = (1..=70).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
        && !value.ends_with(' ');
    is_one.then(|| value.to_owned())
}

/// Where something is among bytes.
enum Found {
    At(usize),
    /// What is there is its beginning, and the bytes end.
    MayBegin(usize),
    Nowhere,
}

/// Looks for what begins with a CR.
fn find(bytes: &[u8], wanted: &[u8]) -> Found {
    let mut from = 0;
    while let Some(next) = bytes[from..].iter().position(|byte| *byte == b'\r') {
        let at = from + next;
        let rest = &bytes[at..];
        if rest.starts_with(wanted) {
            return Found::At(at);
        }
        if wanted.starts_with(rest) {
            return Found::MayBegin(at);
        }
        from = at + 1;
    }
    Found::Nowhere
}

fn broken() -> Fault {
    Fault::malformed("the body is no multipart/form-data, or broke off")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use axum::body::Body;
    use futures_util::stream;
    use proptest::prelude::*;

    use super::*;

    const TWO: &[u8] =
        b"passed over\r\n--X\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n\
        00ff\r\n--X  \r\ncontent-type: text/plain\r\ncontent-disposition: form-data; name=f; \
        filename=\"a.txt\"\r\n\r\none\r\n--Y\r\n\r--X\r\n--X--\r\nignored";

    fn multipart(body: &[u8], cut: usize) -> Multipart {
        let pieces: Vec<_> = body
            .chunks(cut)
            .map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece)))
            .collect();
        let body = Body::from_stream(stream::iter(pieces));
        Multipart::new(Inflow::new(body, 1024 * 1024, Duration::from_secs(30)), "X")
    }

    async fn parts(body: &[u8], cut: usize) -> Result<Vec<(PartNames, Vec<u8>)>, Fault> {
        let (mut multipart, mut parts) = (multipart(body, cut), Vec::new());
        while let Some(names) = multipart.next_part().await? {
            let mut bytes = Vec::new();
            while let Some(piece) = multipart.next_piece().await? {
                assert!(!piece.is_empty());
                bytes.extend_from_slice(&piece);
            }
            parts.push((names, bytes));
        }
        Ok(parts)
    }

    #[tokio::test]
    async fn parts_are_the_same_however_the_body_is_cut() {
        let names = |name: &str, file: Option<&str>| PartNames {
            name: name.to_owned(),
            file_name: file.map(str::to_owned),
        };
        let expected = [
            (names("token", None), b"00ff".to_vec()),
            (names("f", Some("a.txt")), b"one\r\n--Y\r\n\r--X".to_vec()),
        ];
        for cut in 1..=TWO.len() {
            assert_eq!(parts(TWO, cut).await.unwrap(), expected, "{cut}");
        }
    }

    #[tokio::test]
    async fn what_is_not_read_of_a_part_is_passed_over() {
        let mut multipart = multipart(TWO, 3);
        assert_eq!(multipart.next_part().await.unwrap().unwrap().name, "token");
        assert_eq!(multipart.next_part().await.unwrap().unwrap().name, "f");
        assert_eq!(multipart.next_part().await.unwrap(), None);
        assert_eq!(multipart.next_part().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_part_may_be_empty_and_a_form_may_have_none() {
        let empty = b"--X\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--X--";
        let read = parts(empty, 5).await.unwrap();
        assert_eq!((read.len(), read[0].1.len()), (1, 0));
        assert_eq!(parts(b"--X--\r\n", 2).await.unwrap(), []);
    }

    #[tokio::test]
    async fn what_is_not_in_parts_or_breaks_off_is_refused() {
        let long = [&b"--X\r\nA: "[..], &[b'a'; 9000], b"\r\n\r\n\r\n--X--"].concat();
        let preamble = [&[b'a'; 9000][..], &TWO[11..]].concat();
        let cases: [&[u8]; 7] = [
            b"",
            b"nothing",
            b"--X\r\nContent-Disposition: form-data; name=a\r\n\r\nbroken off",
            b"--X\r\nContent-Type: text/plain\r\n\r\nno name\r\n--X--",
            b"--Xtra\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--X--",
            &long,
            &preamble,
        ];
        for body in cases {
            for cut in [7, 1 << 20] {
                let read = parts(body, cut).await;
                assert!(matches!(read, Err(Fault::Malformed { .. })), "{read:?}");
            }
        }
    }

    #[test]
    fn a_boundary_is_read_from_its_content_type() {
        for (text, expected) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("multipart/form-data; charset=utf-8; BOUNDARY=\"a b\"", Some("a b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"a \"", None),
        ] {
            assert_eq!(boundary(text).as_deref(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes: Vec<u8>, cut in 1_usize..50) {
            prop_assume!(!bytes.windows(5).any(|window| window == b"\r\n--X"));
            let head = b"--X\r\nContent-Disposition: form-data; name=a\r\n\r\n";
            let body = [&head[..], &bytes, b"\r\n--X--"].concat();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let read = runtime.block_on(parts(&body, cut)).unwrap();
            prop_assert_eq!(&read[0].1, &bytes);
        }
    }
}
