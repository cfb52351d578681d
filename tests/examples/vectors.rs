//! `vectors`: the command checks everything that there is, and notices what is wrong.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Language;
use super::command::Running;

/// The vectors that concern bots, without those of the key service.
const FILES: [&str; 9] = [
    "attachment.json",
    "base64url.json",
    "checksum.json",
    "conversation_id.json",
    "envelope_v1.json",
    "ids.json",
    "keys.json",
    "plain_cryptography.json",
    "token.json",
];

/// The public key of the first vector of RFC 8032, section 7.1.
const SOUND_KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/// Changes to one file each: into the first place comes what is at the second one, or the text itself.
/// A known answer is then wrong, or what has to be refused is sound.
const CHANGES: &[(&str, &[(&str, &str)])] = &[
    ("attachment.json", &[("/cases/0/plaintext", "/cases/1/plaintext")]),
    ("attachment.json", &[("/refused/0/digest", "/refused/1/digest")]),
    ("base64url.json", &[("/forms/1/also_read/0", "/forms/2/text")]),
    ("base64url.json", &[("/refused/0/text", "/forms/1/text")]),
    ("checksum.json", &[("/valid/1/checksum", "/valid/2/checksum")]),
    ("checksum.json", &[("/invalid/0", "/valid/1/checksum")]),
    ("conversation_id.json", &[("/contacts/0/conversation_id", "/contacts/1/conversation_id")]),
    ("conversation_id.json", &[("/groups/2/group_name", "/groups/3/group_name")]),
    ("envelope_v1.json", &[("/opens/1/plaintext", "/opens/2/plaintext")]),
    ("envelope_v1.json", &[("/opens/1/checksum", "/opens/2/checksum")]),
    ("envelope_v1.json", &[("/opens/1/devices/1/slice", "/opens/1/devices/0/slice")]),
    ("envelope_v1.json", &[("/malformed/0/envelope", "/opens/0/envelope")]),
    ("envelope_v1.json", &[("/unreadable/0/envelope", "/opens/1/envelope")]),
    ("envelope_v1.json", &[("/refused/1/seed", "/refused/0/seed")]),
    ("envelope_v1.json", &[("/refused/3/senders", "/refused/0/senders")]),
    ("envelope_v1.json", &[("/refused/0/error", "/refused/1/error")]),
    ("ids.json", &[("/accepted/1/id", "/accepted/1/text")]),
    ("ids.json", &[("/refused/0/text", "/accepted/0/text")]),
    ("keys.json", &[("/pairs/0/x25519_public_key", "/pairs/1/x25519_public_key")]),
    ("keys.json", &[("/pairs/0/statement/signed_by_adder", "/pairs/1/statement/signed_by_adder")]),
    ("keys.json", &[("/refused/0/ed25519_public_key", SOUND_KEY)]),
    ("keys.json", &[("/agreement_refused/0/x25519_public_key", "/pairs/0/seed")]),
    ("keys.json", &[("/texts_refused/0/public_key", "/pairs/0/x25519_public_key")]),
    ("keys.json", &[("/signatures_refused/0/message", "/signatures_refused/1/message")]),
    ("plain_cryptography.json", &[("/envelopes/1/plaintext", "/envelopes/2/plaintext")]),
    ("token.json", &[("/refused/0/token", "/accepted")]),
    ("token.json", &[("/claims/uid", "/claims/sid")]),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn read(name: &str) -> Value {
    let text = fs::read(folder().join(name)).expect("a file of vectors");
    serde_json::from_slice(&text).expect("JSON")
}

/// How many vectors a file has: one for each case of a list, and a token that is accepted.
fn count(file: &Value) -> usize {
    let members = file.as_object().expect("an object").iter();
    let lists = members.filter_map(|(_, member)| member.as_array().map(Vec::len));
    lists.sum::<usize>() + usize::from(file["accepted"].is_string())
}

/// Where the files are.
pub fn files() -> Vec<PathBuf> {
    FILES.iter().map(|name| folder().join(name)).collect()
}

/// How many vectors there are in all of them.
pub fn number() -> usize {
    FILES.iter().map(|name| count(&read(name))).sum()
}

/// What the table has for it.
pub fn in_the_table(held: usize, noticed: usize) -> String {
    format!("{held} hold, {noticed} changes noticed")
}

/// Runs the command, and gives the number of vectors.
pub fn hold(language: &Language) -> usize {
    let expected = number();
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let said = check(language, elsewhere.path(), &folder()).end_well();
    assert_eq!(said, [format!("{expected} vectors hold")]);
    expected
}

/// Something that is done to a copy of the vectors, and that has to be noticed.
pub struct Wrong {
    /// The file that it is done to.
    pub file: &'static str,
    /// What it is, for people.
    pub what: String,
    make: Box<dyn Fn(&Path)>,
}

impl Wrong {
    fn new(file: &'static str, what: impl Into<String>, make: impl Fn(&Path) + 'static) -> Self {
        Self { file, what: what.into(), make: Box::new(make) }
    }

    /// Where a member of the file is other than it was.
    fn change(
        file: &'static str,
        what: impl Into<String>,
        change_it: impl Fn(&mut Value) + 'static,
    ) -> Self {
        Self::new(file, what, move |copy| change(copy, file, &change_it))
    }

    /// A folder with a folder `vectors`, in which this was done.
    pub fn copy(&self) -> tempfile::TempDir {
        let copy = copy();
        (self.make)(&copy.path().join("vectors"));
        copy
    }
}

/// All that has to be noticed, wherever vectors are checked.
pub fn everything_wrong() -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for (name, changes) in CHANGES {
        wrong.push(Wrong::change(name, format!("{changes:?}"), move |file| put(file, changes)));
    }
    for name in FILES {
        wrong.push(Wrong::change(name, "an unknown list", |file| file["more"] = json!([])));
        wrong.push(Wrong::change(name, "cases with an unknown member", add_member));
    }
    let missing = |copy: &Path| fs::remove_file(copy.join(FILES[0])).expect("it was there");
    wrong.push(Wrong::new(FILES[0], "missing", missing));
    let unknown = |copy: &Path| fs::write(copy.join("more.json"), "{}").expect("a file");
    wrong.push(Wrong::new("more.json", "an unknown file", unknown));
    wrong
}

