//! Prekeys: public keys that a device leaves here so that others can begin to write to it while it
//! is away. Each ordinary one is given out once; the last resort is given out when there is none
//! left, and stays.
//!
//! The gateway neither makes them nor looks at what they are: it keeps the strings of their owner, if
//! they are short enough, and gives them back byte for byte.

use std::fmt;

use super::error::Fault;
use super::ids::{AccountNumber, SessionNumber};

/// How many ordinary prekeys a device may leave at once; clients leave a hundred.
pub const MOST_ORDINARY: usize = 500;

/// The longest key or signature, in bytes. Those of clients have some 100.
pub const LONGEST_STRING: usize = 512;

/// A public key for one conversation's beginning.
#[derive(Clone, PartialEq, Eq)]
pub struct Prekey {
    /// The owner's number for it.
    pub id: i64,
    /// The key, as its owner wrote it.
    pub public_key: String,
}

impl Prekey {
    fn check(&self) -> Result<(), Fault> {
        check_id(self.id)?;
        check_string("publicKey", &self.public_key)
    }
}

/// A prekey that serves for a longer time, with its owner's signature.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedPrekey {
    /// The owner's number for it.
    pub id: i64,
    /// The key, as its owner wrote it.
    pub public_key: String,
    /// The owner's signature over the key, as the owner wrote it.
    pub signature: String,
}

impl SignedPrekey {
    /// The same, if it may be kept.
    ///
    /// # Errors
    /// [`Fault::Invalid`] for a number below 0, or a key or signature that is too long.
    pub fn checked(self) -> Result<Self, Fault> {
        self.check()?;
        Ok(self)
    }

    fn check(&self) -> Result<(), Fault> {
        check_id(self.id)?;
        check_string("publicKey", &self.public_key)?;
        check_string("signature", &self.signature)
    }
}

/// What a device leaves here, in the place of all that it left before.
#[derive(Clone, Debug)]
pub struct NewPrekeys {
    /// The device.
    pub session: SessionNumber,
    /// The keys that are given out once. Of two with the same number both are kept.
    pub ordinary: Vec<Prekey>,
    /// The key that is given out when there is no other.
    pub last_resort: Option<Prekey>,
    /// The signed one; `None` leaves the one that is on file.
    pub signed: Option<SignedPrekey>,
    /// The key by which the device's account is known to others; `None` leaves the one on file.
    pub identity: Option<Identity>,
}

impl NewPrekeys {
    /// The same, if it may be kept.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] for more than [`MOST_ORDINARY`], [`Fault::Invalid`] for a number below 0 or
    /// a string that is too long.
    pub fn checked(self) -> Result<Self, Fault> {
        let (actual, limit) = (self.ordinary.len() as u64, MOST_ORDINARY as u64);
        if actual > limit {
            return Err(Fault::TooLarge { what: "the number of prekeys", actual, limit });
        }
        self.ordinary.iter().chain(&self.last_resort).try_for_each(Prekey::check)?;
        if let Some(signed) = &self.signed {
            signed.check()?;
        }
        if let Some(identity) = &self.identity {
            check_string("identityKey", &identity.key)?;
        }
        Ok(self)
    }
}

fn check_id(id: i64) -> Result<(), Fault> {
    if id < 0 {
        return Err(Fault::invalid("keyId", "is below 0"));
    }
    Ok(())
}

fn check_string(field: &'static str, string: &str) -> Result<(), Fault> {
    if string.len() > LONGEST_STRING {
        let reason = format!("has {} bytes; at most {LONGEST_STRING} are kept", string.len());
        return Err(Fault::invalid(field, reason));
    }
    // Not every database keeps it.
    if string.contains('\0') {
        return Err(Fault::invalid(field, "holds a NUL character"));
    }
    Ok(())
}

/// The key by which an account is known to others.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: AccountNumber,
    /// Its key, as its owner wrote it.
    pub key: String,
}

