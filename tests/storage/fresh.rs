//! Rows of inboxes on their way into their table: a store on disk that is killed between any two
//! steps hands out what a store in memory does.

use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sealpost::domain::clock::Timestamp;
use sealpost::domain::ids::{MessageId, Order};
use sealpost::domain::inbox::{Accepted, Release, Waiting};
use sealpost::domain::ports::Store;
use sealpost::domain::session::Session;
use sealpost::domain::top_up::{SlotAddition, TopUpOffer};
use sealpost::storage::conformance::scene::{SESSION_LIMIT, Scene, at, inbox_of, message_id};
use sealpost::storage::{MemoryStore, SqliteStore, StorageConfig};

use super::Folder;

/// A store on disk, and what happens to it.
struct Disk<'a> {
    folder: &'a Folder,
    config: StorageConfig,
    scene: Scene,
}

impl<'a> Disk<'a> {
    async fn new(folder: &'a Folder, fresh_rows: usize) -> Self {
        let config = StorageConfig { fresh_rows, ..folder.config() };
        let scene = Scene::new(Arc::new(SqliteStore::open(&config).await.unwrap()));
        Self { folder, config, scene }
    }

    /// Goes on with the files as they are at this moment, without a word to the one who had them.
    async fn kill(&mut self) {
        // Notes that nobody waits for stand before it in the queue.
        self.scene.store.ping().await.unwrap();
        let config = StorageConfig { path: self.folder.config().path, ..self.config.clone() };
        for ending in ["", "-wal"] {
            let file = |config: &StorageConfig| format!("{}{ending}", config.path.display());
            std::fs::copy(file(&self.config), file(&config)).unwrap();
        }
        let scene = Scene::new(Arc::new(SqliteStore::open(&config).await.unwrap()));
        std::mem::replace(&mut self.scene, scene).store.close().await;
        self.config = config;
    }
}

/// A bot and three devices, known to both stores under the same names and numbers.
struct People {
    bot: Session,
    devices: Vec<Session>,
}

async fn people(scene: &Scene) -> People {
    let bot = scene.device(1).await;
    let (one, other) = (scene.device(2).await, scene.device(3).await);
    let account = scene.store.accounts(&[other.user]).await.unwrap().remove(0);
    let second = scene.session(&account, 4).await;
    People { bot, devices: vec![one, other, second] }
}

/// What was handed out: whose, when it comes back, and which, by the numbers of both stores.
type Handed = (usize, Timestamp, Vec<([Order; 2], MessageId)>);

struct Story<'a> {
    lot: ChaCha20Rng,
    disk: Disk<'a>,
    memory: Scene,
    people: People,
    now: Timestamp,
    next: u16,
    handed: Vec<Handed>,
}

