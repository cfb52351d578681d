//! How fast phones may go: a bucket for each thing that is limited and each phone that it is
//! limited for. The sizes are those that the first servers of the TextSecure protocol had.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moka::sync::Cache;

use crate::domain::clock::{Clock, Timestamp};
use crate::domain::error::Fault;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhoneLimit {
    /// Codes by text message, for each number.
    SmsCodes,
    /// Spoken codes, for each number.
    VoiceCodes,
    /// Tries to register, for each number.
    Registrations,
    /// New attachments, for each phone.
    Attachments,
    /// Contacts that are looked up, for each phone.
    Contacts,
    /// Prekeys, for each phone and device that they are asked of.
    Prekeys,
    /// Messages, for each phone.
    Messages,
    /// Codes that allow a device, for each phone.
    LinkCodes,
    /// Tries to link a device, for each number.
    Links,
}

impl PhoneLimit {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SmsCodes,
        Self::VoiceCodes,
        Self::Registrations,
        Self::Attachments,
        Self::Contacts,
        Self::Prekeys,
        Self::Messages,
        Self::LinkCodes,
        Self::Links,
    ];

    /// What is counted, in words.
    #[must_use]
    pub fn counted(self) -> &'static str {
        match self {
            Self::SmsCodes => "the number of codes by text message",
            Self::VoiceCodes => "the number of spoken codes",
            Self::Registrations => "the number of tries to register",
            Self::Attachments => "the number of new attachments",
            Self::Contacts => "the number of contacts that are looked up",
            Self::Prekeys => "the number of prekeys",
            Self::Messages => "the number of messages",
            Self::LinkCodes => "the number of codes for devices",
            Self::Links => "the number of tries to link a device",
        }
    }

    /// The usual size of its bucket.
    #[must_use]
    pub fn usual(self) -> Allowed {
        let (at_once, an_hour) = match self {
            Self::SmsCodes | Self::Registrations | Self::Links => (2, 120),
            Self::VoiceCodes | Self::LinkCodes => (2, 30),
            Self::Attachments => (50, 3000),
            Self::Contacts => (50_000, 3_000_000),
            Self::Prekeys => (3, 6),
            Self::Messages => (60, 3600),
        };
        Allowed { at_once, an_hour }
    }
}

/// How much is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// So much at once: what a full bucket holds. 0 for any amount.
    pub at_once: u64,
    /// So much comes back in an hour, evenly.
    pub an_hour: u64,
}

const HOUR_MICROS: u128 = 60 * 60 * 1_000_000;

/// A bucket. Its level is kept in units times the microseconds of an hour, so that nothing is lost
/// to rounding however slowly it fills.
#[derive(Clone, Copy, Debug)]
struct Level {
    level: u128,
    at: Timestamp,
}

impl Level {
    fn full(allowed: Allowed, now: Timestamp) -> Self {
        Self { level: u128::from(allowed.at_once) * HOUR_MICROS, at: now }
    }

    /// Takes so much, or nothing and says how long it takes until there is as much.
    fn take(&mut self, allowed: Allowed, amount: u64, now: Timestamp) -> Result<(), Duration> {
        let passed = now.as_micros().saturating_sub(self.at.as_micros());
        // A clock that was set back gives nothing twice.
        self.at = self.at.max(now);
        let gained = u128::try_from(passed).unwrap_or(0) * u128::from(allowed.an_hour);
        let most = u128::from(allowed.at_once) * HOUR_MICROS;
        self.level = self.level.saturating_add(gained).min(most);
        let wanted = u128::from(amount) * HOUR_MICROS;
        if let Some(rest) = self.level.checked_sub(wanted) {
            self.level = rest;
            return Ok(());
        }
        let micros = (wanted - self.level).div_ceil(u128::from(allowed.an_hour.max(1)));
        Err(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)))
    }
}

/// Phones of which one thing is remembered; those that are forgotten begin with a full bucket. Who
/// makes one thing be forgotten by asking for many phones touches no other.
const REMEMBERED: u64 = 100_000;

/// The buckets of all phones. What may be guessed or costs money is keyed by number, so that many
/// addresses do not help.
pub struct PhoneLimits {
    clock: Arc<dyn Clock>,
    allowed: [Allowed; PhoneLimit::ALL.len()],
    levels: [Cache<Box<str>, Arc<Mutex<Level>>>; PhoneLimit::ALL.len()],
}

