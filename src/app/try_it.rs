//! The page to try the gateway with: from the operator's settings to what serves it, and what runs for
//! it in the background.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{App, settings};
use crate::config::Config;
use crate::delivery::hub::Hub;
use crate::domain::guest::{GuestPolicy, Guests, host_of};
use crate::domain::{Fault, Gateway};
use crate::http::fault_log::chain;
use crate::http::gate::Gate;
use crate::http::layers::Place;
use crate::sdk::keys::SigningKey;
use crate::sdk::keystore::Keystore;
use crate::try_it::{self, TryIt};

/// Between two looks who is here still.
const PAUSE: Duration = Duration::from_secs(30);

/// Where the echo bot reaches its gateway: at a free port of loopback, whatever is served elsewhere
/// and however.
pub(super) const ECHO: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// What the page shares with everybody else.
pub(super) struct Parts {
    pub(super) gateway: Arc<Gateway>,
    pub(super) hub: Arc<Hub>,
    pub(super) gate: Arc<Gate>,
    pub(super) server_public_key: Arc<str>,
}

impl Parts {
    /// What the page's handlers work with, if it is switched on. If it is not, the guests of before
    /// go now.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(super) async fn state(
        self,
        config: &Config,
        seed: &[u8; 32],
    ) -> Result<Option<Arc<TryIt>>, Fault> {
        let host = host_of(seed);
        if !config.console.try_it {
            Guests::close(&self.gateway, host).await?;
            return Ok(None);
        }
        let guests = Guests::open(self.gateway.clone(), host, GuestPolicy::default()).await?;
        let mixin = settings::mixin(config);
        Ok(Some(Arc::new(TryIt {
            guests,
            hub: self.hub,
            gate: self.gate,
            clock: self.gateway.clock.clone(),
            server_public_key: self.server_public_key,
            api: mixin.path_prefix,
            clock_ahead: mixin.clock_ahead,
        })))
    }
}

/// Starts what runs in the background for guests.
pub(super) fn follow(tasks: &mut JoinSet<()>, state: &Arc<TryIt>) {
    tasks.spawn(see_off(state.clone()));
}

/// Lets guests go who are here no more, for ever; the caller ends it by dropping it.
async fn see_off(state: Arc<TryIt>) {
    loop {
        sleep(PAUSE).await;
        match round(&state).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "guests were let go"),
            // Nobody is lost: the next round tries again.
            Err(fault) => tracing::warn!("could not let guests go: {}", chain(&fault)),
        }
    }
}

async fn round(state: &TryIt) -> Result<usize, Fault> {
    state.guests.hear(|session| state.hub.is_listened_to(session)).await?;
    state.guests.see_off().await
}

impl App {
    /// The page to try the gateway with, beside everything else, if it is switched on.
    pub(super) fn try_it_place(&self) -> Option<Place> {
        let router = try_it::router(self.try_it.clone()?, self.guard());
        Some(Place::below(try_it::PLACE, router))
    }

    /// The guests of the page to try the gateway with, if it is switched on.
    #[must_use]
    pub fn guests(&self) -> Option<&Guests> {
        self.try_it.as_ref().map(|state| &state.guests)
    }

    /// Signs the guests' host in with this key, for a client of this process that answers them; the
    /// gateway is at `address` for it.
    ///
    /// # Errors
    /// [`Fault::NotFound`] where there are no guests, otherwise when the database cannot be asked.
    pub async fn sign_echo_in(
        &self,
        key: SigningKey,
        address: SocketAddr,
    ) -> Result<Keystore, Fault> {
        let guests = self.guests().ok_or(Fault::NotFound { what: "page to try the gateway" })?;
        let session = guests.sign_host_in(key.verifying_key()).await?;
        Ok(Keystore {
            user_id: session.user,
            session_id: session.id,
            server_public_key: None,
            session_private_key: key,
            base_url: Some(format!("http://{address}{}", self.config.dialects.mixin.path_prefix)),
        })
    }
}
