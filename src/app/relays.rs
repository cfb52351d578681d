//! Other gateways: from the operator's settings to those that phones can be reached at, and the
//! tasks that keep up with their directories.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::config::Config;
use crate::config::dialects::textsecure::federation::Federation;
use crate::dialect::textsecure::federation::peer::Peers as Callers;
use crate::domain::phone::Switchboard;
use crate::domain::ports::{Entropy, Relays};
use crate::http::fault_log::chain;
use crate::outside::relays::{PeerError, Peers};

/// Before the first look into a directory: a gateway that restarts has other things to do.
const FIRST_PAUSE: Duration = Duration::from_secs(10);

/// After a failure; each further one doubles it, up to the usual pause.
const SHORTEST_PAUSE: Duration = Duration::from_secs(30);

/// Other gateways as this one asks them.
pub(super) fn open(config: &Config) -> Result<Arc<dyn Relays>, Box<PeerError>> {
    let settings = &config.dialects.textsecure.federation;
    let peers = Peers::open(settings, &config.outbound).map_err(Box::new)?;
    Ok(Arc::new(peers))
}

/// Other gateways as they ask this one.
pub(super) fn callers(settings: &Federation) -> Callers {
    Callers::new(settings.peers.iter().map(|peer| (peer.name.as_str(), peer.token.reveal())))
}

/// Keeps up with the directories of all of them, each in a task of its own, and forgets those that
/// are named no more.
pub(super) fn follow(tasks: &mut JoinSet<()>, config: &Config, switchboard: &Arc<Switchboard>) {
    let settings = &config.dialects.textsecure.federation;
    tasks.spawn(forget_strangers(switchboard.clone()));
    for peer in &settings.peers {
        let every = settings.directory_pause();
        tasks.spawn(follow_one(switchboard.clone(), peer.name.clone(), every));
    }
}

/// Contacts that are forgotten in one transaction, and the pause after it.
const STEP: u32 = 500;
const STEP_PAUSE: Duration = Duration::from_millis(100);

/// Who is named changes with a start alone, so this comes to an end.
async fn forget_strangers(switchboard: Arc<Switchboard>) {
    let mut pause = FIRST_PAUSE;
    loop {
        sleep(pause).await;
        pause = match switchboard.forget_strangers(STEP).await {
            Ok(true) => STEP_PAUSE,
            Ok(false) => return,
            Err(fault) => {
                tracing::warn!("could not forget contacts: {}", chain(&fault));
                SHORTEST_PAUSE
            }
        };
    }
}

/// Reads one directory again and again; the caller ends it by dropping it.
async fn follow_one(switchboard: Arc<Switchboard>, relay: String, every: Duration) {
    let mut pause = FIRST_PAUSE;
    let mut failures = 0;
    loop {
        sleep(jittered(pause, &*switchboard.gateway.entropy)).await;
        pause = match switchboard.read_directory(&relay).await {
            Ok(phones) => {
                tracing::info!(relay, phones, "another gateway's directory was read");
                failures = 0;
                every
            }
            Err(error) => {
                tracing::warn!(relay, "could not read a directory: {}", chain(&error));
                failures += 1;
                after_failures(failures, every)
            }
        };
    }
}

fn after_failures(failures: u32, every: Duration) -> Duration {
    let doubled = SHORTEST_PAUSE.saturating_mul(1 << (failures.clamp(1, 16) - 1));
    doubled.min(every)
}

/// A pause up to a quarter shorter, so that gateways that began together do not stay together.
fn jittered(pause: Duration, entropy: &dyn Entropy) -> Duration {
    let mut random = [0; 1];
    entropy.fill(&mut random);
    pause - pause / 4 * u32::from(random[0]) / 255
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u8);

    impl Entropy for Always {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn after_each_failure_the_pause_is_longer_and_never_longer_than_usual() {
        let every = Duration::from_secs(3600);
        let pauses = [1, 2, 3, 100].map(|failures| after_failures(failures, every).as_secs());
        assert_eq!(pauses, [30, 60, 120, 3600]);
        assert_eq!(after_failures(9, SHORTEST_PAUSE / 2), SHORTEST_PAUSE / 2);
    }

    #[test]
    fn a_pause_is_up_to_a_quarter_shorter() {
        let pause = Duration::from_secs(100);
        assert_eq!(jittered(pause, &Always(0)), pause);
        assert_eq!(jittered(pause, &Always(255)), Duration::from_secs(75));
    }
}
