//! Phones: from the operator's settings to the dialect that serves them.

use std::sync::Arc;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::{relays, settings};
use crate::config::Config;
use crate::config::dialects::TextSecure;
use crate::delivery::hub::Hub;
use crate::dialect::textsecure::auth::Verified;
use crate::dialect::textsecure::socket::Sockets;
use crate::dialect::textsecure::{TextSecureSettings, TextSecureState};
use crate::domain::attachment::Files;
use crate::domain::phone::token::TokenKey;
use crate::domain::phone::{PhoneLimits, PhoneNumber, PhonePolicy, PushKind, Switchboard};
use crate::domain::ports::{
    CodeDelivery, CodeMessage, CodeSender, Notification, Push, Pushed, Relays,
};
use crate::domain::vault::Vault;
use crate::domain::{Fault, Gateway};
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
    pub(super) relays: Arc<dyn Relays>,
}

impl Parts {
    /// What the dialect's handlers work with; secrets at rest are sealed under what follows from
    /// `seed`.
    pub(super) fn state(self, config: &Config, seed: &[u8; 32]) -> TextSecureState {
        let verified = Verified::new(&*self.gateway.entropy);
        let peers = relays::callers(&config.dialects.textsecure.federation);
        TextSecureState {
            switchboard: Arc::new(switchboard(
                self.gateway,
                &config.dialects.textsecure,
                seed,
                self.relays,
            )),
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

fn switchboard(
    gateway: Arc<Gateway>,
    settings: &TextSecure,
    seed: &[u8; 32],
    relays: Arc<dyn Relays>,
) -> Switchboard {
    let limits = PhoneLimits::new(gateway.clock.clone(), |limit| settings.limits.of(limit));
    Switchboard {
        gateway,
        vault: Vault::derive(seed),
        codes: Arc::new(Operator { fixed: settings.codes.fixed() }),
        push: Arc::new(Nobody),
        relays,
        policy: policy(settings),
        limits,
    }
}

fn policy(settings: &TextSecure) -> PhonePolicy {
    PhonePolicy {
        code_life: settings.code_life(),
        code_attempts: settings.code_attempts,
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

/// The operator hands all codes over.
struct Operator {
    fixed: Vec<(PhoneNumber, String)>,
}

#[async_trait]
impl CodeSender for Operator {
    async fn deliver(&self, _message: &CodeMessage) -> Result<CodeDelivery, Fault> {
        Ok(CodeDelivery::Outbox)
    }

    fn fixed(&self, number: &PhoneNumber) -> Option<Zeroizing<String>> {
        let found = self.fixed.iter().find(|(fixed, _)| fixed == number);
        found.map(|(_, code)| code.clone().into())
    }
}

/// No device is woken.
struct Nobody;

#[async_trait]
impl Push for Nobody {
    async fn push(&self, _kind: PushKind, _address: &[u8], _what: Notification) -> Pushed {
        Pushed::NotSetUp
    }
}
