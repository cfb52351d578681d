//! Members and their devices, and what the store needs to make and change them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sealpost_sdk::keys::VerifyingKey;

use super::name::MemberName;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber, UserId};
use crate::domain::inbox::InboxKey;

/// A prekey that serves for a longer time, with its owner's signature. Both as the owner wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedKey {
    /// The X25519 key, base64.
    pub key: String,
    /// The identity key's Ed25519 signature over the key's bytes, base64.
    pub signature: String,
}

/// A live device of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberDevice {
    /// Its session's number inside the store.
    pub session: SessionNumber,
    /// Its session's id, its public id.
    pub id: SessionId,
    /// Its identity key, base64 as its owner wrote it; at a device of another gateway what that one
    /// said.
    pub identity_key: String,
    /// The X25519 key that others agree with, base64 as its owner wrote it.
    pub agreement_key: String,
    /// Its signed prekey.
    pub signed: SignedKey,
    /// What its owner calls it.
    pub label: Option<String>,
    /// Whether it has signed all of a request once, and is held to that since.
    pub is_strong: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last looked into its inbox, to within half an hour or so.
    pub last_seen_at: Option<Timestamp>,
}

/// A member at one generation of its roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The account inside the store.
    pub account: AccountNumber,
    /// Its public id.
    pub user: UserId,
    /// Its name.
    pub name: MemberName,
    /// The gateway that it belongs to; `None` for this one.
    pub relay: Option<String>,
    /// Raised by every change to its devices, in the transaction that makes the change.
    pub generation: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its live devices, the oldest first.
    pub devices: Vec<MemberDevice>,
}

impl Member {
    /// The live device of that id.
    #[must_use]
    pub fn device(&self, id: SessionId) -> Option<&MemberDevice> {
        self.devices.iter().find(|device| device.id == id)
    }

    /// Where messages for a device of this member wait.
    #[must_use]
    pub fn inbox(&self, device: &MemberDevice) -> InboxKey {
        InboxKey { shard: self.account.shard(), session: device.session }
    }
}

/// A device, and the member whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceOwner {
    /// The member.
    pub member: Arc<Member>,
    /// The device, one of the member's.
    pub device: MemberDevice,
}

impl DeviceOwner {
    /// The live device of a member that has this session.
    #[must_use]
    pub fn of(member: Arc<Member>, session: SessionNumber) -> Option<Self> {
        let device = member.devices.iter().find(|device| device.session == session)?.clone();
        Some(Self { member, device })
    }
}

/// A member as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedMember {
    /// The account inside the store, by which pages go on.
    pub account: AccountNumber,
    /// Its public id.
    pub user: UserId,
    /// Its name.
    pub name: MemberName,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What the store needs to make a member.
#[derive(Clone, Debug)]
pub struct NewMember {
    /// Its public id, fresh.
    pub user: UserId,
    /// Its name.
    pub name: MemberName,
    /// When it is made.
    pub at: Timestamp,
    /// Whether its first device comes by its own word, and not with a token.
    pub enrols_itself: bool,
    /// A name whose member was made before this, and never had a device, is free.
    pub idle_before: Timestamp,
    /// Whether everybody sees it in the list of members.
    pub is_discoverable: bool,
}

impl NewMember {
    /// Whether somebody who has the name keeps it.
    ///
    /// # Errors
    /// [`Fault::Conflict`] (`username`) then.
    pub fn check_holder(&self, had_device: bool, made_at: Timestamp) -> Result<(), Fault> {
        match had_device || made_at >= self.idle_before {
            true => Err(Fault::conflict("username", "is taken")),
            false => Ok(()),
        }
    }
}

/// What the store needs to enrol a device.
#[derive(Clone, Debug)]
pub struct NewEnrolment {
    /// The account.
    pub user: UserId,
    /// The session's id, fresh.
    pub id: SessionId,
    /// The Ed25519 key that verifies its requests; on file for no other session.
    pub signing_key: VerifyingKey,
    /// The same as its owner wrote it, base64.
    pub identity_key: String,
    /// The X25519 key that others agree with, base64.
    pub agreement_key: String,
    /// Its signed prekey.
    pub signed: SignedKey,
    /// Its one-time prekeys, in the order in which they are given out. Doubles are kept once.
    pub one_time_keys: Vec<String>,
    /// What its owner calls it.
    pub label: Option<String>,
    /// What allows it.
    pub permit: Permit,
    /// The live devices that the account may have, this one included.
    pub most: u32,
    /// The present moment.
    pub at: Timestamp,
}

