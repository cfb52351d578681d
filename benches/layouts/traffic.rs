//! Who sends what to whom, the same for every candidate.

use std::path::PathBuf;

/// How much, and where.
pub struct Scale {
    /// Rows that wait before anything is measured.
    pub rows: i64,
    pub accounts: i64,
    pub rounds: usize,
    /// Where the files are made.
    pub folder: PathBuf,
    /// The one part that is measured; all when missing.
    pub only: Option<String>,
}

impl Scale {
    /// Small by default.
    pub fn from_arguments(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let folder = std::env::temp_dir();
        let mut scale = Self { rows: 10_000, accounts: 10_000, rounds: 3, folder, only: None };
        while let Some(word) = words.next() {
            let mut number = || {
                let value = words.next().ok_or(format!("{word} needs a value"))?;
                value.parse::<i64>().map_err(|error| format!("{word}: {error}"))
            };
            match word.as_str() {
                "--rows" => scale.rows = number()?,
                "--accounts" => scale.accounts = number()?.max(1),
                "--rounds" => scale.rounds = usize::try_from(number()?).unwrap_or(1),
                "--folder" => scale.folder = words.next().unwrap_or_default().into(),
                "--only" => scale.only = words.next(),
                // cargo's own.
                "--bench" => {}
                other => return Err(format!("unknown argument: {other}")),
            }
        }
        Ok(scale)
    }
}

/// A message as it is to be stored.
pub struct Message {
    pub sender: i64,
    pub id: [u8; 16],
    pub digest: [u8; 32],
    /// One for each account, with its number.
    pub sessions: Vec<i64>,
}

impl Message {
    /// One that was accepted before anything is measured.
    pub fn old(place: i64) -> Self {
        let mut random = Random(place.unsigned_abs() ^ 0x0123_4567_89ab_cdef);
        let mut digest = [0; 32];
        digest[..16].copy_from_slice(&random.bytes());
        Self { sender: 1 + place % 1000, id: random.bytes(), digest, sessions: Vec::new() }
    }
}

/// Messages in one transaction, and sessions of each.
#[derive(Clone, Copy)]
pub struct Shape {
    messages: usize,
    sessions: usize,
    /// Transactions in one round.
    groups: usize,
    names: [&'static str; 2],
}

impl Shape {
    /// A caller waits for its answer before it asks again, so while one group commits about half
    /// of the callers are in it and the others gather for the next.
    pub const ALL: [Self; 3] = [
        Self {
            messages: 800,
            groups: 8,
            sessions: 4,
            names: ["store 100 x 4, 16 callers, 10,000 accounts", "the same, all accounts"],
        },
        Self {
            messages: 32,
            groups: 40,
            sessions: 1,
            names: ["store 1 x 1, 64 callers, 10,000 accounts", "the same, all accounts "],
        },
        Self {
            messages: 20,
            groups: 6,
            sessions: 256,
            names: ["store 10 x 256, 4 callers, 10,000 accounts", "the same, all accounts  "],
        },
    ];

    pub fn name(self, to_all: bool) -> &'static str {
        self.names[usize::from(to_all)]
    }
}

/// A source of messages.
pub struct Traffic {
    shape: Shape,
    accounts: i64,
    random: Random,
}

/// How many sessions read pages of 100.
const BUSY: i64 = 64;

impl Traffic {
    /// A round's transactions.
    pub fn groups(shape: Shape, accounts: i64, round: usize) -> Vec<Vec<Message>> {
        let mut traffic = Self::new(shape, accounts, round);
        (0..shape.groups).map(|_| traffic.next_group()).collect()
    }

    fn new(shape: Shape, accounts: i64, round: usize) -> Self {
        // No two of them alike, so that no id comes twice.
        let parts = [accounts.unsigned_abs(), round as u64, shape.messages as u64];
        let mix = |seed: u64, part| Random(seed ^ part).next();
        Self { shape, accounts, random: Random(parts.into_iter().fold(0, mix)) }
    }

    fn next_group(&mut self) -> Vec<Message> {
        (0..self.shape.messages).map(|_| self.next_message()).collect()
    }

    fn next_message(&mut self) -> Message {
        let (accounts, wanted) = (self.accounts, self.shape.sessions);
        let mut sessions: Vec<i64> = Vec::with_capacity(wanted);
        while sessions.len() < wanted {
            let session = 1 + self.random.below(accounts);
            // Looking through long lists would cost more than it matters.
            if wanted > 16 || !sessions.contains(&session) {
                sessions.push(session);
            }
        }
        sessions.sort_unstable();
        sessions.dedup();
        self.message_to(sessions)
    }

    fn message_to(&mut self, sessions: Vec<i64>) -> Message {
        let mut digest = [0; 32];
        digest[..16].copy_from_slice(&self.random.bytes());
        Message { sender: 1 + self.random.below(1000), id: self.random.bytes(), digest, sessions }
    }

    /// Sessions to which nobody else writes.
    pub fn busy_sessions(round: usize, audience: usize) -> Vec<i64> {
        let place = i64::try_from(round * 1000 + audience).unwrap_or(0);
        let first = 100_000_000 + place * BUSY;
        (first..first + BUSY).collect()
    }

    /// A hundred messages for each of these sessions, mixed; each for so many sessions.
    pub fn for_busy(sessions: &[i64], round: usize, audience: usize) -> Vec<Vec<Message>> {
        let mut traffic = Self::new(Shape::ALL[0], 1, 1000 * audience + round);
        let mut one_each = || {
            let groups = sessions.chunks(audience);
            let message = groups.map(|busy| {
                // The others are nobody who reads.
                let others = 200_000_000..;
                let all = busy.iter().copied().chain(others).take(audience);
                traffic.message_to(all.collect())
            });
            message.collect::<Vec<_>>()
        };
        (0..100).map(|_| one_each()).collect()
    }
}

/// SplitMix64: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: i64) -> i64 {
        (self.next() >> 2).cast_signed() % limit
    }

    fn bytes(&mut self) -> [u8; 16] {
        let number = u128::from(self.next()) << 64 | u128::from(self.next());
        number.to_le_bytes()
    }
}
