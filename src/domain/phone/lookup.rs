//! Looking contacts up: who of somebody's address book is here, or at a gateway that is known here.

use sha1::{Digest, Sha1};

use super::contact::{Contact, ContactToken};
use super::device::Phone;
use super::limits::PhoneLimit;
use super::number::PhoneNumber;
use super::switchboard::Switchboard;
use crate::domain::error::Fault;

impl ContactToken {
    /// The token of a number: the first ten bytes of the SHA-1 of it, its `+` included.
    #[must_use]
    pub fn of(number: &PhoneNumber) -> Self {
        let hash: [u8; 20] = Sha1::digest(number.as_str()).into();
        let mut token = [0; 10];
        token.copy_from_slice(&hash[..10]);
        Self(token)
    }
}

impl Switchboard {
    /// Counts contacts that a phone is about to look up, all of them or none.
    ///
    /// # Errors
    /// [`Fault::RateLimited`], and [`Fault::TooLarge`] for more than may ever be looked up at once.
    pub fn count_lookups(&self, phone: &Phone, count: usize) -> Result<(), Fault> {
        self.limits.take(PhoneLimit::Contacts, phone.number.as_str(), count as u64)
    }

    /// Those of these contacts that are listed, in the order in which they are asked for; the rest
    /// are left out. Nobody is at a gateway that is not known any more.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn look_up(&self, tokens: &[ContactToken]) -> Result<Vec<Contact>, Fault> {
        if tokens.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.gateway.store.contacts(tokens).await?;
        let is_known = |relay: &String| self.relays.knows(relay);
        found.retain(|contact| contact.relay.as_ref().is_none_or(is_known));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD_NO_PAD;

    use super::*;

    #[test]
    fn the_tokens_are_those_of_everybody_else() {
        for (number, token) in [
            ("+14152222222", "BQVVHxMt5zAFXA"),
            ("+14150000000", "9p/8mrYemAhNrw"),
            ("+14151111111", "ZOjNv63iDRcjDw"),
        ] {
            let number = PhoneNumber::parse(number).unwrap();
            assert_eq!(STANDARD_NO_PAD.encode(ContactToken::of(&number).0), token);
        }
    }
}
