//! Sending to phones: each device of a phone gets a message of its own, or nobody gets anything.
//!
//! A sender encrypts for every device apart, so it has to know them all. What it addressed is
//! compared with the devices that messages can reach; the store compares the roster's generation
//! once more in its transaction, so nothing ever lands at a device that has just been replaced.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::device::{Device, DeviceNumber, Phone};
use super::number::PhoneNumber;
use super::switchboard::Switchboard;
use crate::domain::account::Dialect;
use crate::domain::clock::Timestamp;
use crate::domain::error::Fault;
use crate::domain::ids::{AccountNumber, ConversationNumber, SessionNumber};
use crate::domain::inbox::{
    Acceptance, Accepted, Details, FULL_RETRY, Guard, MessageDigest, Slot, WhenFull,
};
use crate::domain::measures::Outcome;
use crate::domain::ports::Hint;

/// The category of everything that phones send.
pub const TEXTSECURE: &str = "TEXTSECURE";

/// How often a letter is compared again when its phone's devices change under it.
const ROUNDS: usize = 3;

/// When a sender should try again whose recipient changed all the time.
const MOVED_RETRY: Duration = Duration::from_secs(1);

/// Where a letter comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The account.
    pub account: AccountNumber,
    /// The device's session.
    pub session: SessionNumber,
}

/// Something for one phone.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The phone.
    pub to: PhoneNumber,
    /// What its devices get.
    pub content: Content,
}

/// What the devices of a phone get.
#[derive(Clone, Debug)]
pub enum Content {
    /// One part for each device that messages can reach, the sending one aside.
    Each(Vec<Part>),
    /// The first device gets this, and no other gets anything.
    First(Bytes),
    /// Every device that messages can reach gets the same, the sending one aside.
    Same(Bytes),
}

/// What one device gets.
#[derive(Clone, Debug)]
pub struct Part {
    /// The device.
    pub device: DeviceNumber,
    /// The random number of the installation that it was made for; 0 when the sender does not know.
    pub registration: u32,
    /// What it gets.
    pub bytes: Bytes,
}

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// On disk, for every device that it is for.
    Stored,
    /// There is no such phone, or messages cannot reach it.
    Unreachable,
    /// The parts are for other devices than the phone has. Nothing was stored.
    OtherDevices {
        /// Devices that got no part.
        missing: Vec<DeviceNumber>,
        /// Parts that are one too many, by the device that they name.
        extra: Vec<DeviceNumber>,
    },
    /// Parts were made for installations of these devices that are gone. Nothing was stored.
    StaleDevices(Vec<DeviceNumber>),
    /// Not now, but perhaps later.
    Deferred {
        /// When to try again.
        after: Duration,
    },
}

impl Posted {
    /// As what it is counted.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Stored => Outcome::Accepted,
            Self::Unreachable => Outcome::RecipientGone,
            Self::OtherDevices { .. } | Self::StaleDevices(_) => Outcome::StaleSessions,
            Self::Deferred { .. } => Outcome::Deferred,
        }
    }
}

/// A letter that may go to the store.
struct Passed {
    index: usize,
    phone: Arc<Phone>,
    slots: Vec<Slot>,
}

impl Switchboard {
    /// Decides over letters and stores what passes, all of it together; the outcomes come in the
    /// order of the letters.
    ///
    /// # Errors
    /// Only when the store fails before anything was stored. When it fails later, what is not
    /// decided yet is [`Posted::Deferred`].
    pub async fn post(&self, from: Origin, letters: &[Letter]) -> Result<Vec<Posted>, Fault> {
        self.post_as(Some(from), letters).await
    }

