//! One measurement of one program, and how those of several rounds are put together.

use std::time::Duration;

use sealpost::sdk::types::{Data, Receipt, ReceiptState};

use super::load::Outcome;
use super::numbers::{float, median, percentile, spread};
use super::store::Floor;
use super::usage::Usage;

/// What one round of one program came to.
#[derive(Clone, Default)]
pub struct Measured {
    pub seconds: f64,
    pub requests: usize,
    pub messages: usize,
    pub times: Vec<Duration>,
    /// Seconds of processor time of the program, of the database's own processes, of the clients.
    pub cpu: f64,
    pub server_cpu: f64,
    pub own_cpu: f64,
    /// MiB.
    pub peak_memory: f64,
    /// Transactions.
    pub groups: usize,
    /// Where the time went, when somebody looked.
    pub usage: Usage,
}

/// The rounds of one program.
#[derive(Clone, Default)]
pub struct Rounds(pub Vec<Measured>);

impl Measured {
    /// What a load came to, once every answer has been looked at.
    pub fn of(outcome: &Outcome, batch: usize) -> Self {
        let requests = outcome.answers.len();
        Self {
            seconds: outcome.seconds,
            requests,
            messages: requests * batch,
            times: outcome.times.clone(),
            own_cpu: outcome.own_cpu,
            ..Self::default()
        }
    }

    /// What a floor came to.
    pub fn of_floor(floor: Floor) -> Self {
        Self {
            seconds: floor.seconds,
            requests: floor.transactions,
            messages: floor.messages,
            groups: floor.transactions,
            times: floor.times,
            cpu: floor.cpu,
            server_cpu: floor.server_cpu,
            ..Self::default()
        }
    }

    /// Messages in a transaction.
    pub fn group(&self) -> f64 {
        float(self.messages) / float(self.groups.max(1))
    }
}

impl Rounds {
    fn median(&self, value: impl Fn(&Measured) -> f64) -> f64 {
        median(self.0.iter().map(value))
    }

    /// Requests in a second.
    pub fn requests(&self) -> f64 {
        self.median(|it| float(it.requests) / it.seconds)
    }

    /// Messages in a second.
    pub fn messages(&self) -> f64 {
        self.median(|it| float(it.messages) / it.seconds)
    }

    /// How far the rounds lie apart, as a share.
    pub fn spread(&self) -> f64 {
        spread(self.0.iter().map(|it| float(it.messages) / it.seconds))
    }

    /// Milliseconds, over the requests of all rounds.
    pub fn percentile(&self, percent: usize) -> f64 {
        let times: Vec<_> = self.0.iter().flat_map(|it| it.times.iter().copied()).collect();
        percentile(&times, percent)
    }

    /// Seconds of processor time for 1,000 messages.
    pub fn cpu(&self) -> f64 {
        self.median(|it| it.cpu / float(it.messages) * 1e3)
    }

    /// The same of the database's own processes.
    pub fn server_cpu(&self) -> f64 {
        self.median(|it| it.server_cpu / float(it.messages) * 1e3)
    }

    /// The same of the clients.
    pub fn own_cpu(&self) -> f64 {
        self.median(|it| it.own_cpu / float(it.messages) * 1e3)
    }

    /// A part of what was used, for 1,000 messages.
    pub fn usage(&self, of: impl Fn(&Usage) -> f64) -> f64 {
        self.median(|it| of(&it.usage) / float(it.messages) * 1e3)
    }

    /// Seconds for 1,000 messages.
    pub fn seconds(&self) -> f64 {
        self.median(|it| it.seconds / float(it.messages) * 1e3)
    }

    /// MiB.
    pub fn peak_memory(&self) -> f64 {
        self.median(|it| it.peak_memory)
    }

    /// Messages in a transaction.
    pub fn group(&self) -> f64 {
        self.median(Measured::group)
    }

    /// The median of what this and another had for each other in the same rounds.
    pub fn ratio(&self, other: &Self) -> f64 {
        let speed = |it: &Measured| float(it.messages) / it.seconds;
        let pairs = self.0.iter().zip(&other.0);
        median(pairs.map(|(one, other)| speed(one) / speed(other)))
    }
}

/// Insists that every item of every answer was stored.
pub fn all_stored(outcome: &Outcome, batch: usize) {
    for answer in &outcome.answers {
        let text = || String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, 200, "{}", text());
        let receipts = serde_json::from_slice::<Data<Vec<Receipt>>>(&answer.body);
        let receipts = receipts.unwrap_or_else(|error| panic!("{error}: {}", text())).data;
        assert_eq!(receipts.len(), batch, "one receipt for each message");
        for receipt in receipts {
            assert_eq!(receipt.state, ReceiptState::Success, "{receipt:?}");
        }
    }
}
