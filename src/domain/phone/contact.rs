//! Who is listed: contacts are looked for by a token of their number.

use std::fmt;

use super::number::PhoneNumber;

/// Ten bytes that stand for a telephone number: the beginning of a hash of it. They hide nothing
/// from somebody who tries all numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactToken(pub [u8; 10]);

impl fmt::Debug for ContactToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ContactToken(..)")
    }
}

/// Somebody who is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// By which it was looked for.
    pub token: ContactToken,
    /// The name of the gateway where it is, unless it is here.
    pub relay: Option<String>,
    /// Whether it also takes text messages.
    pub supports_sms: bool,
}

/// What another gateway says about somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayContact {
    /// By which it is looked for.
    pub token: ContactToken,
    /// Whether it also takes text messages.
    pub supports_sms: bool,
    /// Whether it can be reached there; if not it is listed no more.
    pub is_active: bool,
}

/// A phone as another gateway may list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPhone {
    /// The number.
    pub number: PhoneNumber,
    /// What may be said about it.
    pub contact: RelayContact,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debug_print_shows_nobody() {
        let token = ContactToken([77; 10]);
        let contact = Contact { token, relay: None, supports_sms: false };
        let shown = format!("{contact:?}");
        assert!(shown.contains("ContactToken(..)") && !shown.contains("77"), "{shown}");
    }
}
