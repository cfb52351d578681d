//! Work in the background: dropping what nobody waits for, a little at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::domain::ids::Order;
use crate::domain::{Fault, Gateway};
use crate::http::fault_log::chain;

/// Between two rounds.
const PAUSE: Duration = Duration::from_secs(5);

/// Rows in one transaction: few enough that requests beside it notice nothing.
const STEP: u32 = 500;

/// Transactions in one round.
const STEPS: u32 = 20;

/// How long message ids are remembered at least, so that a late retry is still a duplicate.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Sweeps for ever; the caller ends it by dropping it.
pub async fn run(gateway: Arc<Gateway>) {
    // A command that is done in a moment never gets here.
    let mut rounds = interval_at(Instant::now() + PAUSE, PAUSE);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut place = None;
    loop {
        rounds.tick().await;
        match round(&gateway, place).await {
            Ok(next) => place = next,
            // Nothing is lost: the next round begins where this one did.
            Err(fault) => {
                tracing::warn!("could not drop what nobody waits for: {}", chain(&fault));
            }
        }
    }
}

/// Some steps from `place` on; returns where the next round goes on.
async fn round(gateway: &Gateway, mut place: Option<Order>) -> Result<Option<Order>, Fault> {
    for _ in 0..STEPS {
        place = gateway.store.sweep(place, STEP).await?.next;
        if place.is_none() {
            break;
        }
    }
    let life = gateway.limits.message_life.max(REMEMBERED);
    let before = gateway.clock.now().minus(life);
    for _ in 0..STEPS {
        if gateway.store.forget_seen(before, STEP).await? < u64::from(STEP) {
            break;
        }
    }
    Ok(place)
}
