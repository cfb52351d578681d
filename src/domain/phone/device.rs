//! Numbered devices, and what the store needs to make and change them.

use std::fmt;

use zeroize::Zeroizing;

use super::code::CodeUse;
use super::contact::ContactToken;
use super::number::PhoneNumber;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, SessionId, SessionNumber, UserId};
use crate::domain::inbox::InboxKey;
use crate::domain::vault::{Sealed, Vault};

/// A device's number within its account, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceNumber(pub u32);

impl DeviceNumber {
    /// The device that proved the number.
    pub const PRIMARY: Self = Self(1);
}

/// A salted hash of a password, in the PHC string format.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// Which service carries notifications to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PushKind {
    /// Google's, under a registration token.
    Gcm,
    /// Apple's, under a device token.
    Apn,
    /// Web Push (RFC 8030) or UnifiedPush, under the URL of an endpoint.
    WebPush,
}

impl PushKind {
    /// The name under which the store keeps it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gcm => "gcm",
            Self::Apn => "apn",
            Self::WebPush => "webpush",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Gcm, Self::Apn, Self::WebPush].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Where notifications for a device go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushAddress {
    /// By which service.
    pub kind: PushKind,
    /// The token or the endpoint with its keys, sealed: whoever has it can disturb the device.
    pub address: Sealed,
}

/// A device of a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its session's number inside the store.
    pub session: SessionNumber,
    /// Its session's id.
    pub id: SessionId,
    /// Its number within the account.
    pub number: DeviceNumber,
    /// What its password is compared with.
    pub password: PasswordHash,
    /// The 52 bytes under which everything on the way to it is encrypted once more, sealed.
    pub signalling_key: Sealed,
    /// A random number of its installation, by which others notice a new one; 0 for unknown.
    pub registration: u32,
    /// Whether it comes for its messages by itself.
    pub fetches: bool,
    /// Where notifications for it go.
    pub push: Option<PushAddress>,
    /// What its owner calls it.
    pub name: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last looked into its inbox, to within half an hour or so.
    pub last_seen_at: Option<Timestamp>,
}

/// The length of a signalling key.
pub const SIGNALLING_KEY: usize = 52;

/// The context under which a vault seals the signalling key of the device with this session id.
#[must_use]
pub fn signalling_key_context(device: SessionId) -> String {
    format!("signalling key {device}")
}

impl Device {
    /// Its signalling key, to be forgotten once something was encrypted.
    ///
    /// # Errors
    /// [`Fault::Internal`] when another gateway has sealed it.
    pub fn open_signalling_key(
        &self,
        vault: &Vault,
    ) -> Result<Zeroizing<[u8; SIGNALLING_KEY]>, Fault> {
        let opened = vault.open(&signalling_key_context(self.id), &self.signalling_key)?;
        let key: Result<[u8; SIGNALLING_KEY], _> = opened.as_slice().try_into();
        let key = key.map_err(|error| Fault::internal("opening a signalling key", error))?;
        Ok(Zeroizing::new(key))
    }

    /// Whether messages can reach it.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.fetches || self.push.is_some()
    }
}

/// An account that is known by a telephone number, at one generation of its roster.
#[derive(Clone, PartialEq, Eq)]
pub struct Phone {
    /// The account inside the store.
    pub account: AccountNumber,
    /// Its public id, which nobody outside sees.
    pub user: UserId,
    /// Its number.
    pub number: PhoneNumber,
    /// Raised by every change to its devices, in the transaction that makes the change.
    pub generation: i64,
    /// Whether it also takes text messages.
    pub supports_sms: bool,
    /// The key by which it is known to others, as its owner wrote it.
    pub identity_key: Option<String>,
    /// Its devices, in ascending order of their numbers.
    pub devices: Vec<Device>,
}

impl Phone {
    /// The device of that number.
    #[must_use]
    pub fn device(&self, number: DeviceNumber) -> Option<&Device> {
        self.devices.iter().find(|device| device.number == number)
    }

    /// Whether messages can reach it: its first device decides.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.device(DeviceNumber::PRIMARY).is_some_and(Device::is_active)
    }

    /// The devices that messages can reach, in ascending order of their numbers.
    pub fn active_devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|device| device.is_active())
    }

    /// Where messages for a device of this phone wait.
    #[must_use]
    pub fn inbox(&self, device: &Device) -> InboxKey {
        InboxKey { shard: self.account.shard(), session: device.session }
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phone")
            .field("account", &self.account)
            .field("generation", &self.generation)
            .field("has_identity_key", &self.identity_key.is_some())
            .field("devices", &self.devices)
            .finish_non_exhaustive()
    }
}

