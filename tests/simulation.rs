//! Readers that come and go at random: sockets, polls, acknowledgements, broken connections, restarts.
//!
//! Whatever the order of things, for every session that was not revoked:
//!
//! - what was accepted is delivered at least once before it is acknowledged;
//! - what was acknowledged is never delivered again;
//! - first deliveries keep the order of each sender's messages in a conversation.
//!
//! Every run prints its seed; `SEALPOST_SEED` repeats it. `scripts/prove.sh simulation` makes many.

mod check;
mod socket;
mod world;

use std::io::Write as _;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use sealpost::domain::clock::{Clock as _, SystemClock};

use world::World;

fn say(text: &str) {
    // Not `eprintln!`, which the test runner swallows.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_come_and_go_lose_nothing_and_get_nothing_back() {
    let first = setting("SEALPOST_SEED");
    let runs = setting("SEALPOST_SIMULATIONS").unwrap_or(if first.is_some() { 1 } else { 6 });
    let steps = setting("SEALPOST_SIMULATION_STEPS").unwrap_or(150);
    let first = first.unwrap_or_else(|| SystemClock.now().as_micros().unsigned_abs());
    for seed in (first..).take(usize::try_from(runs).expect("a small number")) {
        say(&format!("simulation, SEALPOST_SEED={seed}"));
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut world = World::new().await;
        for _ in 0..steps {
            world.step(&mut rng).await;
        }
        let counts = world.end().await;
        say(&format!("  {counts}"));
    }
}

/// A number below `limit`.
fn below(rng: &mut ChaCha20Rng, limit: usize) -> usize {
    usize::try_from(rng.next_u32()).expect("32 bits") % limit.max(1)
}
