//! Which bytes of a file a request asks for (RFC 9110, section 14).

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything.
    All,
    /// So many bytes from there on; never none.
    Part {
        /// The first one.
        start: u64,
        /// How many.
        length: u64,
    },
    /// Bytes that the file does not have.
    Nothing,
}

/// Reads the header `Range` for a file of that length. What is no single range of bytes is ignored,
/// as the RFC allows: then everything is sent.
pub(super) fn wanted(range: Option<&str>, length: u64) -> Wanted {
    let Some(range) = range.and_then(|text| text.trim().strip_prefix("bytes=")) else {
        return Wanted::All;
    };
    let Some((first, last)) = range.trim().split_once('-') else {
        return Wanted::All;
    };
    match (number(first), number(last)) {
        // The last so many bytes.
        (None, Some(suffix)) if first.is_empty() => {
            let suffix = suffix.min(length);
            part(length - suffix, suffix)
        }
        (Some(first), None) if last.is_empty() => part(first, length.saturating_sub(first)),
        (Some(first), Some(last)) if first <= last => {
            let end = last.saturating_add(1).min(length);
            part(first, end.saturating_sub(first))
        }
        _ => Wanted::All,
    }
}

fn part(start: u64, length: u64) -> Wanted {
    if length == 0 { Wanted::Nothing } else { Wanted::Part { start, length } }
}

/// A number of digits alone; one that is too large is as good as the largest.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_range_is_cut_to_the_file() {
        for (range, start, length) in [
            ("bytes=0-0", 0, 1),
            ("bytes=0-9", 0, 10),
            ("bytes=0-", 0, 10),
            ("bytes=3-5", 3, 3),
            ("bytes=9-9", 9, 1),
            ("bytes=9-", 9, 1),
            ("bytes=8-100", 8, 2),
            ("bytes=8-99999999999999999999999", 8, 2),
            ("bytes=-1", 9, 1),
            ("bytes=-10", 0, 10),
            ("bytes=-11", 0, 10),
            (" bytes=3-5 ", 3, 3),
        ] {
            assert_eq!(wanted(Some(range), 10), Wanted::Part { start, length }, "{range}");
        }
    }

    #[test]
    fn a_range_behind_the_end_is_nothing() {
        for range in ["bytes=10-", "bytes=10-20", "bytes=99999999999999999999999-", "bytes=-0"] {
            assert_eq!(wanted(Some(range), 10), Wanted::Nothing, "{range}");
        }
    }

    #[test]
    fn what_is_no_single_range_is_ignored() {
        for range in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=5-3",
            "bytes=0-1,3-4",
            "lines=0-1",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=--1",
            "BYTES=0-1",
            "bytes=1 -2",
        ] {
            assert_eq!(wanted(Some(range), 10), Wanted::All, "{range}");
        }
        assert_eq!(wanted(None, 10), Wanted::All);
    }
}