impl Story<'_> {
    fn draw(&mut self, below: usize) -> usize {
        usize::try_from(self.lot.next_u64() % below as u64).unwrap()
    }

    fn number(&mut self) -> u16 {
        self.next += 1;
        self.next
    }

    fn both(&self) -> [&Scene; 2] {
        [&self.disk.scene, &self.memory]
    }

    async fn send(&mut self) {
        let mut numbers = Vec::new();
        for _ in 0..=self.draw(4) {
            numbers.push((self.number(), 1 + self.draw(7)));
        }
        let life = 20 + self.draw(200) as i64;
        for scene in self.both() {
            let mut batch = Vec::new();
            for (n, whom) in &numbers {
                let chosen = self.people.devices.iter().zip(0..);
                let to: Vec<_> = chosen.filter(|(_, bit)| whom >> bit & 1 == 1).collect();
                let to: Vec<_> = to.into_iter().map(|(session, _)| session).collect();
                let mut message = scene.message(&self.people.bot, &to, *n).await;
                message.accepted_at = self.now;
                message.expires_at =
                    Timestamp::from_micros(self.now.as_micros() + life * 1_000_000);
                for (slot, length) in message.slots.iter_mut().zip(0..) {
                    slot.bytes = slot.bytes.slice(..length * 3 + usize::from(*n) % 5);
                }
                batch.push(message);
            }
            scene.store.accept(batch).await.unwrap();
        }
    }

    /// A message for one device that may be topped up for the others, which it is at once.
    async fn top_up(&mut self) {
        let n = self.number();
        let (first, rest) = self.people.devices.split_first().unwrap();
        for scene in self.both() {
            let mut message = scene.message(&self.people.bot, &[first], n).await;
            message.accepted_at = self.now;
            message.expires_at = Timestamp::from_micros(self.now.as_micros() + 50_000_000);
            let until = Timestamp::from_micros(self.now.as_micros() + 30_000_000);
            let users = rest.iter().map(|session| session.user).collect();
            message.top_up = Some(TopUpOffer { users, left_out: None, until });
            let rest: Vec<_> = rest.iter().collect();
            let late = scene.message(&self.people.bot, &rest, n).await;
            let stored = scene.store.accept(vec![message.clone()]).await.unwrap();
            let Accepted::Stored(order) = stored[0] else { panic!("stored") };
            let addition = SlotAddition {
                order,
                sender: message.sender,
                message_id: message.message_id,
                now: self.now,
                slots: late.slots,
                guards: late.guards.to_vec(),
                quota: message.quota,
                completes: true,
            };
            scene.store.add_slots(addition).await.unwrap();
        }
    }

    async fn lease(&mut self) {
        let whose = self.draw(3);
        let device = &self.people.devices[whose];
        // Markers are the gateway's own: their numbers and ids depend on how it swept.
        let told = |it: &Waiting| {
            let message = (it.order.0 > 0).then_some(it.message_id);
            (message, it.body.clone(), it.slot.clone(), it.deliveries)
        };
        let found = self.disk.scene.lease(device, self.now).await;
        let expected = self.memory.lease(device, self.now).await;
        let (ours, theirs): (Vec<_>, Vec<_>) =
            (found.iter().map(told).collect(), expected.iter().map(told).collect());
        assert_eq!(ours, theirs, "what device {whose} gets");
        let until = Timestamp::from_micros(self.now.as_micros() + 10_000_000);
        let messages = found.iter().zip(&expected).filter(|(it, _)| it.order.0 > 0);
        let rows = messages.map(|(it, same)| ([it.order, same.order], it.message_id)).collect();
        self.handed.push((whose, until, rows));
    }

    /// Acknowledges some of what was handed out, or lets go of it.
    async fn answer(&mut self) {
        if self.handed.is_empty() {
            return;
        }
        let place = self.draw(self.handed.len());
        let (whose, until, rows) = self.handed.swap_remove(place);
        let how = self.draw(3);
        let part = self.draw(rows.len() + 1);
        let device = &self.people.devices[whose];
        for (scene, place) in self.both().into_iter().zip(0..) {
            let rows = &rows[..part];
            let orders = rows.iter().map(|row| row.0[place]).collect();
            match how {
                0 => scene.release(device, orders, until, Release::Unsent).await,
                _ => {
                    let ids = rows.iter().map(|row| row.1).collect();
                    scene.store.acknowledge(inbox_of(device), ids).await.unwrap();
                }
            }
        }
    }

    async fn sweep(&mut self) {
        let limit = 1 + u32::try_from(self.draw(20)).unwrap();
        let first = self.next + 1;
        self.next += 50;
        for scene in self.both() {
            scene.sweep_all(self.now, limit, first).await;
        }
    }

    /// A device signs in again.
    async fn replace(&mut self) {
        let (whose, n) = (self.draw(3), self.number());
        self.handed.retain(|handed| handed.0 != whose);
        let old = self.people.devices[whose].clone();
        let mut new = None;
        for scene in self.both() {
            let account = scene.store.accounts(&[old.user]).await.unwrap().remove(0);
            let mut session = Scene::new_session(&account, n);
            (session.replaces, session.created_at) = (Some(old.id), self.now);
            let gap = message_id(n);
            let signed_in = scene.store.sign_in(session, SESSION_LIMIT, gap).await.unwrap();
            scene.store.clear_ended(3).await.unwrap();
            let before = new.replace(signed_in.session.clone());
            assert!(before.is_none_or(|before| before == signed_in.session));
        }
        self.people.devices[whose] = new.unwrap();
    }

    async fn status(&self) {
        for device in &self.people.devices {
            let [ours, theirs] = self.both().map(|scene| {
                let store = Arc::clone(&scene.store);
                async move { store.inbox_status(inbox_of(device), 1000).await.unwrap() }
            });
            assert_eq!(ours.await, theirs.await);
        }
    }

    async fn step(&mut self) {
        match self.draw(20) {
            0..=5 => self.send().await,
            6..=9 => self.lease().await,
            10..=13 => self.answer().await,
            14 => self.top_up().await,
            15 => self.sweep().await,
            16 => self.replace().await,
            17 => self.now = Timestamp::from_micros(self.now.as_micros() + 7_000_000),
            _ => self.disk.kill().await,
        }
        self.status().await;
    }
}

async fn tell(folder: &Folder, seed: u64, fresh_rows: usize) {
    let disk = Disk::new(folder, fresh_rows).await;
    let memory = Scene::new(Arc::new(MemoryStore::new()) as Arc<dyn Store>);
    let (people, same) = (people(&disk.scene).await, people(&memory).await);
    assert_eq!((&people.bot, &people.devices), (&same.bot, &same.devices));
    let lot = ChaCha20Rng::seed_from_u64(seed);
    let mut story = Story { lot, disk, memory, people, now: at(1), next: 100, handed: Vec::new() };
    for _ in 0..120 {
        story.step().await;
    }
    story.now = at(100_000);
    story.sweep().await;
    for _ in 0..12 {
        story.lease().await;
    }
    story.status().await;
}

#[tokio::test]
async fn a_store_that_is_killed_again_and_again_hands_out_what_one_in_memory_does() {
    for seed in 0..6 {
        for fresh_rows in [0, 3, 1000] {
            let folder = Folder::new();
            println!("seed {seed}, {fresh_rows} fresh rows");
            tell(&folder, seed, fresh_rows).await;
        }
    }
}
