//! Names of members.

use std::fmt;

use crate::domain::error::Fault;

/// The name by which a member is known: 1 to 64 characters, none of them a control character or
/// invisible, a slash, or the `@` that separates a name from its gateway; no white space at its ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberName(String);

/// The longest name, in characters.
pub const NAME_LIMIT: usize = 64;

impl MemberName {
    /// The name that a text is.
    ///
    /// # Errors
    /// [`Fault::Invalid`] (`username`) with the reason.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let invalid = |reason: &str| Err(Fault::invalid("username", reason));
        let length = text.chars().count();
        if length == 0 {
            return invalid("is empty");
        }
        if length > NAME_LIMIT {
            let reason = format!("has {length} characters, the limit is {NAME_LIMIT}");
            return invalid(&reason);
        }
        if text.chars().any(char::is_control) {
            return invalid("holds a control character");
        }
        if text.chars().any(is_unseen) {
            return invalid("holds a character that is not seen, or turns others round");
        }
        if text.contains(['@', '/']) {
            return invalid("holds an @ or a slash");
        }
        if text.trim() != text {
            return invalid("begins or ends with white space");
        }
        Ok(Self(text.to_owned()))
    }

    /// A name that was checked when it was stored.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters by which two names look alike that are not, or look like something else than they are:
/// those that show nothing, join, mark or tag others, change the direction of a text, or end a line.
fn is_unseen(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

impl fmt::Debug for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemberName({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_prints() {
        for good in ["a", "alice", "Ali Baba", "ålice.b", &"x".repeat(64)] {
            assert_eq!(MemberName::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            " a",
            "a ",
            "a\0b",
            "a\nb",
            "a@b",
            "a/b",
            "a\u{200b}",
            "a\u{202e}b",
            &"x".repeat(65),
        ] {
            let fault = MemberName::parse(bad).unwrap_err();
            assert!(matches!(fault, Fault::Invalid { .. }), "{bad:?}");
        }
    }
}
