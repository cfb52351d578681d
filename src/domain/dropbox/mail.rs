//! Mail that the gateway writes.

use std::fmt;

use zeroize::Zeroizing;

/// The longest address that mail knows, bytes (RFC 5321, 4.5.3.1.3, without its brackets).
const LONGEST: usize = 254;

/// Where mail goes. It is shown nowhere.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress(String);

impl EmailAddress {
    /// An address such as `anna@example.org`; `None` when it cannot be one. Lists, display names,
    /// quoted names and literal hosts are none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, host) = text.split_once('@')?;
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
        let is_of_host = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let labels = |text: &str| text.split('.').all(|label| !label.is_empty());
        let is_good = text.len() <= LONGEST
            && name.len() <= 64
            && labels(name)
            && name.chars().all(is_of_name)
            && labels(host)
            && host.split('.').all(|label| label.chars().all(is_of_host));
        is_good.then(|| Self(text.to_owned()))
    }

    /// What is the same for all ways to write one mailbox: case does not matter to anybody, nor what
    /// follows a `+` in the name to most. For counting mails, not for sending any.
    #[must_use]
    pub(super) fn mailbox(&self) -> String {
        let (name, host) = self.0.split_once('@').unwrap_or((&self.0, ""));
        let name = name.split_once('+').map_or(name, |(name, _)| name);
        format!("{name}@{host}").to_ascii_lowercase()
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(..)")
    }
}

/// A mail in plain text.
pub struct Mail {
    /// To whom.
    pub to: EmailAddress,
    /// Its subject, one line.
    pub subject: &'static str,
    /// Its text, which may hold a link with a secret.
    pub text: Zeroizing<String>,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mail(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_address() {
        for good in ["anna@example.org", "a.b+c@x-y.example", "root@localhost"] {
            assert!(EmailAddress::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "anna",
            "@x",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b, c@d",
            "a@b\r\nBcc: c@d",
            "<a@b>",
            "a..b@c",
            "a@b..c",
            ".a@b",
        ] {
            assert!(EmailAddress::parse(bad).is_none(), "{bad}");
        }
        assert!(EmailAddress::parse(&format!("{}@b", "a".repeat(65))).is_none());
    }

    #[test]
    fn a_mailbox_is_the_same_however_it_is_written() {
        let mailbox = |text| EmailAddress::parse(text).unwrap().mailbox();
        for same in ["Anna@Example.org", "anna+1@example.org", "ANNA+b+c@EXAMPLE.ORG"] {
            assert_eq!(mailbox(same), "anna@example.org");
        }
        assert_ne!(mailbox("anna.b@example.org"), "anna@example.org");
    }

    #[test]
    fn it_is_not_shown() {
        let address = EmailAddress::parse("anna@example.org").unwrap();
        assert_eq!(format!("{address:?}"), "EmailAddress(..)");
    }
}
