//! Who hands codes over and who wakes phones: from the operator's settings to those who do it.

use std::sync::Arc;

use crate::config::Config;
use crate::domain::limits::Networks;
use crate::domain::ports::{CodeSender, Push};
use crate::domain::vault::{Sealed, Vault};
use crate::domain::{Fault, Gateway};
use crate::outside::client::{Client, ClientError, ClientSettings, Protocol};
use crate::outside::codes::Carriers;
use crate::outside::mail::MailError;
use crate::outside::push::{Means, PushError, Services, VapidKey};
use crate::outside::reach::Reach;
use crate::outside::signed::KeyError;

/// The setting under which the store keeps, sealed, the key by which push services know the gateway.
const VAPID_KEY: &str = "webpush_key";

const VAPID_CONTEXT: &str = "webpush key";

/// Who hands codes over, and who wakes phones.
pub(super) struct Outside {
    pub(super) codes: Arc<dyn CodeSender>,
    pub(super) push: Arc<dyn Push>,
}

/// Why those outside cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// HTTP cannot be set up.
    #[error(transparent)]
    Http(#[from] ClientError),
    /// Mail cannot be set up.
    #[error("cannot set up mail")]
    Mail(#[from] MailError),
    /// Push services cannot be set up.
    #[error("cannot set up push services")]
    Push(#[from] PushError),
    /// The key for Web Push cannot be made or read.
    #[error("cannot use the gateway's key for Web Push")]
    Key(#[from] KeyError),
    /// It cannot be kept, or opened.
    #[error("cannot keep or open the gateway's key for Web Push")]
    Kept(#[source] Fault),
}

/// Those whom the settings name.
pub(super) async fn open(
    config: &Config,
    gateway: &Gateway,
    vault: &Vault,
) -> Result<Outside, OutsideError> {
    let settings = &config.dialects.textsecure;
    let own = config.outbound.private_networks();
    let services = client(config, own.clone(), Protocol::Any)?;
    let codes = Carriers::open(&settings.codes, &services, &gateway.clock)?;
    let means = Means {
        services,
        services_http2: client(config, own, Protocol::Http2)?,
        endpoints: client(config, settings.push.webpush.private_networks(), Protocol::Any)?,
        vapid: vapid_key(gateway, vault).await?,
        contact: contact(&config.http.public_url),
        clock: gateway.clock.clone(),
        entropy: gateway.entropy.clone(),
    };
    let push = Services::open(&settings.push, means)?;
    Ok(Outside { codes: Arc::new(codes), push: Arc::new(push) })
}

fn client(config: &Config, private: Networks, protocol: Protocol) -> Result<Client, ClientError> {
    Client::new(&ClientSettings {
        reach: Reach::with(private),
        protocol,
        at_once: config.outbound.at_once as usize,
        patience: config.outbound.patience(),
    })
}

/// The key by which push services know this gateway, made once.
async fn vapid_key(gateway: &Gateway, vault: &Vault) -> Result<VapidKey, OutsideError> {
    let fresh = VapidKey::generate()?;
    let fresh = vault.seal(&*gateway.entropy, VAPID_CONTEXT, fresh.as_ref());
    let kept = gateway.store.setting_or(VAPID_KEY, fresh.0).await;
    let kept = kept.and_then(|kept| vault.open(VAPID_CONTEXT, &Sealed(kept)));
    let kept = kept.map_err(OutsideError::Kept)?;
    Ok(VapidKey::from_bytes(&kept)?)
}

/// RFC 8292 wants a page over `https`, or a mail address.
fn contact(public_url: &str) -> String {
    if public_url.starts_with("https://") { public_url.to_owned() } else { String::new() }
}