    /// The same for letters that another gateway brings.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub async fn post_from_elsewhere(&self, letters: &[Letter]) -> Result<Vec<Posted>, Fault> {
        self.post_as(None, letters).await
    }

    async fn post_as(
        &self,
        from: Option<Origin>,
        letters: &[Letter],
    ) -> Result<Vec<Posted>, Fault> {
        let mut outcomes: Vec<Option<Posted>> = letters.iter().map(|_| None).collect();
        for round in 0..ROUNDS {
            if outcomes.iter().all(Option::is_some) {
                break;
            }
            if let Err(fault) = self.post_open(from, letters, round > 0, &mut outcomes).await {
                if !outcomes.contains(&Some(Posted::Stored)) {
                    return Err(fault);
                }
                break;
            }
        }
        let undecided = || Posted::Deferred { after: MOVED_RETRY };
        let posted: Vec<Posted> =
            outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(undecided)).collect();
        for posted in &posted {
            self.gateway.measures.message(Dialect::TextSecure, posted.outcome());
        }
        Ok(posted)
    }

    /// One round over the letters that are not decided. What speaks against a letter counts only
    /// when it comes straight from the database: the sender may know more than what is remembered.
    async fn post_open(
        &self,
        from: Option<Origin>,
        letters: &[Letter],
        fresh: bool,
        outcomes: &mut [Option<Posted>],
    ) -> Result<(), Fault> {
        let began = self.gateway.clock.now();
        let mut passed = Vec::new();
        for (index, letter) in letters.iter().enumerate() {
            if outcomes[index].is_some() {
                continue;
            }
            let phone = self.reachable(&letter.to, fresh).await?;
            match phone
                .ok_or(Posted::Unreachable)
                .and_then(|phone| pass(index, phone, letter, from))
            {
                Ok(pass) if pass.slots.is_empty() => outcomes[index] = Some(Posted::Stored),
                Ok(pass) => passed.push(pass),
                Err(_) if !fresh => {}
                Err(refusal) => outcomes[index] = Some(refusal),
            }
        }
        self.store_letters(from, began, passed, outcomes).await
    }

    async fn reachable(
        &self,
        number: &PhoneNumber,
        fresh: bool,
    ) -> Result<Option<Arc<Phone>>, Fault> {
        let phone = match fresh {
            true => self.gateway.store.fresh_phone(number).await?,
            false => self.gateway.store.phone(number).await?,
        };
        Ok(phone.filter(|phone| phone.is_active()))
    }

    /// Stores what passed; what moved meanwhile stays undecided.
    async fn store_letters(
        &self,
        from: Option<Origin>,
        began: Timestamp,
        passed: Vec<Passed>,
        outcomes: &mut [Option<Posted>],
    ) -> Result<(), Fault> {
        if passed.is_empty() {
            return Ok(());
        }
        let acceptances = passed.iter().map(|pass| self.acceptance(from, pass)).collect();
        let results = self.gateway.accept(began, acceptances).await?;
        let mut woken = Vec::new();
        for (pass, result) in passed.iter().zip(results) {
            outcomes[pass.index] = match result {
                Accepted::Stored(_) => {
                    woken.extend(pass.slots.iter().map(|slot| slot.session));
                    self.notify(&pass.phone, &pass.slots);
                    Some(Posted::Stored)
                }
                Accepted::Full => Some(Posted::Deferred { after: FULL_RETRY }),
                // The id is random: one that is taken is as unlikely as it is without meaning.
                Accepted::RosterMoved | Accepted::Duplicate | Accepted::MessageIdUsed => None,
            };
        }
        if !woken.is_empty() {
            self.gateway.bus.publish(Hint::Wake(woken.into()));
        }
        Ok(())
    }

    fn acceptance(&self, from: Option<Origin>, pass: &Passed) -> Acceptance {
        let gateway = &self.gateway;
        let accepted_at = gateway.clock.now();
        let mut digest = MessageDigest([0; 16]);
        gateway.entropy.fill(&mut digest.0);
        let Phone { account, generation, .. } = *pass.phone;
        // Who sends from elsewhere has no account here: the envelope alone tells readers who it is,
        // and the row says that the recipient has it from itself, as gap markers do.
        let own = pass.slots.first().map_or(SessionNumber(0), |slot| slot.session);
        let from = from.unwrap_or(Origin { account, session: own });
        Acceptance {
            sender: from.account,
            sender_session: from.session,
            conversation: ConversationNumber(0),
            message_id: gateway.random_id(),
            digest,
            category: TEXTSECURE.to_owned(),
            body: Bytes::new(),
            details: Details::default(),
            slots: pass.slots.clone(),
            guards: [Guard::Roster { account, generation }].into(),
            quota: gateway.quota(WhenFull::Defer),
            accepted_at,
            expires_at: accepted_at.plus(gateway.limits.message_life),
            top_up: None,
        }
    }
}

