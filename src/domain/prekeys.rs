//! Prekeys: public keys that a device leaves here so that others can begin to write to it while it
//! is away. Each ordinary one is given out once; the last resort is given out when there is none
//! left, and stays.
//!
//! The gateway neither makes nor checks them: it keeps the strings of their owner and gives them
//! back byte for byte.

use super::ids::{AccountNumber, SessionNumber};

/// A public key for one conversation's beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prekey {
    /// The owner's number for it.
    pub id: i64,
    /// The key, as its owner wrote it.
    pub public_key: String,
}

/// A prekey that serves for a longer time, with its owner's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedPrekey {
    /// The owner's number for it.
    pub id: i64,
    /// The key, as its owner wrote it.
    pub public_key: String,
    /// The owner's signature over the key, as the owner wrote it.
    pub signature: String,
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

/// The key by which an account is known to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: AccountNumber,
    /// Its key, as its owner wrote it.
    pub key: String,
}

/// What was given out for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenPrekey {
    /// The device.
    pub session: SessionNumber,
    /// An ordinary key, which nobody gets again; or the last resort; or nothing.
    pub prekey: Option<Prekey>,
    /// The signed one, if it has one.
    pub signed: Option<SignedPrekey>,
}
