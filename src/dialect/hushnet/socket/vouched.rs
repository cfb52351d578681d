//! Addresses that a device vouches for: it signed a request there, or logged in, not long ago. The
//! app opens its sockets without any credentials, and so that is all there is to know it by.

use std::collections::HashMap;
use std::mem;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::clock::Timestamp;
use crate::domain::ids::{SessionNumber, UserId};

/// For how long an address is known.
const LIFE: Duration = Duration::from_secs(10 * 60);

/// An address is not noted again for so long.
const FRESH: Duration = Duration::from_secs(5);

/// How many addresses are noted before the older ones are let go.
const MOST: usize = 65_536;

/// A member at an address; `None` for programs on this machine.
type Place = (UserId, Option<IpAddr>);

/// The addresses that are known, for a life or two, as many as there is room for.
#[derive(Debug, Default)]
pub struct Vouched(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    since: Timestamp,
    young: HashMap<Place, Vouch>,
    old: HashMap<Place, Vouch>,
}

/// Who was there, and when.
#[derive(Clone, Copy, Debug)]
struct Vouch {
    device: SessionNumber,
    at: Timestamp,
}

impl Vouched {
    /// Notes that a device of this member has proved at this address that it is one.
    pub fn note(
        &self,
        user: UserId,
        address: Option<IpAddr>,
        device: SessionNumber,
        now: Timestamp,
    ) {
        let mut places = self.places();
        let place = (user, address);
        let known = places.young.get(&place);
        if known.is_some_and(|it| it.device == device && now < it.at.plus(FRESH)) {
            return;
        }
        places.make_room(now);
        places.young.insert(place, Vouch { device, at: now });
    }

    /// The device of this member that was last at this address, not too long ago.
    pub fn device(
        &self,
        user: UserId,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Option<SessionNumber> {
        let places = self.places();
        let place = (user, address);
        let vouch = places.young.get(&place).or_else(|| places.old.get(&place))?;
        (now < vouch.at.plus(LIFE)).then_some(vouch.device)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    /// Lets go of what is old, once there is much that is young or it has been for long.
    fn make_room(&mut self, now: Timestamp) {
        if self.young.len() >= MOST || now >= self.since.plus(LIFE) {
            self.old = mem::take(&mut self.young);
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: SessionNumber = SessionNumber(1);
    const TABLET: SessionNumber = SessionNumber(2);

    fn user(number: u128) -> UserId {
        UserId::from_uuid(uuid::Uuid::from_u128(number))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([192, 0, 2, last]))
    }

    #[test]
    fn an_address_is_known_for_ten_minutes_for_its_member_alone() {
        let vouched = Vouched::default();
        vouched.note(user(1), address(1), PHONE, at(0));
        assert_eq!(vouched.device(user(1), address(1), at(599)), Some(PHONE));
        assert_eq!(vouched.device(user(1), address(1), at(600)), None);
        assert_eq!(vouched.device(user(1), address(2), at(1)), None);
        assert_eq!(vouched.device(user(1), None, at(1)), None);
        assert_eq!(vouched.device(user(2), address(1), at(1)), None);
    }

    #[test]
    fn the_device_that_was_there_last_vouches_and_goes_on_doing_so() {
        let vouched = Vouched::default();
        for seconds in 0..2_000 {
            vouched.note(user(1), address(1), PHONE, at(seconds));
        }
        vouched.note(user(1), address(1), TABLET, at(2_000));
        assert_eq!(vouched.device(user(1), address(1), at(2_001)), Some(TABLET));
    }

    #[test]
    fn what_is_noted_is_bounded_and_the_newest_are_known() {
        let vouched = Vouched::default();
        for number in 0..200_000 {
            vouched.note(user(number), address(1), PHONE, at(0));
        }
        let places = vouched.places();
        assert!(places.young.len() + places.old.len() <= 2 * MOST);
        drop(places);
        assert_eq!(vouched.device(user(199_999), address(1), at(0)), Some(PHONE));
    }
}
