//! Prekeys of phones: what a device leaves, and what others get of it.

use std::fmt;

use super::device::{Device, DeviceNumber};
use super::limits::PhoneLimit;
use super::number::PhoneNumber;
use super::switchboard::Switchboard;
use crate::domain::error::Fault;
use crate::domain::prekeys::{Prekey, SignedPrekey, TakenPrekey};

/// Whose prekeys are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Those of one device.
    One(DeviceNumber),
    /// Those of all devices that messages can reach.
    All,
}

/// What others need to begin to write to a phone.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneKeys {
    /// The key by which the phone is known to others, as its owner wrote it.
    pub identity: Option<String>,
    /// A prekey of each device that has one, in ascending order of their numbers.
    pub devices: Vec<DeviceKeys>,
}

impl fmt::Debug for PhoneKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhoneKeys").field("devices", &self.devices).finish_non_exhaustive()
    }
}

/// What others need to begin to write to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceKeys {
    /// The device.
    pub device: DeviceNumber,
    /// The random number of its installation.
    pub registration: u32,
    /// A prekey that nobody else gets, or its last resort.
    pub prekey: Option<Prekey>,
    /// Its signed prekey.
    pub signed: Option<SignedPrekey>,
}

impl Switchboard {
    /// Counts that one number asks for prekeys of another.
    ///
    /// # Errors
    /// [`Fault::RateLimited`].
    pub fn may_take_keys(
        &self,
        asking: &PhoneNumber,
        of: &PhoneNumber,
        wanted: Wanted,
    ) -> Result<(), Fault> {
        let (asking, of) = (asking.as_str(), of.as_str());
        let key = match wanted {
            Wanted::One(device) => format!("{asking}__{of}.{}", device.0),
            Wanted::All => format!("{asking}__{of}.*"),
        };
        self.limits.take(PhoneLimit::Prekeys, &key, 1)
    }

    /// Gives out a prekey of each device that is asked for; of devices that messages cannot reach
    /// nothing is given out.
    ///
    /// # Errors
    /// [`Fault::NotFound`] when messages cannot reach the phone or the device, or it has left nothing.
    pub async fn take_keys(&self, of: &PhoneNumber, wanted: Wanted) -> Result<PhoneKeys, Fault> {
        const NOBODY: Fault = Fault::NotFound { what: "prekey" };
        let store = &self.gateway.store;
        // Whoever asks here is about to write for the first time, and is best served by what is
        // true now: a device that is remembered and gone has no keys.
        let phone = store.fresh_phone(of).await?.filter(|phone| phone.is_active()).ok_or(NOBODY)?;
        let is_wanted = |device: &&Device| match wanted {
            Wanted::One(number) => device.number == number,
            Wanted::All => true,
        };
        let devices: Vec<&Device> = phone.active_devices().filter(is_wanted).collect();
        if devices.is_empty() {
            return Err(NOBODY);
        }
        let sessions: Vec<_> = devices.iter().map(|device| device.session).collect();
        let taken = store.take_prekeys(&sessions).await?;
        let devices: Vec<_> =
            devices.into_iter().filter_map(|device| keys_of(device, &taken)).collect();
        if devices.is_empty() {
            return Err(NOBODY);
        }
        let identity = taken.into_iter().find_map(|taken| taken.identity);
        Ok(PhoneKeys { identity, devices })
    }
}

/// What was given out for a device, if anything was.
fn keys_of(device: &Device, taken: &[TakenPrekey]) -> Option<DeviceKeys> {
    let found = taken.iter().find(|taken| taken.session == device.session)?;
    if found.prekey.is_none() && found.signed.is_none() {
        return None;
    }
    Some(DeviceKeys {
        device: device.number,
        registration: device.registration,
        prekey: found.prekey.clone(),
        signed: found.signed.clone(),
    })
}