/// What was given out for one device.
#[derive(Clone, PartialEq, Eq)]
pub struct TakenPrekey {
    /// The device.
    pub session: SessionNumber,
    /// An ordinary key, which nobody gets again; or the last resort; or nothing.
    pub prekey: Option<Prekey>,
    /// The signed one, if it has one.
    pub signed: Option<SignedPrekey>,
    /// The key by which the device's account is known to others at that moment, as its owner wrote it.
    pub identity: Option<String>,
}

impl fmt::Debug for Prekey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prekey({}, ..)", self.id)
    }
}

impl fmt::Debug for SignedPrekey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedPrekey({}, ..)", self.id)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:?}, ..)", self.account)
    }
}

impl fmt::Debug for TakenPrekey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TakenPrekey");
        shown.field("session", &self.session).field("prekey", &self.prekey);
        shown.field("signed", &self.signed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prekey(id: i64, length: usize) -> Prekey {
        Prekey { id, public_key: "x".repeat(length) }
    }

    fn signed(id: i64, key: usize, signature: usize) -> SignedPrekey {
        let Prekey { id, public_key } = prekey(id, key);
        SignedPrekey { id, public_key, signature: "x".repeat(signature) }
    }

    fn refused(change: impl FnOnce(&mut NewPrekeys)) -> Option<String> {
        let (account, session) = (AccountNumber(1), SessionNumber(1));
        let mut new = NewPrekeys {
            session,
            ordinary: vec![prekey(0, LONGEST_STRING); MOST_ORDINARY],
            last_resort: Some(prekey(i64::MAX, LONGEST_STRING)),
            signed: Some(signed(0, LONGEST_STRING, LONGEST_STRING)),
            identity: Some(Identity { account, key: "x".repeat(LONGEST_STRING) }),
        };
        change(&mut new);
        new.checked().err().map(|fault| fault.to_string())
    }

    #[test]
    fn a_debug_print_shows_no_key() {
        let (account, session, key) = (AccountNumber(1), SessionNumber(1), "7734".to_owned());
        let prekey = Prekey { id: 5, public_key: key.clone() };
        let signed = SignedPrekey { id: 6, public_key: key.clone(), signature: key.clone() };
        let identity = Some(Identity { account, key: key.clone() });
        let taken = TakenPrekey {
            session,
            prekey: Some(prekey.clone()),
            signed: Some(signed.clone()),
            identity: Some(key),
        };
        let (ordinary, last_resort, signed) = (vec![prekey.clone()], Some(prekey), Some(signed));
        let new = NewPrekeys { session, ordinary, last_resort, signed, identity };
        for shown in [format!("{new:?}"), format!("{taken:?}")] {
            assert!(!shown.contains("7734"), "{shown}");
            assert!(shown.contains("Prekey(5, ..)") && shown.contains("(6, ..)"), "{shown}");
        }
    }

    #[test]
    fn nothing_is_kept_that_is_too_much_too_long_or_below_nothing() {
        const LONG: usize = LONGEST_STRING + 1;
        assert_eq!(refused(|_| ()), None);
        assert!(refused(|it| it.ordinary.push(prekey(1, 1))).unwrap().contains("501"));
        for refused in [
            refused(|it| it.ordinary[499] = prekey(1, LONG)),
            refused(|it| it.last_resort = Some(prekey(1, LONG))),
            refused(|it| it.signed = Some(signed(1, LONG, 1))),
            refused(|it| it.signed = Some(signed(1, 1, LONG))),
            refused(|it| it.identity.as_mut().unwrap().key.push('x')),
        ] {
            assert!(refused.unwrap().contains("513"));
        }
        for refused in [
            refused(|it| it.ordinary[0] = prekey(-1, 1)),
            refused(|it| it.last_resort = Some(prekey(-1, 1))),
            refused(|it| it.signed = Some(signed(-1, 1, 1))),
        ] {
            assert!(refused.unwrap().contains("keyId"));
        }
    }
}
