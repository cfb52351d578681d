//! Identity numbers are drawn at random, so sooner or later one is drawn that somebody has.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sealpost::bus::LocalBus;
use sealpost::domain::account::AccountKind;
use sealpost::domain::clock::{TestClock, Timestamp};
use sealpost::domain::measures::Measures;
use sealpost::domain::ports::Entropy;
use sealpost::domain::{Fault, Gateway, Limits};
use sealpost::storage::MemoryStore;

/// Draws the same identity number `repeats` times, then another one each time.
struct Unlucky {
    repeats: u64,
    draws: AtomicU64,
}

impl Entropy for Unlucky {
    fn fill(&self, bytes: &mut [u8]) {
        let draw = self.draws.fetch_add(1, Ordering::SeqCst);
        // Identity numbers take 8 bytes, ids take 16.
        let value = if bytes.len() == 8 { (draw / 2).saturating_sub(self.repeats) } else { draw };
        bytes.fill(0);
        bytes[..8].copy_from_slice(&value.to_le_bytes());
    }
}

fn gateway(repeats: u64) -> Gateway {
    Gateway {
        store: Arc::new(MemoryStore::new()),
        bus: Arc::new(LocalBus::new()),
        clock: Arc::new(TestClock::at(Timestamp::from_micros(1))),
        entropy: Arc::new(Unlucky { repeats, draws: AtomicU64::new(0) }),
        limits: Limits::default(),
        measures: Measures::default(),
    }
}

#[tokio::test]
async fn a_number_that_is_taken_is_drawn_again() {
    let gateway = gateway(5);
    let first = gateway.create_account(AccountKind::User, "Anna").await.unwrap();
    let second = gateway.create_account(AccountKind::User, "Bert").await.unwrap();
    assert_eq!(first.external_name, "700000000000");
    assert_ne!(second.external_name, first.external_name);
}

#[tokio::test]
async fn luck_that_never_turns_ends_in_an_error() {
    let gateway = gateway(u64::MAX);
    gateway.create_account(AccountKind::User, "Anna").await.unwrap();
    let refused = gateway.create_account(AccountKind::User, "Bert").await;
    assert!(matches!(refused, Err(Fault::Conflict { .. })), "{refused:?}");
}
