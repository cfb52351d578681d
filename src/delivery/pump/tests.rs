//! Pumps on a store in memory, with a time that the test holds.

use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::bus::LocalBus;
use crate::delivery::hub::Hub;
use crate::domain::Limits;
use crate::domain::clock::{Clock, TestClock};
use crate::domain::ids::MessageId;
use crate::domain::measures::Measures;
use crate::domain::ports::{Entropy, Hint};
use crate::domain::reader::Credential;
use crate::domain::session::Session;
use crate::storage::MemoryStore;
use crate::storage::conformance::scene::{START, Scene, at, message_ids};

/// No look of the pump's own comes into this.
const IDLE: Duration = Duration::from_secs(3600);

struct Sevens;

impl Entropy for Sevens {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0x77);
    }
}

struct World {
    scene: Scene,
    gateway: Arc<Gateway>,
    clock: Arc<TestClock>,
    hub: Arc<Hub>,
    bot: Session,
    phone: Session,
}

impl World {
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let scene = Scene::new(store.clone());
        let (bot, phone) = (scene.device(1).await, scene.device(2).await);
        let clock = Arc::new(TestClock::at(START));
        let gateway = Arc::new(Gateway {
            store,
            bus: Arc::new(LocalBus::new()),
            clock: clock.clone(),
            entropy: Arc::new(Sevens),
            limits: Limits::default(),
            measures: Measures::default(),
        });
        let hub = Arc::new(Hub::default());
        tokio::spawn(hub.clone().run(gateway.bus.subscribe()));
        Self { scene, gateway, clock, hub, bot, phone }
    }

    /// A pump of the phone that has begun.
    async fn pump(&self) -> Pump {
        let owner = self.gateway.live_session(self.phone.id).await.unwrap().unwrap();
        let reader = Reader::new(&owner, Credential::Signed { until: at(1_000_000) });
        let window = Window { items: 10, bytes: 1 << 20 };
        let manner = Manner { window, page: window, max_age: None, idle: IDLE };
        let listener = self.hub.listen(self.phone.number);
        let mut pump = Pump::new(self.gateway.clone(), listener, reader, manner);
        pump.start();
        pump
    }

    fn wake(&self) {
        self.gateway.bus.publish(Hint::Wake([self.phone.number].into()));
    }
}

/// The messages that come next, without anybody's help.
async fn next(pump: &mut Pump) -> Vec<MessageId> {
    match timeout(Duration::from_secs(5), pump.next(true)).await {
        Ok(Ok(Event::Messages(messages))) => messages.iter().map(|it| it.message_id).collect(),
        Ok(Ok(Event::Nothing)) => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_suspect_that_comes_back_behind_other_messages_is_looked_for_at_once() {
    let world = World::new().await;
    let (scene, phone) = (&world.scene, &world.phone);
    for n in [1, 2] {
        scene.send(&world.bot, &[phone], n).await;
    }
    let mut orders = Vec::new();
    for n in 0..5 {
        let held = scene.lease(phone, at(10 * n)).await;
        orders = held.iter().map(|message| message.order).collect();
        if n < 4 {
            scene.release(phone, vec![orders[0]], at(10 * n + 10), Release::Unsent).await;
        }
    }
    world.clock.advance(Duration::from_secs(45));
    let mut pump = world.pump().await;
    assert!(next(&mut pump).await.is_empty(), "another reader holds both");
    scene.release(phone, vec![orders[0]], at(50), Release::Unsent).await;
    scene.release(phone, vec![orders[1]], at(50), Release::Unacknowledged).await;
    world.wake();
    assert_eq!(next(&mut pump).await, message_ids([1]));
    assert_eq!(next(&mut pump).await, message_ids([2]), "alone");
}

#[tokio::test]
async fn a_message_that_gets_another_try_comes_at_once() {
    let world = World::new().await;
    let (scene, phone) = (&world.scene, &world.phone);
    scene.send(&world.bot, &[phone], 1).await;
    for n in 0..=10 {
        while !scene.lease(phone, at(10 * n)).await.is_empty() {}
    }
    world.clock.advance(Duration::from_secs(105));
    let mut pump = world.pump().await;
    assert!(next(&mut pump).await.is_empty(), "set aside, and another reader holds the marker");
    let inbox = pump.reader.inbox;
    world.gateway.retry_set_aside(inbox, message_ids([1])[0]).await.unwrap();
    assert_eq!(next(&mut pump).await, message_ids([1]));
}

#[tokio::test]
async fn who_finds_others_faster_each_time_looks_again_soon() {
    let world = World::new().await;
    let mut pump = world.pump().await;
    assert!(next(&mut pump).await.is_empty());
    assert!(pump.due() > Instant::now() + IDLE / 2, "nothing was there");
    let leased = |more| Leased { messages: Vec::new(), until: world.clock.now(), more };
    let look = Look { welcome: true, leased: Some(leased(true)) };
    assert!(matches!(pump.finish_look(Ok(look)), Ok(Event::Nothing)));
    assert!(pump.due() <= Instant::now() + AFTER_OTHERS);
}
