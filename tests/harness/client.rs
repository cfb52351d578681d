//! SDK clients of a gateway whose clock the test holds.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sealpost::domain::clock::{Clock as _, TestClock};
use sealpost::sdk::client::{Bot, BotBuilder, Clock};
use sealpost::sdk::keystore::Keystore;

use super::actor::Actor;
use super::app::TestApp;

struct HeldClock(Arc<TestClock>);

impl Clock for HeldClock {
    fn now(&self) -> SystemTime {
        let micros = u64::try_from(self.0.now().as_micros()).unwrap();
        UNIX_EPOCH + Duration::from_micros(micros)
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

impl TestApp {
    /// The gateway's clock, for an SDK client.
    pub fn sdk_clock(&self) -> Arc<dyn Clock> {
        Arc::new(HeldClock(self.clock.clone()))
    }
}

impl Actor {
    /// A builder for an SDK client that is this session.
    pub fn client_builder(&self, app: &TestApp, url: &str) -> BotBuilder {
        Bot::builder(Keystore {
            user_id: self.user,
            session_id: self.session,
            server_public_key: None,
            session_private_key: self.key.clone(),
            base_url: Some(url.to_owned()),
        })
        .clock(app.sdk_clock())
    }

    /// An SDK client that is this session.
    pub fn client(&self, app: &TestApp, url: &str) -> Bot {
        self.client_builder(app, url).build().unwrap()
    }
}
