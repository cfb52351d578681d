//! Reads what strace wrote: which bytes went to which file, what was synced, when an answer left.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// One system call that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Bytes for one of the database's files.
    Write { file: PathBuf, offset: u64, bytes: Vec<u8> },
    /// A new length for one of them.
    Truncate { file: PathBuf, length: u64 },
    /// One of them, which may not have existed before.
    Create { file: PathBuf },
    /// What was written to this file, or which names were made in this folder, is on disk now.
    Sync { path: PathBuf },
    /// A successful answer to a client, as it left: headers and body.
    Answer { bytes: Vec<u8> },
}

/// A call with the lines of the log at which it began and ended. What ended before another began
/// came before it; nothing else is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub began: usize,
    pub ended: usize,
    pub call: Call,
}

/// The events of a log in the order in which they ended. A call that the end of the process cut
/// short is left out: what it may have done is not known to be done.
///
/// # Errors
/// With the line, when a call concerns the database and is not understood: to leave it out would
/// make the proof worth nothing.
pub fn read(log: &str, folder: &Path) -> Result<Vec<Event>, String> {
    let mut unfinished: HashMap<&str, (usize, String)> = HashMap::new();
    let mut events = Vec::new();
    for (number, line) in log.lines().enumerate() {
        let Some((process, rest)) = line.trim_start().split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix(" <unfinished ...>") {
            unfinished.insert(process, (number, start.to_owned()));
            continue;
        }
        let (began, text) = match rest.strip_prefix("<... ") {
            None => (number, rest.to_owned()),
            Some(resumed) => {
                let Some((began, start)) = unfinished.remove(process) else {
                    continue;
                };
                let end = resumed.split_once("resumed>").map_or("", |(_, end)| end);
                (began, start + end)
            }
        };
        let call = parse(&text, folder);
        let call = call.map_err(|why| format!("line {}: {why}: {:.200}", number + 1, text))?;
        events.extend(call.map(|call| Event { began, ended: number, call }));
    }
    Ok(events)
}

/// The call in a whole line, if it succeeded and matters.
fn parse(text: &str, folder: &Path) -> Result<Option<Call>, String> {
    let Some((name, rest)) = text.split_once('(') else {
        return Ok(None);
    };
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        // The arrival of a signal, the end of a process.
        return Ok(None);
    }
    // strace puts the results below each other, so there may be many spaces before the sign.
    let (arguments, result) = rest.rsplit_once(" = ").ok_or("a call without a result")?;
    let arguments = arguments.trim_end().strip_suffix(')').ok_or("a call without an end")?;
    if result.starts_with(['-', '?']) {
        return Ok(None);
    }
    let is_database = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        path.parent() == Some(folder)
            && name.is_some_and(|name| name.starts_with("sealpost.db") && !name.ends_with("-shm"))
    };
    match name {
        "write" | "writev" | "sendto" | "sendmsg" | "pwrite64" | "pwritev" => {
            let target = described(arguments).ok_or("no file is named")?;
            if is_database(Path::new(&target)) {
                return write(name, target.into(), arguments, result).map(Some);
            }
            if !target.starts_with("socket:") && !target.starts_with("TCP") {
                return Ok(None);
            }
            let bytes = all_quoted(arguments)?;
            Ok(bytes.starts_with(b"HTTP/1.1 200 ").then_some(Call::Answer { bytes }))
        }
        "fsync" | "fdatasync" => {
            let path = PathBuf::from(described(arguments).ok_or("no file is named")?);
            Ok((path == folder || is_database(&path)).then_some(Call::Sync { path }))
        }
        "ftruncate" => {
            let file = PathBuf::from(described(arguments).ok_or("no file is named")?);
            if !is_database(&file) {
                return Ok(None);
            }
            let length = last_number(arguments).ok_or("no length")?;
            Ok(Some(Call::Truncate { file, length }))
        }
        "openat" => {
            let file = PathBuf::from(String::from_utf8_lossy(&quoted(arguments)?).into_owned());
            let creates = arguments.contains("O_CREAT") && is_database(&file);
            Ok(creates.then_some(Call::Create { file }))
        }
        "unlink" | "rename" => {
            let file = PathBuf::from(String::from_utf8_lossy(&quoted(arguments)?).into_owned());
            if is_database(&file) {
                Err("a file of the database goes away".to_owned())
            } else {
                Ok(None)
            }
        }
        _ => Ok(None),
    }
}

