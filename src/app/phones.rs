//! Phones: from the operator's settings to the dialect that serves them.

use std::sync::Arc;

use super::outside::Outside;
use super::{relays, settings};
use crate::config::Config;
use crate::config::dialects::TextSecure;
use crate::delivery::hub::Hub;
use crate::delivery::notifier::Notifier;
use crate::dialect::textsecure::auth::Verified;
use crate::dialect::textsecure::socket::Sockets;
use crate::dialect::textsecure::{TextSecureSettings, TextSecureState};
use crate::domain::Gateway;
use crate::domain::attachment::Files;
use crate::domain::phone::token::TokenKey;
use crate::domain::phone::{PhoneLimits, PhonePolicy, Switchboard};
use crate::domain::ports::Relays;
use crate::domain::vault::Vault;
use crate::http::blobs::BlobUrls;
use crate::http::gate::Gate;
use crate::http::leftovers::Leftovers;
use crate::http::places::Places;

/// What phones share with everybody else.
pub(super) struct Parts {
    pub(super) gateway: Arc<Gateway>,
    pub(super) hub: Arc<Hub>,
    pub(super) gate: Arc<Gate>,
    pub(super) files: Arc<Files>,
    pub(super) urls: Arc<BlobUrls>,
    pub(super) leftovers: Arc<Leftovers>,
    pub(super) sockets: Arc<Places>,
    pub(super) outside: Outside,
    pub(super) notifier: Arc<Notifier>,
    pub(super) relays: Arc<dyn Relays>,
}

impl Parts {
    /// What the dialect's handlers work with.
    pub(super) fn state(self, config: &Config, vault: Vault) -> TextSecureState {
        let verified = Verified::new(&*self.gateway.entropy);
        let peers = relays::callers(&config.dialects.textsecure.federation);
        let settings = &config.dialects.textsecure;
        let limits = PhoneLimits::new(self.gateway.clock.clone(), |it| settings.limits.of(it));
        let switchboard = Switchboard {
            gateway: self.gateway,
            vault,
            codes: self.outside.codes,
            push: self.outside.push,
            notifier: self.notifier,
            relays: self.relays,
            policy: policy(settings),
            limits,
        };
        TextSecureState {
            switchboard: Arc::new(switchboard),
            hub: self.hub,
            gate: self.gate,
            files: self.files,
            urls: self.urls,
            addresses: settings::addresses(config),
            settings: dialect(config),
            verified,
            peers,
            sockets: Sockets::new(self.sockets),
            leftovers: self.leftovers,
        }
    }
}

fn policy(settings: &TextSecure) -> PhonePolicy {
    PhonePolicy {
        code_life: settings.code_life(),
        code_attempts: settings.code_attempts,
        codes_per_day: settings.codes_per_day,
        code_tries_per_day: settings.code_tries_per_day,
        devices: settings.devices,
        token_key: settings.token_key().map(TokenKey::new),
    }
}

fn dialect(config: &Config) -> TextSecureSettings {
    TextSecureSettings {
        body_limit: config.limits.body_bytes,
        dev_transport: config.dialects.textsecure.codes.dev_transport,
    }
}
