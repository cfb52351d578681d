//! Where notifications for a device go: a token of a vendor's service, or an endpoint.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::device::{Device, DeviceChange, Phone, PushAddress, PushKind};
use super::switchboard::Switchboard;
use crate::domain::error::Fault;
use crate::domain::ids::SessionId;
use crate::domain::vault::Vault;

/// The context under which a vault seals the push address of the device with this session id.
#[must_use]
pub fn push_address_context(device: SessionId) -> String {
    format!("push address {device}")
}

impl Device {
    /// An address of this device in the clear, as a push service is asked under it: the bytes of a
    /// token, or an [`Endpoint`]'s.
    ///
    /// # Errors
    /// [`Fault::Internal`] when another gateway has sealed it.
    pub fn open_push_address(
        &self,
        vault: &Vault,
        push: &PushAddress,
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        vault.open(&push_address_context(self.id), &push.address)
    }
}

impl Switchboard {
    /// Notifications for a device go there from now on, and nowhere else. Nothing is changed if they
    /// do already.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn set_push(
        &self,
        phone: &Phone,
        device: &Device,
        kind: PushKind,
        address: &[u8],
    ) -> Result<(), Fault> {
        if self.is_pushed_to(phone, device, kind, address).await? {
            return Ok(());
        }
        let context = push_address_context(device.id);
        let address = self.vault.seal(&*self.gateway.entropy, &context, address);
        let change = DeviceChange::SetPush(PushAddress { kind, address });
        self.gateway.store.change_device(device.session, change).await
    }

    /// Notifications of this kind go nowhere any more.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn clear_push(&self, device: &Device, kind: PushKind) -> Result<(), Fault> {
        self.gateway.store.change_device(device.session, DeviceChange::ClearPush(kind)).await
    }

    /// Whether notifications for a device go there already: clients say so at every start.
    async fn is_pushed_to(
        &self,
        phone: &Phone,
        device: &Device,
        kind: PushKind,
        address: &[u8],
    ) -> Result<bool, Fault> {
        let phone = self.gateway.store.fresh_phone(&phone.number).await?;
        let mut devices = phone.iter().flat_map(|phone| &phone.devices);
        let Some(device) = devices.find(|it| it.session == device.session) else {
            return Ok(false);
        };
        let Some(push) = device.push.as_ref().filter(|push| push.kind == kind) else {
            return Ok(false);
        };
        Ok(device.open_push_address(&self.vault, push)?.as_slice() == address)
    }
}

/// Where a device is reached by Web Push (RFC 8030) or UnifiedPush.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The URL of the push resource.
    pub url: String,
    /// What messages to it are encrypted for (RFC 8291); without them they go as they are, which
    /// is encrypted for the device already.
    pub keys: Option<EndpointKeys>,
}

/// What messages to an endpoint are encrypted for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointKeys {
    /// The device's public key, an uncompressed point of P-256 in base64url.
    pub p256dh: String,
    /// The device's secret for authentication, 16 bytes in base64url.
    pub auth: String,
}

impl Endpoint {
    /// The bytes that are kept of it.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        // A structure of texts always serialises.
        Zeroizing::new(serde_json::to_vec(self).unwrap_or_default())
    }

    /// The host that the URL names, with its port, or as much as there is of one.
    #[must_use]
    pub fn host(&self) -> String {
        let behind = self.url.split_once("://").map_or(self.url.as_str(), |(_, behind)| behind);
        let authority = behind.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase()
    }

    /// The endpoint that was kept as these bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Endpoint(..)")
    }
}

impl fmt::Debug for EndpointKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EndpointKeys(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_comes_back_as_it_was_and_is_never_shown() {
        let keys = EndpointKeys { p256dh: "BN".to_owned(), auth: "zq".to_owned() };
        let endpoint = Endpoint { url: "https://push.example/7734".to_owned(), keys: Some(keys) };
        assert_eq!(Endpoint::from_bytes(&endpoint.to_bytes()), Some(endpoint.clone()));
        assert_eq!(Endpoint::from_bytes(b"a token"), None);
        let bare = Endpoint { keys: None, ..endpoint };
        assert_eq!(Endpoint::from_bytes(&bare.to_bytes()), Some(bare.clone()));
        assert_eq!(format!("{bare:?}"), "Endpoint(..)");
    }

    #[test]
    fn an_endpoint_is_at_a_host() {
        for (url, host) in [
            ("https://push.example/7734", "push.example"),
            ("http://Anna:x@Push.example:8080?7734", "push.example:8080"),
            ("https://[2001:db8::1]#x", "[2001:db8::1]"),
            ("none", "none"),
        ] {
            assert_eq!(Endpoint { url: url.to_owned(), keys: None }.host(), host);
        }
    }
}