/// Whom a letter reaches, if nothing speaks against it.
fn pass(
    index: usize,
    phone: Arc<Phone>,
    letter: &Letter,
    from: Option<Origin>,
) -> Result<Passed, Posted> {
    let sending = from.map(|from| from.session);
    let inbox = |device: &Device, bytes: &Bytes| {
        let key = phone.inbox(device);
        Slot { shard: key.shard, session: key.session, bytes: bytes.clone() }
    };
    let others = || phone.active_devices().filter(|device| Some(device.session) != sending);
    let slots = match &letter.content {
        Content::First(bytes) => phone
            .device(DeviceNumber::PRIMARY)
            .map(|first| inbox(first, bytes))
            .into_iter()
            .collect(),
        Content::Same(bytes) => others().map(|device| inbox(device, bytes)).collect(),
        Content::Each(parts) => {
            let pairs = compare(&others().collect::<Vec<_>>(), parts)?;
            pairs.into_iter().map(|(device, part)| inbox(device, &part.bytes)).collect()
        }
    };
    Ok(Passed { index, phone, slots })
}

/// Compares parts with the devices that need one: first which devices, then which installations.
fn compare<'a>(
    devices: &[&'a Device],
    parts: &'a [Part],
) -> Result<Vec<(&'a Device, &'a Part)>, Posted> {
    let mut named = HashSet::new();
    let mut pairs = Vec::with_capacity(parts.len());
    let mut extra = Vec::new();
    for part in parts {
        let device = devices.iter().find(|device| device.number == part.device);
        match device.filter(|_| named.insert(part.device)) {
            Some(device) => pairs.push((*device, part)),
            None => extra.push(part.device),
        }
    }
    let numbers = devices.iter().map(|device| device.number);
    let missing: Vec<_> = numbers.filter(|number| !named.contains(number)).collect();
    if !missing.is_empty() || !extra.is_empty() {
        return Err(Posted::OtherDevices { missing, extra });
    }
    let is_stale = |(device, part): &&(&Device, &Part)| {
        part.registration > 0 && part.registration != device.registration
    };
    let stale: Vec<_> = pairs.iter().filter(is_stale).map(|(device, _)| device.number).collect();
    if !stale.is_empty() {
        return Err(Posted::StaleDevices(stale));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Timestamp;
    use crate::domain::ids::SessionId;
    use crate::domain::phone::PasswordHash;
    use crate::domain::vault::Sealed;

    fn device(number: u32, registration: u32) -> Device {
        Device {
            session: SessionNumber(number.into()),
            id: SessionId::from_bytes([1; 16]),
            number: DeviceNumber(number),
            password: PasswordHash(String::new()),
            signalling_key: Sealed(Vec::new()),
            registration,
            fetches: true,
            push: None,
            name: None,
            created_at: Timestamp::default(),
            last_seen_at: None,
        }
    }

    fn parts(list: &[(u32, u32)]) -> Vec<Part> {
        let part = |&(device, registration): &(u32, u32)| Part {
            device: DeviceNumber(device),
            registration,
            bytes: Bytes::new(),
        };
        list.iter().map(part).collect()
    }

    fn compared(list: &[(u32, u32)]) -> Result<usize, Posted> {
        let devices = [device(1, 222), device(2, 333)];
        let parts = parts(list);
        compare(&devices.iter().collect::<Vec<_>>(), &parts).map(|pairs| pairs.len())
    }

    fn other(missing: &[u32], extra: &[u32]) -> Result<usize, Posted> {
        let list = |numbers: &[u32]| numbers.iter().copied().map(DeviceNumber).collect();
        Err(Posted::OtherDevices { missing: list(missing), extra: list(extra) })
    }

    #[test]
    fn every_device_needs_exactly_one_part() {
        assert_eq!(compared(&[(2, 0), (1, 0)]), Ok(2));
        assert_eq!(compared(&[(1, 0), (3, 0)]), other(&[2], &[3]));
        assert_eq!(compared(&[]), other(&[1, 2], &[]));
        assert_eq!(compared(&[(1, 0), (2, 0), (3, 0), (3, 0)]), other(&[], &[3, 3]));
        assert_eq!(compared(&[(1, 0), (2, 0), (2, 0)]), other(&[], &[2]));
    }

    #[test]
    fn a_part_for_an_old_installation_is_told_once_the_devices_are_right() {
        let stale = |numbers: &[u32]| {
            Err(Posted::StaleDevices(numbers.iter().copied().map(DeviceNumber).collect()))
        };
        assert_eq!(compared(&[(1, 222), (2, 333)]), Ok(2));
        assert_eq!(compared(&[(1, 222), (2, 999)]), stale(&[2]));
        assert_eq!(compared(&[(1, 1), (2, 999)]), stale(&[1, 2]));
        assert_eq!(compared(&[(1, 999)]), other(&[2], &[]));
    }
}
