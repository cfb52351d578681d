//! Other gateways that serve HushNet's members: from the operator's settings to those whom this one
//! asks, and the task that brings them what waits for them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::config::Config;
use crate::config::dialects::hushnet::federation::Federation as Settings;
use crate::domain::messenger::Messenger;
use crate::domain::messenger::federation::{
    Federation, FederationSettings, ForeignIds, OwnNode, Peer, node_key,
};
use crate::domain::messenger::node::NodeId;
use crate::http::fault_log::chain;
use crate::outside::client::ClientError;
use crate::outside::nodes::Nodes;

/// Between two looks for letters whose turn has come, if nobody rings.
const PAUSE: Duration = Duration::from_secs(10);

/// The rules between gateways, and a bell that rings when a letter is put into the outbox.
pub(super) fn open(
    config: &Config,
    messenger: &Arc<Messenger>,
    seed: &[u8; 32],
) -> Result<(Arc<Federation>, Arc<Notify>), ClientError> {
    let (key, gateway) = (node_key(seed), &messenger.gateway);
    let settings = &config.dialects.hushnet.federation;
    let own = settings.own_id().map(|id| OwnNode {
        id,
        api_url: own_url(config),
        key: key.verifying_key(),
    });
    let (clock, entropy) = (gateway.clock.clone(), gateway.entropy.clone());
    let neighbours = Nodes::open(settings, &config.outbound, key, clock, entropy)?;
    let bell = Arc::new(Notify::new());
    let ring = bell.clone();
    let federation = Federation {
        messenger: messenger.clone(),
        neighbours: Arc::new(neighbours),
        settings: FederationSettings {
            own,
            peers: settings.peers.iter().filter_map(|it| Some((id_of(it)?, peer(it)))).collect(),
            lookup_life: settings.lookup_life(),
            require_body_signatures: settings.require_body_signatures,
        },
        ids: ForeignIds::derive(seed),
        wake: Box::new(move || ring.notify_one()),
    };
    Ok((Arc::new(federation), bell))
}

fn own_url(config: &Config) -> String {
    let hushnet = &config.dialects.hushnet;
    let own = match hushnet.federation.api_url.as_str() {
        "" => format!("{}{}", config.http.public_url.trim_end_matches('/'), hushnet.mounted_at()),
        own => own.to_owned(),
    };
    own.trim_end_matches('/').to_owned()
}

type Named = crate::config::dialects::hushnet::federation::Peer;

fn id_of(peer: &Named) -> Option<NodeId> {
    NodeId::parse(&peer.node_id)
}

fn peer(named: &Named) -> Peer {
    let api_url = named.api_url.trim_end_matches('/').to_owned();
    let requires_body_signatures = named.require_body_signatures;
    Peer { api_url, key: named.key(), is_blocked: named.blocked, requires_body_signatures }
}

/// Brings letters for ever; the caller ends it by dropping it.
pub(super) async fn run(federation: Arc<Federation>, bell: Arc<Notify>) {
    loop {
        // Whether somebody rings or not, there may be something.
        let rung = || async { timeout(PAUSE, bell.notified()).await.unwrap_or_default() };
        if let Err(fault) = federation.bring_letters(rung).await {
            tracing::warn!("cannot bring messages: {}", chain(&fault));
        }
        sleep(PAUSE).await;
    }
}

/// Whether there are other gateways at all.
pub(super) fn is_wanted(settings: &Settings) -> bool {
    settings.own_id().is_some()
}
