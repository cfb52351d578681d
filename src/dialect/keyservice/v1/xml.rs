//! XML as the original's `XmlSerializer` wrote it: a root `response`, no element for what is null,
//! lists without a wrapper.
//!
//! A key has neither its private half nor its hash there, which the original's classes keep out of
//! XML. They keep the id of a download out as well, so whoever reads XML could never fetch a file;
//! here it stands at the end of a file's message, where readers of the original pass over it.

use std::fmt::Write;

use super::views::{KeyView, MessageView};

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
const NAMESPACES: &str = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
                          xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\"";

/// A document that is one value.
pub(super) fn text_document(text: &str) -> String {
    let mut out = String::from(DECLARATION);
    out.push_str("<response>");
    escape(&mut out, text);
    out.push_str("</response>");
    out
}

/// A list without anything in it.
pub(super) fn empty_list() -> String {
    format!("{DECLARATION}<response {NAMESPACES} />")
}

/// A key.
pub(super) fn key(view: &KeyView<'_>) -> String {
    let mut out = format!("{DECLARATION}<response {NAMESPACES}>\n");
    let truth = |value: bool| if value { "true" } else { "false" };
    for (name, value) in [
        ("KeyId", "0"),
        ("KeyToken", &view.token),
        ("PublicKey", view.public_key),
        ("IsPrivateKeyEncrypted", truth(!view.is_public_key_only)),
        ("IsPublicKeyOnly", truth(view.is_public_key_only)),
        ("RequestDate", &view.requested_at.to_string()),
        ("ReleaseDate", &view.released_at.to_string()),
        ("LockDate", &view.locked_at.to_string()),
        ("DeleteMessagesAfterReading", truth(view.after_reading.messages_go)),
        ("DeleteKeyAfterReading", truth(view.after_reading.box_goes)),
    ] {
        element(&mut out, "  ", name, value);
    }
    out.push_str("</response>");
    out
}

/// What stands before a message's data; behind it comes [`after_data`].
pub(super) fn before_data(out: &mut String, view: &MessageView, is_first: bool) {
    if is_first {
        // Writing to a string does not fail.
        let _ = writeln!(out, "{DECLARATION}<response {NAMESPACES}>");
    }
    out.push_str("  <Message>\n");
    element(out, "    ", "MessageId", &view.number.to_string());
    if let Some(key) = &view.encryption_key {
        element(out, "    ", "EncryptionKey", key);
    }
    out.push_str("    <MessageData>");
}

/// What stands behind a message's data.
pub(super) fn after_data(out: &mut String, view: &MessageView) {
    out.push_str("</MessageData>\n");
    element(out, "    ", "Created", &view.created_at.to_string());
    if let Some(hash) = &view.hash {
        element(out, "    ", "MessageHash", hash);
    }
    element(out, "    ", "IsFile", if view.is_file { "true" } else { "false" });
    if let Some(ticket) = &view.ticket {
        element(out, "    ", "TemporaryDownloadId", ticket);
    }
    out.push_str("  </Message>\n");
}

/// A text inside an element.
pub(super) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A reader would make a line feed of it.
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(c),
            // No XML 1.0 can hold these (section 2.2), not even as references.
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

fn element(out: &mut String, indent: &str, name: &str, value: &str) {
    let _ = write!(out, "{indent}<{name}>");
    escape(out, value);
    let _ = writeln!(out, "</{name}>");
}

#[cfg(test)]
mod tests {
    use super::super::views::samples;
    use super::*;

    #[test]
    fn a_key_has_the_originals_elements_in_their_order() {
        insta::assert_snapshot!(key(&samples::key()), @r#"
        <?xml version="1.0" encoding="utf-8"?>
        <response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
          <KeyId>0</KeyId>
          <KeyToken>00ff00ff00ff00ff</KeyToken>
          <PublicKey>&lt;RSAKeyValue&gt;&lt;/RSAKeyValue&gt;</PublicKey>
          <IsPrivateKeyEncrypted>true</IsPrivateKeyEncrypted>
          <IsPublicKeyOnly>false</IsPublicKeyOnly>
          <RequestDate>2026-01-02T03:04:05.123456Z</RequestDate>
          <ReleaseDate>2026-01-02T03:04:05.123456Z</ReleaseDate>
          <LockDate>2026-01-03T03:04:05Z</LockDate>
          <DeleteMessagesAfterReading>true</DeleteMessagesAfterReading>
          <DeleteKeyAfterReading>false</DeleteKeyAfterReading>
        </response>
        "#);
    }

    #[test]
    fn a_message_is_written_around_its_data() {
        let (mut out, mut view) = (String::new(), samples::message());
        before_data(&mut out, &view, true);
        escape(&mut out, "a < b & c\r\n\u{1}é");
        after_data(&mut out, &view);
        view.encryption_key = None;
        view.hash = Some("b3a8".to_owned());
        (view.is_file, view.ticket) = (true, Some("ticket".to_owned()));
        before_data(&mut out, &view, false);
        after_data(&mut out, &view);
        insta::assert_snapshot!(out, @r#"
        <?xml version="1.0" encoding="utf-8"?>
        <response xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema">
          <Message>
            <MessageId>7</MessageId>
            <EncryptionKey>a2V5</EncryptionKey>
            <MessageData>a &lt; b &amp; c&#xD;
        �é</MessageData>
            <Created>2026-01-02T03:04:05.123456Z</Created>
            <IsFile>false</IsFile>
          </Message>
          <Message>
            <MessageId>7</MessageId>
            <MessageData></MessageData>
            <Created>2026-01-02T03:04:05.123456Z</Created>
            <MessageHash>b3a8</MessageHash>
            <IsFile>true</IsFile>
            <TemporaryDownloadId>ticket</TemporaryDownloadId>
          </Message>
        "#);
    }

    #[test]
    fn a_value_is_a_document_of_its_own() {
        let document = text_document("<Deleted> & gone.");
        assert!(document.ends_with("<response>&lt;Deleted&gt; &amp; gone.</response>"));
        assert!(empty_list().ends_with(" />"));
    }
}
