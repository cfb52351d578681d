//! Links that people hand to each other; what is secret in them stands behind the `#`, which
//! browsers do not send.

use std::fmt;

use zeroize::Zeroizing;

use super::letter::{LetterId, LetterSecret};
use super::token::BoxToken;
use crate::base64url;

const BOX_PATH: &str = "/keyservice";
const LETTER_PATH: &str = "/selfdestruct/read";
const LETTER_VERSION: &str = "2.";

/// The link to a box: `<base>/keyservice#<token>`.
///
/// ```
/// use sealpost_sdk::dropbox::ShareLink;
///
/// let text = "https://box.example/keyservice#00112233445566778899aabbccddeeff";
/// let link = ShareLink::parse(text)?;
/// assert_eq!(link.base(), "https://box.example");
/// assert_eq!(*link.to_url(), *text);
/// # Ok::<(), sealpost_sdk::dropbox::LinkError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ShareLink {
    base: String,
    token: BoxToken,
}

/// The link to a letter: `<base>/selfdestruct/read#2.<id>.<secret>`. Whoever has it can read the
/// letter, once.
///
/// ```
/// use sealpost_sdk::dropbox::{LetterId, LetterLink, LetterSecret};
///
/// let (id, secret) = (LetterId::from_bytes([1; 16]), LetterSecret::from_bytes([2; 32]));
/// let link = LetterLink::new("https://box.example", id, secret)?;
/// assert_eq!(LetterLink::parse(&link.to_url())?, link);
/// # Ok::<(), sealpost_sdk::dropbox::LinkError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct LetterLink {
    base: String,
    id: LetterId,
    secret: LetterSecret,
}

/// Why a text is no link. It never repeats the link, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// What stands before the path is no address: scheme `http` or `https`, a host, perhaps a path.
    #[error("the link begins with no address of a gateway")]
    Base,
    /// The path is another one.
    #[error("the link leads to something else")]
    Path,
    /// There is nothing behind a `#`, or not what should be there.
    #[error("what stands behind the # is not what belongs there")]
    Fragment,
    /// The link is one of another version.
    #[error("the link is one of another version")]
    Version,
}

impl ShareLink {
    /// A link to the box at this gateway. A slash at the end of `base` does not count.
    ///
    /// # Errors
    /// When `base` is no address.
    pub fn new(base: &str, token: BoxToken) -> Result<Self, LinkError> {
        Ok(Self { base: checked(base)?, token })
    }

    /// Reads a link. The path may be in any case.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(link: &str) -> Result<Self, LinkError> {
        let (base, fragment) = split(link, BOX_PATH)?;
        let token = BoxToken::parse(fragment).map_err(|_| LinkError::Fragment)?;
        Self::new(base, token)
    }

    /// Where the gateway is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The box.
    #[must_use]
    pub const fn token(&self) -> BoxToken {
        self.token
    }

    /// The link as a text.
    #[must_use]
    pub fn to_url(&self) -> String {
        format!("{}{BOX_PATH}#{}", self.base, self.token)
    }
}

impl LetterLink {
    /// A link to the letter at this gateway. A slash at the end of `base` does not count.
    ///
    /// # Errors
    /// When `base` is no address.
    pub fn new(base: &str, id: LetterId, secret: LetterSecret) -> Result<Self, LinkError> {
        Ok(Self { base: checked(base)?, id, secret })
    }

    /// Reads a link. The path may be in any case.
    ///
    /// # Errors
    /// When the text is anything else, a letter's link of version 1 included.
    pub fn parse(link: &str) -> Result<Self, LinkError> {
        let (base, fragment) = split(link, LETTER_PATH)?;
        let rest = fragment.strip_prefix(LETTER_VERSION).ok_or(LinkError::Version)?;
        let (id, secret) = rest.split_once('.').ok_or(LinkError::Fragment)?;
        let id = LetterId::parse(id).map_err(|_| LinkError::Fragment)?;
        let secret = base64url::decode_strict(secret).map_err(|_| LinkError::Fragment)?;
        let secret = Zeroizing::new(secret);
        let secret: [u8; 32] = secret.as_slice().try_into().map_err(|_| LinkError::Fragment)?;
        Self::new(base, id, LetterSecret::from_bytes(secret))
    }

    /// Where the gateway is.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The letter.
    #[must_use]
    pub const fn id(&self) -> LetterId {
        self.id
    }

    /// What opens it.
    #[must_use]
    pub const fn secret(&self) -> &LetterSecret {
        &self.secret
    }

