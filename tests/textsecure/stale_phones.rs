//! What is remembered of a phone may be old; a message to its old devices must not get through.
//!
//! Two nodes share one store. Each has a cache of its own, and nothing tells the one what the other
//! has changed.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sealpost::bus::LocalBus;
use sealpost::domain::clock::{TestClock, Timestamp};
use sealpost::domain::measures::Measures;
use sealpost::domain::phone::sending::{Content, Letter, Origin, Part, Posted};
use sealpost::domain::phone::{
    ContactToken, Device, DeviceNumber, NewDevice, NewPhone, PasswordHash, Phone, PhoneLimit,
    PhoneLimits, PhoneNumber, PhonePolicy, PushKind, Switchboard,
};
use sealpost::domain::ports::{
    CodeDelivery, CodeMessage, CodeSender, Notification, Notifier, Push, Pushed, Store,
};
use sealpost::domain::vault::{Sealed, Vault};
use sealpost::domain::{Fault, Gateway, Limits};
use sealpost::outside::relays::Peers;
use sealpost::storage::{CacheConfig, CachedStore, MemoryStore};
use zeroize::Zeroizing;

use super::letters::{ANNA, BERT};
use crate::harness::entropy::TestEntropy;

/// No code is handed over and no device is woken.
struct Nobody;

#[async_trait]
impl CodeSender for Nobody {
    async fn deliver(&self, _message: &CodeMessage) -> Result<CodeDelivery, Fault> {
        Ok(CodeDelivery::Outbox)
    }

    fn fixed(&self, _number: &PhoneNumber) -> Option<Zeroizing<String>> {
        None
    }
}

#[async_trait]
impl Push for Nobody {
    async fn push(&self, _kind: PushKind, _address: &[u8], _what: Notification) -> Pushed {
        Pushed::NotSetUp
    }
}

impl Notifier for Nobody {
    fn stored(&self, _phone: &Phone, _device: &Device, _envelope: &Bytes) {}

    fn left(&self, _phone: &Phone, _device: &Device) {}
}

fn node(store: Arc<dyn Store>, seed: u64) -> Switchboard {
    let clock = Arc::new(TestClock::at(Timestamp::from_micros(1)));
    Switchboard {
        gateway: Arc::new(Gateway {
            store: Arc::new(CachedStore::new(store, &CacheConfig::default())),
            bus: Arc::new(LocalBus::new()),
            clock: clock.clone(),
            entropy: Arc::new(TestEntropy::new(seed)),
            limits: Limits::default(),
            measures: Measures::default(),
        }),
        vault: Vault::derive(&[1; 32]),
        codes: Arc::new(Nobody),
        push: Arc::new(Nobody),
        notifier: Arc::new(Nobody),
        relays: Arc::new(Peers::default()),
        policy: PhonePolicy::default(),
        limits: PhoneLimits::new(clock, PhoneLimit::usual),
    }
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

struct Scene {
    here: Switchboard,
    there: Switchboard,
}

impl Scene {
    async fn new() -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let scene = Self { here: node(store.clone(), 1), there: node(store, 2) };
        scene.register(ANNA, 111).await;
        scene.register(BERT, 222).await;
        scene
    }

    /// Registers a number at the other node, with this number of its installation.
    async fn register(&self, text: &str, registration: u32) {
        let gateway = &self.there.gateway;
        let device = NewDevice {
            id: gateway.random_id(),
            password: PasswordHash(String::new()),
            signalling_key: Sealed(Vec::new()),
            registration,
            fetches: true,
            name: None,
        };
        let new = NewPhone {
            token: ContactToken(text.as_bytes()[2..].try_into().unwrap()),
            number: number(text),
            user: gateway.random_id(),
            supports_sms: false,
            device,
            code: None,
            at: gateway.clock.now(),
        };
        gateway.store.register_phone(new).await.unwrap();
    }

    /// What this node thinks of a phone.
    async fn remembered(&self, text: &str) -> Arc<Phone> {
        self.here.gateway.store.phone(&number(text)).await.unwrap().unwrap()
    }

    /// Sends from Anna to Bert's only device, as of this installation, at this node.
    async fn send(&self, registration: u32) -> Posted {
        let anna = self.remembered(ANNA).await;
        let from = Origin { account: anna.account, session: anna.devices[0].session };
        let bytes = Bytes::from_static(b"an envelope");
        let part = Part { device: DeviceNumber::PRIMARY, registration, bytes };
        let letter = Letter { to: number(BERT), content: Content::Each(vec![part]) };
        self.here.post(from, &[letter]).await.unwrap().remove(0)
    }

    /// How many messages wait for the only device that a phone had then.
    async fn waiting(&self, phone: &Phone) -> usize {
        let inbox = phone.inbox(&phone.devices[0]);
        self.there.gateway.lease(inbox, 100, None).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_message_for_what_is_only_remembered_is_refused() {
    let scene = Scene::new().await;
    let old = scene.remembered(BERT).await;
    scene.register(BERT, 333).await;
    assert_eq!(scene.send(222).await, Posted::StaleDevices(vec![DeviceNumber::PRIMARY]));
    assert_eq!(scene.waiting(&old).await, 0);
}

#[tokio::test]
async fn a_sender_who_does_not_name_the_installation_reaches_the_new_one() {
    let scene = Scene::new().await;
    let old = scene.remembered(BERT).await;
    scene.register(BERT, 333).await;
    assert_eq!(scene.send(0).await, Posted::Stored);
    let new = scene.here.gateway.store.fresh_phone(&number(BERT)).await.unwrap().unwrap();
    assert_ne!(old.devices[0].session, new.devices[0].session);
    assert_eq!((scene.waiting(&old).await, scene.waiting(&new).await), (0, 1));
}

#[tokio::test]
async fn a_sender_who_knows_more_than_what_is_remembered_is_served() {
    let scene = Scene::new().await;
    scene.remembered(BERT).await;
    scene.register(BERT, 333).await;
    assert_eq!(scene.send(333).await, Posted::Stored);
}

#[tokio::test]
async fn who_lost_a_number_lets_nobody_in_by_a_request_that_was_under_way() {
    let scene = Scene::new().await;
    let bert = number(BERT);
    // What the request knew when it began; its code comes to be when the number is another's.
    let old = scene.remembered(BERT).await;
    scene.register(BERT, 333).await;
    for node in [&scene.here, &scene.there] {
        let code = node.link_code(&old, &old.devices[0]).await.unwrap();
        let permit = node.permit_link(&bert, &code).await;
        assert!(matches!(permit, Err(Fault::Forbidden { .. })), "{permit:?}");
    }
    let new = scene.here.gateway.store.fresh_phone(&bert).await.unwrap().unwrap();
    let code = scene.there.link_code(&new, &new.devices[0]).await.unwrap();
    scene.there.permit_link(&bert, &code).await.unwrap();
    let ends = DeviceNumber(2);
    let refused = scene.here.unlink(&old, &old.devices[0], ends).await;
    assert!(matches!(refused, Err(Fault::Unauthorized { .. })), "{refused:?}");
    scene.here.unlink(&new, &new.devices[0], ends).await.unwrap();
}
