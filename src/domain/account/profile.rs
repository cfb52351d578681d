//! What an account says about itself, and may change.

use super::{Account, checked_name};
use crate::domain::error::Fault;
use crate::domain::gateway::Gateway;
use crate::domain::ids::UserId;

/// What shall be different; `None` leaves a thing as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The name shown to others.
    pub full_name: Option<String>,
    /// What it says about itself; empty to say nothing.
    pub biography: Option<String>,
    /// Where its picture is; empty to have none.
    pub avatar_url: Option<String>,
}

/// The longest `biography`, in characters.
const BIOGRAPHY_LIMIT: usize = 256;

/// The longest `avatar_url`, in bytes.
const AVATAR_URL_LIMIT: usize = 512;

impl Gateway {
    /// Changes what an account says about itself. Everybody sees it from now on.
    ///
    /// # Errors
    /// [`Fault::Invalid`] with the field that cannot be used, [`Fault::NotFound`] for an unknown
    /// account.
    pub async fn change_profile(
        &self,
        user: UserId,
        change: ProfileChange,
    ) -> Result<Account, Fault> {
        let checked = ProfileChange {
            full_name: change.full_name.as_deref().map(checked_name).transpose()?,
            biography: change.biography.as_deref().map(checked_biography).transpose()?,
            avatar_url: change.avatar_url.map(checked_avatar_url).transpose()?,
        };
        if checked == ProfileChange::default() {
            return self.account(user).await;
        }
        self.store.change_profile(user, checked).await
    }
}

fn checked_biography(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    let length = text.chars().count();
    if length > BIOGRAPHY_LIMIT {
        let reason = format!("has {length} characters, the limit is {BIOGRAPHY_LIMIT}");
        return Err(Fault::invalid("biography", reason));
    }
    if text.chars().any(|character| character.is_control() && character != '\n') {
        return Err(Fault::invalid("biography", "holds a control character"));
    }
    Ok(text.to_owned())
}

/// Others put this text into their pages, so it is a plain `https` URL or nothing.
fn checked_avatar_url(url: String) -> Result<String, Fault> {
    match avatar_url_fault(&url) {
        Some(reason) => Err(Fault::invalid("avatar_url", reason)),
        None => Ok(url),
    }
}

fn avatar_url_fault(url: &str) -> Option<&'static str> {
    if url.is_empty() {
        return None;
    }
    if url.len() > AVATAR_URL_LIMIT {
        return Some("has more than 512 bytes");
    }
    let Some(rest) = url.strip_prefix("https://") else {
        return Some("does not begin with `https://`");
    };
    let unsafe_in_pages = |byte: u8| matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`');
    if url.bytes().any(|byte| !byte.is_ascii_graphic() || unsafe_in_pages(byte)) {
        return Some("holds a character that must be percent-encoded");
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return Some("holds a user name");
    }
    if host.is_empty() || host.starts_with(':') {
        return Some("has no host");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_at_a_plain_https_url() {
        let long = format!("https://example.org/{}", "x".repeat(500));
        for (url, good) in [
            ("", true),
            ("https://example.org/a.png?size=1#x", true),
            ("http://example.org/a.png", false),
            ("javascript:alert(1)", false),
            ("https://", false),
            ("https:///a.png", false),
            ("https://:443/a.png", false),
            ("https://me@example.org/a.png", false),
            ("https://example.org/a b.png", false),
            ("https://example.org/\"onerror=x", false),
            (&long, false),
        ] {
            assert_eq!(avatar_url_fault(url).is_none(), good, "{url}");
        }
    }

    #[test]
    fn a_biography_may_have_lines_and_is_not_long() {
        assert_eq!(checked_biography(" two\nlines ").unwrap(), "two\nlines");
        assert!(checked_biography("a\u{7}b").is_err());
        assert!(checked_biography(&"ä".repeat(256)).is_ok());
        assert!(checked_biography(&"ä".repeat(257)).is_err());
    }
}