    /// The link as a text, to be handed to its reader and to nobody else.
    #[must_use]
    pub fn to_url(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(base64url::encode(self.secret.as_bytes()));
        let (base, id, secret) = (&self.base, self.id, secret.as_str());
        Zeroizing::new(format!("{base}{LETTER_PATH}#{LETTER_VERSION}{id}.{secret}"))
    }
}

/// What stands before `path` and what behind the `#`.
fn split<'a>(link: &'a str, path: &str) -> Result<(&'a str, &'a str), LinkError> {
    let (address, fragment) = link.split_once('#').ok_or(LinkError::Fragment)?;
    let start = address.len().checked_sub(path.len()).ok_or(LinkError::Path)?;
    let (base, found) = address.split_at_checked(start).ok_or(LinkError::Path)?;
    if found.eq_ignore_ascii_case(path) { Ok((base, fragment)) } else { Err(LinkError::Path) }
}

/// An address of a gateway without the slashes at its end.
fn checked(base: &str) -> Result<String, LinkError> {
    let rest = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://"));
    let rest = rest.ok_or(LinkError::Base)?.trim_end_matches('/');
    let plain = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\\"<>".contains(&byte));
    if !plain || rest.is_empty() || rest.starts_with('/') {
        return Err(LinkError::Base);
    }
    Ok(base.trim_end_matches('/').to_owned())
}

impl fmt::Debug for ShareLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ShareLink").field("base", &self.base).finish_non_exhaustive()
    }
}

impl fmt::Debug for LetterLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LetterLink").field("base", &self.base).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TOKEN: &str = "00112233445566778899aabbccddeeff";

    #[test]
    fn a_link_keeps_the_path_of_its_gateway_and_forgives_the_case_of_its_own() {
        let link = ShareLink::parse(&format!("http://a.example/b//KeyService#{TOKEN}")).unwrap();
        assert_eq!(link.to_url(), format!("http://a.example/b/keyservice#{TOKEN}"));
    }

    #[test]
    fn other_texts_are_no_links() {
        for (text, error) in [
            (format!("https://a.example/keyservice?{TOKEN}"), LinkError::Fragment),
            (format!("https://a.example/other#{TOKEN}"), LinkError::Path),
            (format!("é/keyservice#{TOKEN}"), LinkError::Base),
            (format!("javascript:x/keyservice#{TOKEN}"), LinkError::Base),
            (format!("https:///keyservice#{TOKEN}"), LinkError::Base),
            (format!("https://me@a.example/keyservice#{TOKEN}"), LinkError::Base),
            (format!("https://a.example/?a=b/keyservice#{TOKEN}"), LinkError::Base),
            ("https://a.example/keyservice#".to_owned(), LinkError::Fragment),
            (format!("https://a.example/keyservice#{TOKEN}0"), LinkError::Fragment),
        ] {
            assert_eq!(ShareLink::parse(&text), Err(error), "{text}");
        }
        let secret = base64url::encode(&[7; 32]);
        for (fragment, error) in [
            (format!("1.{TOKEN}.{secret}"), LinkError::Version),
            (format!("{TOKEN}.{secret}"), LinkError::Version),
            (format!("2.{TOKEN}"), LinkError::Fragment),
            (format!("2.{TOKEN}.{secret}="), LinkError::Fragment),
            (format!("2.{TOKEN}.{secret}.x"), LinkError::Fragment),
            (format!("2.{TOKEN}.AAAA"), LinkError::Fragment),
        ] {
            let link = format!("https://a.example/selfdestruct/read#{fragment}");
            assert_eq!(LetterLink::parse(&link), Err(error), "{link}");
        }
    }

    proptest! {
        #[test]
        fn every_link_survives_being_written(
            base in "https?://[a-z0-9.:-]{1,20}(/[a-zA-Z0-9%._~-]{1,9}){0,3}",
            id: [u8; 16],
            secret: [u8; 32],
        ) {
            let shared = ShareLink::new(&base, BoxToken::from_bytes(id)).unwrap();
            prop_assert_eq!(ShareLink::parse(&shared.to_url()), Ok(shared));
            let (id, secret) = (LetterId::from_bytes(id), LetterSecret::from_bytes(secret));
            let letter = LetterLink::new(&base, id, secret).unwrap();
            prop_assert_eq!(LetterLink::parse(&letter.to_url()), Ok(letter));
        }

        #[test]
        fn any_text_is_a_link_or_refused(text: String) {
            prop_assert!(ShareLink::parse(&text).is_err() && LetterLink::parse(&text).is_err());
        }
    }
}