fn write(name: &str, file: PathBuf, arguments: &str, result: &str) -> Result<Call, String> {
    if name != "pwrite64" {
        return Err("a write to the database without a place".to_owned());
    }
    let offset = last_number(arguments).ok_or("no offset")?;
    let mut bytes = quoted(arguments)?;
    let written = result.split_whitespace().next().and_then(|count| count.parse().ok());
    bytes.truncate(written.ok_or("no count")?);
    Ok(Call::Write { file, offset, bytes })
}

/// What strace says a descriptor stands for: `7<…>`.
fn described(arguments: &str) -> Option<String> {
    let (_, rest) = arguments.split_once('<')?;
    let (text, _) = rest.split_once('>')?;
    let bytes = unescape(text)?;
    String::from_utf8(bytes).ok()
}

/// The first quoted argument.
fn quoted(arguments: &str) -> Result<Vec<u8>, String> {
    next_quoted(arguments).map(|(bytes, _)| bytes)
}

/// All quoted arguments, one behind the other: what a call writes from several buffers.
fn all_quoted(arguments: &str) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    let mut rest = arguments;
    while rest.contains('"') {
        let (bytes, after) = next_quoted(rest)?;
        all.extend(bytes);
        rest = after;
    }
    Ok(all)
}

/// The first quoted argument and what follows it.
fn next_quoted(arguments: &str) -> Result<(Vec<u8>, &str), String> {
    let Some((_, rest)) = arguments.split_once('"') else {
        return Ok((Vec::new(), ""));
    };
    let (text, after) = rest.split_once('"').ok_or("a text without an end")?;
    if after.starts_with("...") {
        return Err("a text that strace has cut".to_owned());
    }
    let bytes = unescape(text).ok_or("a text that is not in hex")?;
    Ok((bytes, after))
}

/// `\x41\x42` or, where strace prints names as they are, plain text.
fn unescape(text: &str) -> Option<Vec<u8>> {
    if !text.contains("\\x") {
        return Some(text.as_bytes().to_vec());
    }
    text.split("\\x").skip(1).map(|digits| u8::from_str_radix(digits, 16).ok()).collect()
}

fn last_number(arguments: &str) -> Option<u64> {
    arguments.rsplit(", ").next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(log: &str) -> Vec<Event> {
        read(log, Path::new("/d")).expect("a log that is understood")
    }

    #[test]
    fn a_write_carries_its_bytes_and_its_place() {
        let log = r#"7 pwrite64(5<\x2f\x64\x2f\x73\x65\x61\x6c\x70\x6f\x73\x74\x2e\x64\x62>, "\x41\x42\x43", 3, 4096) = 2"#;
        let file = PathBuf::from("/d/sealpost.db");
        let call = Call::Write { file, offset: 4096, bytes: b"AB".to_vec() };
        assert_eq!(events(log), [Event { began: 0, ended: 0, call }]);
    }

    #[test]
    fn a_call_that_was_interrupted_ends_where_it_resumes() {
        let log = "7 fsync(5</d/sealpost.db-wal> <unfinished ...>\n\
                   8 fsync(6</d> <unfinished ...>\n\
                   7 <... fsync resumed>)              = 0";
        let call = Call::Sync { path: PathBuf::from("/d/sealpost.db-wal") };
        assert_eq!(events(log), [Event { began: 0, ended: 2, call }]);
    }

    #[test]
    fn failed_calls_and_other_files_do_not_matter() {
        let log = "7 fsync(5</d/sealpost.db>) = -1 EIO (Input/output error)\n\
                   7 write(1</dev/null>, \"\\x41\", 1) = 1\n\
                   7 +++ killed by SIGKILL +++";
        assert_eq!(events(log), []);
    }

    #[test]
    fn only_successful_answers_are_answers() {
        let answer = |status: &str| {
            let text: Vec<_> = format!("HTTP/1.1 {status} ").bytes().collect();
            let hex: String = text.iter().map(|byte| format!("\\x{byte:02x}")).collect();
            format!("7 writev(9<socket:[3]>, [{{iov_base=\"{hex}\", iov_len=13}}], 1) = 13")
        };
        let bytes = b"HTTP/1.1 200 ".to_vec();
        assert_eq!(events(&answer("200"))[0].call, Call::Answer { bytes });
        assert_eq!(events(&answer("503")).len(), 0);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let log = r#"7 write(5</d/sealpost.db>, "\x41", 1) = 1"#;
        assert!(read(log, Path::new("/d")).is_err());
    }
}