impl PhoneLimits {
    /// Full buckets of these sizes for everybody.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, allowed: impl Fn(PhoneLimit) -> Allowed) -> Self {
        let levels = PhoneLimit::ALL.map(|_| Cache::builder().max_capacity(REMEMBERED).build());
        Self { clock, allowed: PhoneLimit::ALL.map(allowed), levels }
    }

    /// Takes so much from the bucket of `key`, all of it or nothing.
    ///
    /// # Errors
    /// [`Fault::RateLimited`] with the time after which there is enough; [`Fault::TooLarge`] when
    /// there never will be.
    pub fn take(&self, limit: PhoneLimit, key: &str, amount: u64) -> Result<(), Fault> {
        let allowed = self.allowed[limit as usize];
        if allowed.at_once == 0 || amount == 0 {
            return Ok(());
        }
        let (what, now) = (limit.counted(), self.clock.now());
        if amount > allowed.at_once {
            return Err(Fault::TooLarge { what, actual: amount, limit: allowed.at_once });
        }
        let full = || Arc::new(Mutex::new(Level::full(allowed, now)));
        let level = self.levels[limit as usize].get_with(key.into(), full);
        // A number is in order whatever panicked beside it.
        let mut level = level.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = level.take(allowed, amount, now);
        taken.map_err(|retry_after| Fault::RateLimited { what, retry_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::TestClock;

    fn limits() -> (PhoneLimits, Arc<TestClock>) {
        let clock = Arc::new(TestClock::at(Timestamp::from_micros(1_700_000_000_000_000)));
        (PhoneLimits::new(clock.clone(), PhoneLimit::usual), clock)
    }

    fn wait(taken: Result<(), Fault>) -> Duration {
        match taken {
            Err(Fault::RateLimited { retry_after, .. }) => retry_after,
            other => panic!("not limited: {other:?}"),
        }
    }

    #[test]
    fn a_bucket_empties_and_fills_up_evenly() {
        let (limits, clock) = limits();
        let take = || limits.take(PhoneLimit::Prekeys, "a__b.1", 1);
        (0..3).for_each(|_| take().unwrap());
        assert_eq!(wait(take()), Duration::from_secs(600));
        clock.advance(Duration::from_secs(599));
        assert_eq!(wait(take()), Duration::from_secs(1));
        clock.advance(Duration::from_secs(1));
        take().unwrap();
        assert_eq!(wait(take()), Duration::from_secs(600));
    }

    #[test]
    fn a_refused_request_takes_nothing_and_nobody_pays_for_others() {
        let (limits, _) = limits();
        limits.take(PhoneLimit::Attachments, "+1", 49).unwrap();
        assert_eq!(
            wait(limits.take(PhoneLimit::Attachments, "+1", 2)),
            Duration::from_millis(1200)
        );
        limits.take(PhoneLimit::Attachments, "+1", 1).unwrap();
        limits.take(PhoneLimit::Attachments, "+2", 50).unwrap();
        limits.take(PhoneLimit::Messages, "+1", 60).unwrap();
        let never = limits.take(PhoneLimit::Messages, "+2", 61);
        assert!(matches!(never, Err(Fault::TooLarge { limit: 60, .. })), "{never:?}");
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_twice() {
        let allowed = PhoneLimit::Prekeys.usual();
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let mut level = Level::full(allowed, now);
        level.take(allowed, 3, now).unwrap();
        assert!(level.take(allowed, 1, now.minus(Duration::from_secs(600))).is_err());
        assert!(level.take(allowed, 1, now).is_err());
        level.take(allowed, 1, now.plus(Duration::from_secs(600))).unwrap();
    }

    #[test]
    fn many_phones_of_one_limit_make_no_other_be_forgotten() {
        let (limits, _) = limits();
        limits.take(PhoneLimit::Registrations, "+1", 2).unwrap();
        for n in 0..2 * REMEMBERED {
            limits.take(PhoneLimit::SmsCodes, &n.to_string(), 1).unwrap();
        }
        limits.levels.iter().for_each(Cache::run_pending_tasks);
        wait(limits.take(PhoneLimit::Registrations, "+1", 1));
    }

    #[test]
    fn nothing_is_lost_to_rounding() {
        let (limits, clock) = limits();
        limits.take(PhoneLimit::VoiceCodes, "+1", 2).unwrap();
        for _ in 0..119_999 {
            clock.advance(Duration::from_millis(1));
            wait(limits.take(PhoneLimit::VoiceCodes, "+1", 1));
        }
        clock.advance(Duration::from_millis(1));
        limits.take(PhoneLimit::VoiceCodes, "+1", 1).unwrap();
    }
}
