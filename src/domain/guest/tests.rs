use super::*;
use crate::app::entropy::SystemEntropy;
use crate::bus::LocalBus;
use crate::domain::Limits;
use crate::domain::clock::TestClock;
use crate::domain::measures::Measures;
use crate::storage::MemoryStore;
use crate::storage::conformance::scene::START;
use sealpost_sdk::keys::SigningKey;

const HOST: UserId = Id::from_bytes([9; 16]);

struct World {
    store: Arc<MemoryStore>,
    gateway: Arc<Gateway>,
    guests: Guests,
}

impl World {
    async fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let gateway = Arc::new(Gateway {
            store: store.clone(),
            bus: Arc::new(LocalBus::new()),
            clock: Arc::new(TestClock::at(START)),
            entropy: Arc::new(SystemEntropy::new().unwrap()),
            limits: Limits::default(),
            measures: Measures::default(),
        });
        let guests = Guests::open(gateway.clone(), HOST, GuestPolicy::default()).await.unwrap();
        Self { store, gateway, guests }
    }

    /// Ada comes in, and the store makes no guests.
    async fn is_half_made(&self) {
        self.store.fail_to_relate(true);
        let refused = self.guests.welcome(ada(), None).await.unwrap_err();
        assert!(matches!(refused, Fault::Unavailable { .. }), "{refused}");
        self.store.fail_to_relate(false);
    }

    /// How many devices the one with this account has.
    async fn devices_of(&self, made: &SessionOwner) -> usize {
        self.gateway.sessions_of(made.account.id).await.unwrap().len()
    }
}

fn ada() -> SignUp {
    SignUp {
        signing_key: SigningKey::from_seed(&[1; 32]).verifying_key(),
        full_name: "Ada".to_owned(),
        platform: "Browser".to_owned(),
        invite: String::new(),
        jti: "one".to_owned(),
        request: "request".to_owned(),
    }
}

#[tokio::test]
async fn an_account_that_could_not_be_made_a_guests_is_signed_out_with_those_who_go_next() {
    let world = World::new().await;
    world.is_half_made().await;
    let made = world.gateway.sign_up(SignUpPolicy::Open, ada()).await.unwrap();
    assert_eq!(world.guests.present(), []);
    assert_eq!(world.guests.see_off().await.unwrap(), 1);
    assert_eq!(world.devices_of(&made).await, 0);
    assert_eq!(world.guests.see_off().await.unwrap(), 0);
}

#[tokio::test]
async fn who_asks_the_same_again_before_that_is_a_guest() {
    let world = World::new().await;
    world.is_half_made().await;
    let made = world.guests.welcome(ada(), None).await.unwrap();
    assert_eq!(world.guests.see_off().await.unwrap(), 0);
    assert_eq!(world.devices_of(&made).await, 1);
    assert_eq!(world.guests.present().len(), 1);
}

#[tokio::test]
async fn who_cannot_be_seen_off_yet_goes_once_the_store_does_its_work() {
    let world = World::new().await;
    world.is_half_made().await;
    world.store.fail_to_relate(true);
    assert!(world.guests.see_off().await.is_err());
    world.store.fail_to_relate(false);
    assert_eq!(world.guests.see_off().await.unwrap(), 1);
}