/// Runs the command over vectors that were changed, which it must notice by the file that it was done
/// to; gives how many.
pub fn changes_are_noticed(language: &Language) -> usize {
    let wrong = everything_wrong();
    for one in &wrong {
        let copy = one.copy();
        let mut command = check(language, copy.path(), &copy.path().join("vectors"));
        let (went_well, said) = command.end();
        let is_noticed = !went_well && command.complaint().contains(one.file);
        assert!(is_noticed, "not noticed: {}: {}: {said:?}", one.file, one.what);
    }
    wrong.len()
}

fn check(language: &Language, elsewhere: &Path, folder: &Path) -> Running {
    let folder = folder.to_str().expect("a path in Unicode");
    Running::start(language, elsewhere, "http://127.0.0.1:1", "vectors", &[folder])
}

/// A copy of the files that concern bots.
fn copy() -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(copy.path().join("vectors")).expect("a folder");
    for name in FILES {
        fs::copy(folder().join(name), copy.path().join("vectors").join(name)).expect("a copy");
    }
    copy
}

fn change(copy: &Path, name: &str, change: &dyn Fn(&mut Value)) {
    let mut file = read(name);
    change(&mut file);
    fs::write(copy.join(name), file.to_string()).expect("a file");
}

/// Puts into each first place what the second one says.
fn put(file: &mut Value, changes: &[(&str, &str)]) {
    for (to, from) in changes {
        let value = match from.starts_with('/') {
            true => file.pointer(from).unwrap_or_else(|| panic!("nothing at {from}")).clone(),
            false => Value::from(*from),
        };
        let place = file.pointer_mut(to).unwrap_or_else(|| panic!("nothing at {to}"));
        assert_ne!(*place, value, "{to} is as {from} is");
        *place = value;
    }
}

/// Adds a member to every case of every list.
fn add_member(file: &mut Value) {
    let lists = file.as_object_mut().expect("an object").values_mut();
    for case in lists.filter_map(Value::as_array_mut).flatten().filter(|case| case.is_object()) {
        case["more"] = json!("more");
    }
}

#[test]
fn every_list_of_every_file_has_a_change_that_must_be_noticed() {
    for name in FILES {
        let file = read(name);
        let lists = file.as_object().expect("an object").iter();
        for (list, _) in lists.filter(|(_, member)| member.is_array()) {
            let place = format!("/{list}/");
            let is_changed = |(changed, changes): &(&str, &[(&str, &str)])| {
                *changed == name && changes.iter().any(|(to, _)| to.starts_with(&place))
            };
            assert!(CHANGES.iter().any(is_changed), "{name}: nothing changes {list}");
        }
    }
}
