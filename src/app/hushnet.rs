//! HushNet's members: from the operator's settings to the dialect that serves them. A gateway that
//! does not speak it has nothing of it in memory.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{nodes, settings};
use crate::config::Config;
use crate::config::dialects::HushNet;
use crate::config::dialects::hushnet::SocketAuth;
use crate::delivery::hub::Hub;
use crate::dialect::hushnet::auth::Verified;
use crate::dialect::hushnet::socket::Sockets;
use crate::dialect::hushnet::{HushNetSettings, HushNetState};
use crate::domain::Gateway;
use crate::domain::messenger::allowance::Allowances;
use crate::domain::messenger::chatting::Latest;
use crate::domain::messenger::enrolment::EnrolmentKey;
use crate::domain::messenger::handed_out::HandedOut;
use crate::domain::messenger::receipt::LateReceipts;
use crate::domain::messenger::{MemberPolicy, Messenger};
use crate::http::fault_log::chain;
use crate::http::gate::Gate;
use crate::http::leftovers::Leftovers;
use crate::http::places::Places;
use crate::outside::client::ClientError;

/// Between two times at which the newest messages of chats are written down.
const LATEST_PAUSE: Duration = Duration::from_secs(1);

/// The largest body that the protocol knows, bytes.
const BODY_LIMIT: u64 = 2 * 1024 * 1024;

/// What members share with everybody else.
pub(super) struct Parts {
    pub(super) gateway: Arc<Gateway>,
    pub(super) hub: Arc<Hub>,
    pub(super) gate: Arc<Gate>,
    pub(super) leftovers: Arc<Leftovers>,
    pub(super) sockets: Arc<Places>,
}

impl Parts {
    /// What the dialect's handlers work with, if it is spoken; keys follow from `seed`.
    ///
    /// # Errors
    /// When other gateways cannot be asked.
    pub(super) fn state(
        self,
        config: &Config,
        seed: &[u8; 32],
    ) -> Result<Option<Open>, ClientError> {
        let settings = &config.dialects.hushnet;
        if !settings.enabled {
            return Ok(None);
        }
        let clock = self.gateway.clock.clone();
        let verified = Arc::new(Verified::new(clock.now()));
        let messenger = Messenger {
            gateway: self.gateway,
            policy: policy(settings),
            allowances: Allowances::new(clock, settings.profile()),
            enrolment_key: EnrolmentKey::derive(seed),
            latest: Latest::default(),
            handed_out: HandedOut::default(),
            late_receipts: LateReceipts::default(),
        };
        let messenger = Arc::new(messenger);
        let (federation, bell) = nodes::open(config, &messenger, seed)?;
        let state = HushNetState {
            messenger,
            federation,
            hub: self.hub,
            gate: self.gate,
            settings: dialect(config),
            verified,
            sockets: Sockets::new(
                self.sockets,
                settings.profile().sockets,
                config.http.address_connections.into(),
            ),
            leftovers: self.leftovers,
        };
        Ok(Some(Open { state: Arc::new(state), bell }))
    }
}

/// The dialect, before anything runs in its background.
pub(super) struct Open {
    state: Arc<HushNetState>,
    /// Rings when something waits for another gateway.
    bell: Arc<Notify>,
}

/// Starts what runs in the background for members.
pub(super) fn follow(tasks: &mut JoinSet<()>, config: &Config, open: Open) -> Arc<HushNetState> {
    let Open { state, bell } = open;
    tasks.spawn(write_latest(state.messenger.clone()));
    if nodes::is_wanted(&config.dialects.hushnet.federation) {
        tasks.spawn(nodes::run(state.federation.clone(), bell));
    }
    state
}

/// Writes down the newest messages of chats, for ever; the caller ends it by dropping it.
async fn write_latest(messenger: Arc<Messenger>) {
    loop {
        sleep(LATEST_PAUSE).await;
        finish(&messenger).await;
    }
}

/// Writes down what is only in memory; for the last time before a stop.
pub(super) async fn finish(messenger: &Messenger) {
    if let Err(fault) = messenger.write_latest().await {
        tracing::warn!("could not write down when something last happened: {}", chain(&fault));
    }
    if let Err(fault) = messenger.note_late_receipts().await {
        tracing::warn!("could not note receipts yet: {}", chain(&fault));
    }
}

fn policy(settings: &HushNet) -> MemberPolicy {
    MemberPolicy {
        token_life: settings.token_life(),
        enrolment_life: settings.enrolment_life(),
        discoverable: settings.discoverable,
        one_time_keys: settings.one_time_keys,
        introductions: settings.introductions,
        introductions_of_one: settings.introductions_of_one,
        devices_per_message: settings.devices_per_message as usize,
    }
}

fn dialect(config: &Config) -> HushNetSettings {
    let settings = &config.dialects.hushnet;
    HushNetSettings {
        body_limit: config.limits.body_bytes.min(BODY_LIMIT),
        peer_body_limit: config.limits.body_bytes,
        path_prefix: settings.mounted_at().to_owned(),
        null_for_unknown_user: settings.null_for_unknown_user,
        socket_auth_required: settings.socket_auth == SocketAuth::Required,
        origins: settings::origins(settings.origins()),
        shares_members: config.database.is_server(),
    }
}