/// What is on file about an enrolment, as the store finds it in the enrolment's transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// When the account was made.
    pub made_at: Timestamp,
    /// Whether its first device may come by its own word.
    pub enrols_itself: bool,
    /// Whether it ever had a device.
    pub had_device: bool,
    /// How many it has.
    pub devices: u64,
    /// Whether the token was used before, if there is one.
    pub is_token_used: bool,
    /// Whether the device that signs is a live one of the account, if there is one.
    pub is_signer_live: bool,
    /// Whether the new device's key belongs to a session, of whatever dialect, live or ended.
    pub is_key_on_file: bool,
}

impl NewEnrolment {
    /// Whether nothing on file speaks against it.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when the permit does not hold, [`Fault::Conflict`] (`identity_pubkey`)
    /// when the key is on file, [`Fault::TooLarge`] when there are as many devices as there may be.
    pub fn check(&self, found: &Circumstances) -> Result<(), Fault> {
        match self.permit {
            Permit::Token { .. } if found.is_token_used => {
                return Err(Fault::forbidden("the enrolment token was used before"));
            }
            Permit::First { .. } if !found.enrols_itself => {
                return Err(Fault::forbidden("the first device of this account needs its token"));
            }
            Permit::First { made_after } if found.had_device || found.made_at <= made_after => {
                return Err(Fault::forbidden("only a device of the account may enrol another one"));
            }
            Permit::Device(_) if !found.is_signer_live => {
                return Err(Fault::forbidden("the device that signs has ended"));
            }
            Permit::Token { .. } | Permit::First { .. } | Permit::Device(_) => {}
        }
        if found.is_key_on_file {
            return Err(Fault::conflict("identity_pubkey", "is on file for a device"));
        }
        let (actual, limit) = (found.devices + 1, u64::from(self.most));
        if actual > limit {
            return Err(Fault::TooLarge { what: "the number of devices", actual, limit });
        }
        Ok(())
    }
}

/// What allows a device to be enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permit {
    /// A token, used up by this; the first 16 bytes of its SHA-256, and when its time is over.
    Token {
        /// Names the token.
        hash: [u8; 16],
        /// From then on nobody need remember that it was used.
        until: Timestamp,
    },
    /// The account was made without a token, after this moment, and never had a device.
    First {
        /// The earliest moment.
        made_after: Timestamp,
    },
    /// A live device of the account has signed for it.
    Device(SessionNumber),
}

/// A device that was just enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolledDevice {
    /// Its account.
    pub account: AccountNumber,
    /// The device.
    pub device: MemberDevice,
}

/// The refusal to end the last device of a member: nobody could act for it any more.
#[must_use]
pub fn last_device() -> Fault {
    Fault::conflict("device", "is the last one of its account, which can be deleted instead")
}

/// A change to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberDeviceChange {
    /// Another signed prekey.
    Signed(SignedKey),
    /// Another name for it, or none.
    Label(Option<String>),
    /// From now on it signs all of a request.
    Strong,
}

/// A one-time prekey that was given out is remembered for so long after the last moment at which an
/// introduction may name it, so that it is not given out again when its owner leaves it once more.
pub const KEYS_REMEMBERED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Keys that can be added behind those that are there, each once, and none that was given out or
/// used before.
///
/// # Errors
/// [`Fault::TooLarge`] when there would be more than `most`.
pub fn new_one_time_keys<'k>(
    keys: &'k [String],
    waiting: &[String],
    spent: &[String],
    most: u32,
) -> Result<Vec<&'k str>, Fault> {
    let mut known: HashSet<&str> = waiting.iter().chain(spent).map(String::as_str).collect();
    let mut new: Vec<&str> = keys.iter().map(String::as_str).collect();
    new.retain(|key| known.insert(key));
    let (actual, limit) = ((waiting.len() + new.len()) as u64, u64::from(most));
    if actual > limit {
        return Err(Fault::TooLarge { what: "the number of one-time prekeys", actual, limit });
    }
    Ok(new)
}

/// A device that another gateway speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteDevice {
    /// The other gateway's name.
    pub relay: String,
    /// The member's name there.
    pub name: MemberName,
    /// The account's id here, which follows from the other gateway and the name.
    pub user: UserId,
    /// The device's id here, which follows from the other gateway and its id there.
    pub id: SessionId,
    /// Its id there.
    pub id_there: String,
    /// Its identity key, base64.
    pub identity_key: String,
    /// The present moment.
    pub at: Timestamp,
}

/// How long somebody of another gateway may come to nothing before it is looked again.
pub const GUEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

impl RemoteDevice {
    /// Why it is not noted.
    #[must_use]
    pub fn refusal() -> Fault {
        Fault::forbidden("the id is on file for somebody else")
    }
}
