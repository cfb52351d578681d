//! HushNet's members: from the operator's settings to the dialect that serves them. A gateway that
//! does not speak it has nothing of it in memory.

use std::sync::Arc;

use tokio::task::JoinSet;

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
use crate::domain::messenger::{MemberPolicy, Messenger};
use crate::http::gate::Gate;
use crate::http::leftovers::Leftovers;
use crate::http::places::Places;

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
    pub(super) fn state(self, config: &Config, seed: &[u8; 32]) -> Option<Arc<HushNetState>> {
        let settings = &config.dialects.hushnet;
        if !settings.enabled {
            return None;
        }
        let clock = self.gateway.clock.clone();
        let verified = Verified::new(clock.now());
        let messenger = Messenger {
            gateway: self.gateway,
            policy: policy(settings),
            allowances: Allowances::new(clock, settings.profile()),
            enrolment_key: EnrolmentKey::derive(seed),
            latest: Latest::default(),
            handed_out: HandedOut::default(),
        };
        Some(Arc::new(HushNetState {
            messenger: Arc::new(messenger),
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
        }))
    }
}

/// Starts what runs in the background for members.
pub(super) fn follow(_tasks: &mut JoinSet<()>, _state: Option<&Arc<HushNetState>>) {}

fn policy(settings: &HushNet) -> MemberPolicy {
    MemberPolicy {
        token_life: settings.token_life(),
        enrolment_life: settings.enrolment_life(),
        one_time_keys: settings.one_time_keys,
        introductions: settings.introductions,
        devices_per_message: settings.devices_per_message as usize,
    }
}

fn dialect(config: &Config) -> HushNetSettings {
    let settings = &config.dialects.hushnet;
    HushNetSettings {
        body_limit: config.limits.body_bytes,
        path_prefix: settings.mounted_at().to_owned(),
        null_for_unknown_user: settings.null_for_unknown_user,
        socket_auth_required: settings.socket_auth == SocketAuth::Required,
    }
}