/// What the store needs to make a device.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// Its session's id, fresh.
    pub id: SessionId,
    /// What its password will be compared with.
    pub password: PasswordHash,
    /// Its signalling key, sealed.
    pub signalling_key: Sealed,
    /// The random number of its installation.
    pub registration: u32,
    /// Whether it comes for its messages by itself.
    pub fetches: bool,
    /// What its owner calls it.
    pub name: Option<String>,
}

/// What the store needs to register a number. Everything that the number had before ends in the
/// same transaction: devices, what waited for them, prekeys, the identity key.
#[derive(Clone, Debug)]
pub struct NewPhone {
    /// The number.
    pub number: PhoneNumber,
    /// By which others look for it.
    pub token: ContactToken,
    /// The account's public id, fresh; for a number that never had one.
    pub user: UserId,
    /// Whether it also takes text messages.
    pub supports_sms: bool,
    /// Its first device.
    pub device: NewDevice,
    /// The code that proved it, used up by this; `None` when it was proved otherwise.
    pub code: Option<CodeUse>,
    /// The present moment.
    pub at: Timestamp,
}

/// What the store needs to link a further device.
#[derive(Clone, Debug)]
pub struct NewLink {
    /// The account.
    pub account: AccountNumber,
    /// Its first device, which asked for the code.
    pub first: SessionNumber,
    /// The device; it gets the number after the account's highest.
    pub device: NewDevice,
    /// The devices that the account may have, this one included.
    pub most: u32,
    /// The code that allowed it, used up by this.
    pub code: CodeUse,
    /// The present moment.
    pub at: Timestamp,
}

impl NewLink {
    /// What there is to say against a further device beside so many, the code aside.
    ///
    /// # Errors
    /// [`Fault::Forbidden`] when the account has no device, [`Fault::TooLarge`] when it has all that
    /// it may have: `actual` counts the further one.
    pub fn check_room(&self, devices: u64) -> Result<(), Fault> {
        if devices == 0 {
            return Err(Fault::forbidden("the account has no device"));
        }
        let (actual, limit) = (devices + 1, u64::from(self.most));
        if actual > limit {
            return Err(Fault::TooLarge { what: "the number of devices", actual, limit });
        }
        Ok(())
    }
}

/// What is said to a device that is not its phone's first one, or no more.
#[must_use]
pub fn not_the_first() -> Fault {
    Fault::unauthorized("only the first device may do this")
}

/// What registering, or unlinking, changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The account inside the store.
    pub account: AccountNumber,
    /// The device that was made, or unlinked.
    pub device: DeviceNumber,
    /// The sessions that ended.
    pub ended: Vec<SessionNumber>,
}

/// A change to a device that its account's roster shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChange {
    /// Notifications go there from now on, and nowhere else.
    SetPush(PushAddress),
    /// Notifications of this kind go nowhere any more.
    ClearPush(PushKind),
    /// The service says that this address is dead; it goes if it is still the device's.
    DropPush(PushAddress),
    /// The address is another one from now on, if it is still this one.
    MovePush {
        /// The old one.
        from: PushAddress,
        /// The new one.
        to: PushAddress,
    },
}

impl DeviceChange {
    /// Where notifications go from then on.
    #[must_use]
    pub fn to(&self) -> Option<&PushAddress> {
        match self {
            Self::SetPush(to) | Self::MovePush { to, .. } => Some(to),
            Self::ClearPush(_) | Self::DropPush(_) => None,
        }
    }

    /// What they must have been until then for the change to be made: of which kind, and for which
    /// address; `None` for any.
    #[must_use]
    pub fn condition(&self) -> (Option<PushKind>, Option<&Sealed>) {
        match self {
            Self::SetPush(_) => (None, None),
            Self::ClearPush(kind) => (Some(*kind), None),
            Self::DropPush(from) | Self::MovePush { from, .. } => {
                (Some(from.kind), Some(&from.address))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debug_print_of_a_phone_shows_neither_number_nor_key() {
        let phone = Phone {
            account: AccountNumber(1),
            user: UserId::from_bytes([0; 16]),
            number: PhoneNumber::parse("+14152222222").unwrap(),
            generation: 1,
            supports_sms: false,
            identity_key: Some("7734".to_owned()),
            devices: Vec::new(),
        };
        let shown = format!("{phone:?}");
        assert!(!shown.contains("7734") && !shown.contains("415222"), "{shown}");
        assert!(shown.contains("has_identity_key: true"), "{shown}");
    }
}
