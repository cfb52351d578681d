//! Hosts that did not answer: they are left alone for a while, whoever is to be reached there.

use std::collections::HashMap;

use tokio::time::Instant;

use super::pauses::pause;

/// Hosts that are remembered.
const MOST: usize = 10_000;

/// Hosts that are left alone.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    silent: HashMap<String, Silent>,
}

#[derive(Debug)]
struct Silent {
    failures: u32,
    until: Instant,
}

impl Hosts {
    /// Whether a host may be asked now, or else when. Of all who waited for a silent one, the first
    /// may find out whether it answers again, and the others wait for another while.
    pub(super) fn may_ask(&mut self, host: &str, now: Instant) -> Result<(), Instant> {
        let Some(silent) = self.silent.get_mut(host) else { return Ok(()) };
        if silent.until > now {
            return Err(silent.until);
        }
        silent.until = now + pause(silent.failures);
        Ok(())
    }

    /// A host has answered.
    pub(super) fn answered(&mut self, host: &str) {
        self.silent.remove(host);
    }

    /// A host has not answered.
    pub(super) fn did_not_answer(&mut self, host: String, now: Instant) {
        if self.silent.len() >= MOST {
            self.silent.retain(|_, silent| silent.until > now);
        }
        if self.silent.len() >= MOST && !self.silent.contains_key(&host) {
            return;
        }
        let silent = self.silent.entry(host).or_insert(Silent { failures: 0, until: now });
        silent.failures = silent.failures.saturating_add(1);
        silent.until = now + pause(silent.failures);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_host_that_does_not_answer_is_left_alone_for_longer_and_longer() {
        let (mut hosts, mut now) = (Hosts::default(), Instant::now());
        assert_eq!(hosts.may_ask("a", now), Ok(()));
        for seconds in [1, 5, 30, 60] {
            hosts.did_not_answer("a".to_owned(), now);
            let until = now + Duration::from_secs(seconds);
            assert_eq!(hosts.may_ask("a", now), Err(until));
            assert_eq!(hosts.may_ask("b", now), Ok(()));
            now = until;
            assert_eq!(hosts.may_ask("a", now), Ok(()));
            assert!(hosts.may_ask("a", now).is_err(), "one finds out");
        }
        hosts.answered("a");
        assert_eq!(hosts.may_ask("a", now), Ok(()));
        assert_eq!(hosts.may_ask("a", now), Ok(()));
    }

    #[test]
    fn there_is_an_end_to_what_is_remembered() {
        let (mut hosts, now) = (Hosts::default(), Instant::now());
        (0..=MOST).for_each(|host| hosts.did_not_answer(host.to_string(), now));
        assert_eq!(hosts.silent.len(), MOST);
        hosts.did_not_answer("late".to_owned(), now + Duration::from_secs(2));
        assert_eq!(hosts.silent.len(), 1);
    }
}
