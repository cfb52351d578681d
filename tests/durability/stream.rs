//! A stream of posts over several connections that ends when the gateway does.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use sealpost::sdk::ids::MessageId;
use sealpost::sdk::keystore::Keystore;
use sealpost::sdk::types::{Receipt, ReceiptState};

use super::actors::{Actor, Batch};

/// The most messages in one post.
pub const LARGEST_BATCH: u64 = 5;

/// Who posts to whom.
#[derive(Clone)]
pub struct Cast {
    pub bot: Keystore,
    pub devices: Vec<Keystore>,
}

/// What was sent, and what was promised.
#[derive(Default)]
pub struct Ledger {
    /// Every batch that was sent, whatever became of it.
    pub sent: Vec<Batch>,
    /// The messages that were answered `SUCCESS`.
    pub promised: BTreeSet<MessageId>,
}

impl Ledger {
    /// Posts one batch and writes down what is known of it. `false` when no answer came.
    pub fn post(&mut self, bot: &mut Actor, batch: Batch) -> bool {
        let answer = bot.post(&batch);
        if let Ok(receipts) = &answer {
            self.promised.extend(successes(&batch, receipts));
        }
        self.sent.push(batch);
        answer.is_ok()
    }

    /// Adds what somebody else sent.
    pub fn merge(&mut self, other: Self) {
        self.sent.extend(other.sent);
        self.promised.extend(other.promised);
    }
}

/// The messages of a batch, all of which must have been stored.
fn successes(batch: &Batch, receipts: &[Receipt]) -> Vec<MessageId> {
    assert_eq!(receipts.len(), batch.messages.len());
    for (receipt, message) in receipts.iter().zip(&batch.messages) {
        assert_eq!(receipt.state, ReceiptState::Success, "{receipt:?}");
        assert_eq!(receipt.message_id, message.to_string());
    }
    batch.messages.clone()
}

/// Threads that post until their connections break.
pub struct Stream {
    posters: Vec<JoinHandle<Ledger>>,
    answers: Receiver<()>,
}

impl Stream {
    pub fn start(address: SocketAddr, cast: &Cast, connections: u64, seed: u64) -> Self {
        let (answered, answers) = channel();
        let poster = |number: u64| {
            let (cast, answered) = (cast.clone(), answered.clone());
            let seed = seed.wrapping_add(number);
            std::thread::spawn(move || keep_posting(address, &cast, seed, &answered))
        };
        Self { posters: (0..connections).map(poster).collect(), answers }
    }

    /// Waits until so many posts have been answered.
    pub fn wait_for(&self, answers: u64) {
        for _ in 0..answers {
            self.answers.recv().expect("the gateway answers until it is killed");
        }
    }

    /// What all of them sent, after the gateway has gone.
    pub fn end(self) -> Ledger {
        let mut all = Ledger::default();
        for poster in self.posters {
            all.merge(poster.join().expect("every answer that came was a success"));
        }
        all
    }
}

fn keep_posting(address: SocketAddr, cast: &Cast, seed: u64, answered: &Sender<()>) -> Ledger {
    let mut ledger = Ledger::default();
    let Ok(mut bot) = Actor::connect(address, &cast.bot, seed) else {
        return ledger;
    };
    loop {
        let size = usize::try_from(1 + bot.below(LARGEST_BATCH)).expect("a small number");
        let batch = bot.batch(size, &cast.devices);
        if !ledger.post(&mut bot, batch) {
            return ledger;
        }
        // Nobody counts any more once the gateway is about to be killed.
        let _ = answered.send(());
    }
}

/// What a check of the inboxes found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Messages that were answered `SUCCESS`.
    pub promised: usize,
    /// Messages that were there without an answer: stored, and the answer was lost.
    pub unanswered: usize,
    /// Messages that were not there, and were there after they had been sent again.
    pub resent: usize,
}

/// Reads every inbox to its end and insists that whatever was promised is there, once; then sends
/// everything again, to the last byte as before, and insists that what was missing is there, once,
/// and that nothing else comes a second time.
pub fn check_inboxes(address: SocketAddr, cast: &Cast, ledger: &Ledger, seed: u64) -> Found {
    let nothing = vec![BTreeSet::new(); cast.devices.len()];
    check_rest(address, cast, ledger, &nothing, seed)
}

/// The same for devices that have acknowledged some messages already, which must not come again.
pub fn check_rest(
    address: SocketAddr,
    cast: &Cast,
    ledger: &Ledger,
    acknowledged: &[BTreeSet<MessageId>],
    seed: u64,
) -> Found {
    let mut inboxes = drain_all(address, cast, seed);
    for (inbox, acknowledged) in inboxes.iter_mut().zip(acknowledged) {
        let again: Vec<_> = inbox.intersection(acknowledged).collect();
        assert!(again.is_empty(), "acknowledged and delivered again: {again:?}");
        inbox.extend(acknowledged);
    }
    let sent: BTreeSet<_> = ledger.sent.iter().flat_map(|batch| batch.messages.clone()).collect();
    for inbox in &inboxes {
        let lost: Vec<_> = ledger.promised.difference(inbox).collect();
        assert!(lost.is_empty(), "answered SUCCESS and lost: {lost:?}");
        assert!(inbox.is_subset(&sent), "messages that nobody sent");
    }
    let first = the_same(&inboxes);

    let mut bot = Actor::connect(address, &cast.bot, seed).expect("the gateway listens");
    for batch in &ledger.sent {
        let receipts = bot.post(batch).expect("the gateway answers");
        successes(batch, &receipts);
    }
    let inboxes = drain_all(address, cast, seed);
    let second = the_same(&inboxes);
    let missing: BTreeSet<_> = sent.difference(first).copied().collect();
    assert_eq!(*second, missing, "sent again: exactly what was missing comes");
    Found {
        promised: ledger.promised.len(),
        unanswered: first.len() - ledger.promised.len(),
        resent: second.len(),
    }
}

/// What each device got, each message once.
fn drain_all(address: SocketAddr, cast: &Cast, seed: u64) -> Vec<BTreeSet<MessageId>> {
    let drain = |device: &Keystore| {
        let reader = Actor::connect(address, device, seed);
        let inbox = reader.expect("the gateway listens").drain(&cast.bot);
        let twice: Vec<_> = inbox.iter().filter(|(_, times)| **times != 1).collect();
        assert!(twice.is_empty(), "delivered more than once: {twice:?}");
        inbox.into_keys().collect()
    };
    cast.devices.iter().map(drain).collect()
}

/// What every device got, none more and none less than another.
fn the_same(inboxes: &[BTreeSet<MessageId>]) -> &BTreeSet<MessageId> {
    let same = inboxes.iter().all(|inbox| *inbox == inboxes[0]);
    assert!(same, "the devices did not get the same messages");
    &inboxes[0]
}
