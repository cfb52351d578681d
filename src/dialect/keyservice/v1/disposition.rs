//! `Content-Disposition`, as requests have it for a part of a form (RFC 7578, section 4.2) and as
//! answers have it for a file (RFC 6266).

use std::fmt::Write;

/// What a part of a form is called.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PartNames {
    /// The parameter's name.
    pub(super) name: String,
    /// The file's name, if it is one.
    pub(super) file_name: Option<String>,
}

/// Reads the value of a part's header. Browsers write `%22` for a quote in a name, others `\"`; a
/// backslash before anything else is part of the name, since some send whole paths of Windows.
pub(super) fn of_part(value: &str) -> PartNames {
    let mut names = PartNames::default();
    let mut extended = None;
    let (_, mut rest) = value.split_once(';').unwrap_or((value, ""));
    while let Some((key, after)) = rest.split_once('=') {
        let (text, after) = value_of(after.trim_start());
        match key.trim().to_ascii_lowercase().as_str() {
            "name" => names.name = text,
            "filename" => names.file_name = Some(text),
            "filename*" => extended = percent_decoded(&text),
            _ => {}
        }
        rest = after;
    }
    names.file_name = extended.or(names.file_name);
    names
}

/// A value in quotes, or up to the next semicolon; and what stands behind it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = text.split_once(';').unwrap_or((text, ""));
        return (value.trim().to_owned(), after);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let after = quoted[at + 1..].split_once(';').map_or("", |(_, after)| after);
                return (value, after);
            }
            '\\' if chars.next_if(|(_, next)| *next == '"').is_some() => value.push('"'),
            c => value.push(c),
        }
    }
    (value, "")
}

/// An extended value (RFC 8187) in UTF-8; others are left alone, the plain name stands beside them.
fn percent_decoded(text: &str) -> Option<String> {
    let (charset, rest) = text.split_once('\'')?;
    let (_language, encoded) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let bytes = crate::http::query::decode(encoded)?;
    str::from_utf8(&bytes).ok().map(str::to_owned)
}

/// The last part of what a sender calls its file, which may be a whole path.
pub(super) fn base_name(name: &str) -> &str {
    let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
    last.trim()
}

/// The header's value for a file to be saved under that name. Nothing in a name can end the header
/// or lead out of a folder.
pub(super) fn attachment(name: &str) -> String {
    let name: String = base_name(name).chars().filter(|c| !c.is_control()).collect();
    let name = if name.is_empty() || name.chars().all(|c| c == '.') { "file" } else { &name };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " .-_()+,=@#$!&'^`~[]{}".contains(c);
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let mut value = format!("attachment; filename=\"{plain}\"");
    if plain != name {
        value.push_str("; filename*=UTF-8''");
        for byte in name.bytes() {
            // What RFC 8187 has as `attr-char`.
            match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'-' | b'_' => {
                    value.push(char::from(byte));
                }
                byte => {
                    // Writing to a string does not fail.
                    let _ = write!(value, "%{byte:02X}");
                }
            }
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(value: &str) -> (String, Option<String>) {
        let PartNames { name, file_name } = of_part(value);
        (name, file_name)
    }

    #[test]
    fn a_part_has_its_names_however_they_are_written() {
        for (value, name, file) in [
            (r#"form-data; name="token""#, "token", None),
            (r#"form-data; name=token"#, "token", None),
            (r#"form-data; name="a"; filename="b;c.txt""#, "a", Some("b;c.txt")),
            (r#"form-data; filename="b.txt"; name="a""#, "a", Some("b.txt")),
            (r#"form-data; name=a; filename="C:\dir\b.txt""#, "a", Some(r"C:\dir\b.txt")),
            (r#"form-data; name=a; filename="say \"x\".txt""#, "a", Some("say \"x\".txt")),
            ("form-data; name=a; filename=b.txt; filename*=utf-8''%C3%A9.txt", "a", Some("é.txt")),
            ("form-data; name=a; filename=b.txt; filename*=latin1''%E9.txt", "a", Some("b.txt")),
            (r#"form-data; name="a"; filename="""#, "a", Some("")),
            ("form-data", "", None),
            (r#"form-data; name="a"#, "a", None),
        ] {
            assert_eq!(names(value), (name.to_owned(), file.map(str::to_owned)), "{value}");
        }
    }

    #[test]
    fn a_file_is_saved_under_its_last_name() {
        for (name, value) in [
            ("report.pdf", "attachment; filename=\"report.pdf\""),
            ("C:\\dir\\a b.txt", "attachment; filename=\"a b.txt\""),
            ("../../etc/passwd", "attachment; filename=\"passwd\""),
            ("é\".txt", "attachment; filename=\"__.txt\"; filename*=UTF-8''%C3%A9%22.txt"),
            (
                "a\r\nSet-Cookie: b",
                "attachment; filename=\"aSet-Cookie_ b\"; filename*=UTF-8''aSet-Cookie%3A%20b",
            ),
            ("..", "attachment; filename=\"file\""),
            ("dir/", "attachment; filename=\"file\""),
        ] {
            assert_eq!(attachment(name), value, "{name:?}");
        }
    }
}
