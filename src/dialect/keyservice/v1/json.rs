//! JSON as the original's `JavaScriptSerializer` wrote it: members in the order of their
//! declaration, nulls written, `\/Date(ms)\/` for times, and `<`, `>` and `'` as escapes.

use std::fmt::Write;

use super::views::{KeyView, MessageView};
use crate::domain::clock::Timestamp;

/// A document that is one string.
pub(super) fn string_document(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    string(&mut out, Some(text));
    out
}

/// A key. What belongs to messages and to those who are told of them is always empty: whoever may
/// see a key does not thereby read its box.
pub(super) fn key(view: &KeyView<'_>) -> String {
    let mut out = String::new();
    let released = view.is_released();
    let mut object = Object::begin(&mut out);
    object.truth("IsReleased", released);
    object.string("GetPrivateKey", view.private_key.filter(|_| released));
    object.number("KeyId", 0);
    object.string("KeyToken", Some(&view.token));
    object.string("PublicKey", Some(view.public_key));
    object.string("PrivateKey", view.private_key);
    object.string("PrivateKeyHash", view.private_key_hash);
    object.truth("IsPrivateKeyEncrypted", !view.is_public_key_only);
    object.truth("IsPublicKeyOnly", view.is_public_key_only);
    object.time("RequestDate", view.requested_at);
    object.time("ReleaseDate", view.released_at);
    object.time("LockDate", view.locked_at);
    object.truth("DeleteMessagesAfterReading", view.after_reading.messages_go);
    object.truth("DeleteKeyAfterReading", view.after_reading.box_goes);
    for list in ["Notifications", "Messages", "MessagesSerialized"] {
        object.raw(list, "[]");
    }
    object.string("URI", Some(&view.token));
    object.end();
    out
}

/// What stands before a message's data; behind it comes [`after_data`].
pub(super) fn before_data(out: &mut String, view: &MessageView, is_first: bool) {
    out.push_str(if is_first { "[" } else { "," });
    let mut object = Object::begin(out);
    object.number("MessageId", view.number);
    object.string("EncryptionKey", view.encryption_key.as_ref().map(|key| key.as_str()));
    object.raw("MessageData", "\"");
}

/// What stands behind a message's data.
pub(super) fn after_data(out: &mut String, view: &MessageView) {
    out.push('"');
    let mut object = Object { out, is_empty: false };
    object.time("Created", view.created_at);
    object.string("MessageHash", view.hash.as_deref());
    object.truth("IsFile", view.is_file);
    object.string("TemporaryDownloadId", view.ticket.as_deref());
    object.end();
}

/// A text inside quotes.
pub(super) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '\'' | '\0'..='\u{1f}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

fn string(out: &mut String, text: Option<&str>) {
    let Some(text) = text else { return out.push_str("null") };
    out.push('"');
    escape(out, text);
    out.push('"');
}

/// An object that is being written.
struct Object<'out> {
    out: &'out mut String,
    is_empty: bool,
}

impl<'out> Object<'out> {
    fn begin(out: &'out mut String) -> Self {
        out.push('{');
        Self { out, is_empty: true }
    }

    /// A name of ours, which needs no escape, and the value as it is written.
    fn raw(&mut self, name: &str, value: &str) {
        if !self.is_empty {
            self.out.push(',');
        }
        self.is_empty = false;
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out.push_str(value);
    }

    fn string(&mut self, name: &str, value: Option<&str>) {
        self.raw(name, "");
        string(self.out, value);
    }

    fn truth(&mut self, name: &str, value: bool) {
        self.raw(name, if value { "true" } else { "false" });
    }

    fn number(&mut self, name: &str, value: i64) {
        self.raw(name, &value.to_string());
    }

    fn time(&mut self, name: &str, value: Timestamp) {
        let millis = value.as_micros().div_euclid(1000);
        self.raw(name, &format!("\"\\/Date({millis})\\/\""));
    }

    fn end(self) {
        self.out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::super::views::samples;
    use super::*;

    #[test]
    fn a_key_has_the_originals_members_in_their_order() {
        insta::assert_snapshot!(key(&samples::key()), @r#"{"IsReleased":true,"GetPrivateKey":"cHJpdmF0ZQ==","KeyId":0,"KeyToken":"00ff00ff00ff00ff","PublicKey":"\u003cRSAKeyValue\u003e\u003c/RSAKeyValue\u003e","PrivateKey":"cHJpdmF0ZQ==","PrivateKeyHash":"b3a8","IsPrivateKeyEncrypted":true,"IsPublicKeyOnly":false,"RequestDate":"\/Date(1767323045123)\/","ReleaseDate":"\/Date(1767323045123)\/","LockDate":"\/Date(1767409445000)\/","DeleteMessagesAfterReading":true,"DeleteKeyAfterReading":false,"Notifications":[],"Messages":[],"MessagesSerialized":[],"URI":"00ff00ff00ff00ff"}"#);
    }

    #[test]
    fn a_key_that_is_not_released_keeps_its_private_half_back() {
        let mut unreleased = samples::key();
        unreleased.now = Timestamp::from_micros(0);
        let json = key(&unreleased);
        assert!(json.starts_with(r#"{"IsReleased":false,"GetPrivateKey":null,"#), "{json}");
    }

    #[test]
    fn a_message_is_written_around_its_data() {
        let (mut out, view) = (String::new(), samples::message());
        before_data(&mut out, &view, true);
        escape(&mut out, "it's <b>\n\u{1}é\u{1f600}");
        after_data(&mut out, &view);
        before_data(&mut out, &view, false);
        after_data(&mut out, &view);
        insta::assert_snapshot!(out, @r#"[{"MessageId":7,"EncryptionKey":"a2V5","MessageData":"it\u0027s \u003cb\u003e\n\u0001é😀","Created":"\/Date(1767323045123)\/","MessageHash":null,"IsFile":false,"TemporaryDownloadId":null},{"MessageId":7,"EncryptionKey":"a2V5","MessageData":"","Created":"\/Date(1767323045123)\/","MessageHash":null,"IsFile":false,"TemporaryDownloadId":null}"#);
    }

    #[test]
    fn what_is_written_is_json() {
        let text = "\"\\\0\u{8}\u{c}\t\r\n/</script>\u{85}\u{2028}\u{2029}";
        let read: String = serde_json::from_str(&string_document(text)).unwrap();
        assert_eq!(read, text);
        let read: serde_json::Value = serde_json::from_str(&key(&samples::key())).unwrap();
        assert_eq!(read["LockDate"], "/Date(1767409445000)/");
    }
}
