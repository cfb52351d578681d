//! Other gateways that speak the TextSecure protocol, each asked through a client of its own.
//!
//! Paths and credentials are those of the federation of the first servers: `Basic` with the name
//! that the other gateway knows this one by, and the token that both share.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::client::{Answer, AskError, Client, ClientError, ClientSettings, JSON, Post, Protocol};
use super::reach::Reach;
use crate::config::Outbound;
use crate::config::dialects::textsecure::federation::{Federation, Peer};
use crate::domain::error::chain;
use crate::domain::phone::keys::Wanted;
use crate::domain::phone::{ContactToken, RelayContact};
use crate::domain::ports::{RelayAnswer, RelayError, RelayRequest, Relays};

/// The largest answer: a page of ten thousand contacts has less.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// The other gateways that the operator names.
#[derive(Default)]
pub struct Peers(HashMap<String, OpenPeer>);

struct OpenPeer {
    client: Client,
    /// Without a slash at its end.
    url: String,
    authorization: Zeroizing<String>,
}

/// Why another gateway cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// Its certificate cannot be read.
    #[error("cannot read the certificate of the gateway `{name}` at {}", path.display())]
    Unreadable {
        /// Its name.
        name: String,
        /// Where the certificate should be.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its certificate is none.
    #[error("cannot use the certificate of the gateway `{name}`")]
    Client {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: ClientError,
    },
}

impl Peers {
    /// Those that the settings name.
    ///
    /// # Errors
    /// When the certificate of one cannot be used.
    pub fn open(settings: &Federation, bounds: &Outbound) -> Result<Self, PeerError> {
        let peers = settings.peers.iter().map(|peer| {
            let opened = OpenPeer::open(&settings.name, peer, bounds)?;
            Ok((peer.name.clone(), opened))
        });
        peers.collect::<Result<_, _>>().map(Self)
    }

    fn peer(&self, relay: &str) -> Result<&OpenPeer, RelayError> {
        self.0.get(relay).ok_or(RelayError::Unknown)
    }

    /// What another gateway says about itself.
    async fn read<T: for<'de> Deserialize<'de>>(
        &self,
        relay: &str,
        path: &str,
    ) -> Result<T, RelayError> {
        let answer = self.peer(relay)?.get(path).await;
        let answer = answer.map_err(|error| unreachable(relay, &error))?;
        match answer.json().filter(|_| answer.status == 200) {
            Some(read) => Ok(read),
            None => Err(refused(relay, answer.status)),
        }
    }
}

impl OpenPeer {
    fn open(own: &str, peer: &Peer, bounds: &Outbound) -> Result<Self, PeerError> {
        let reach = match peer.allow_private {
            true => Reach::public_and_private(),
            false => Reach::default(),
        };
        let settings = ClientSettings {
            reach,
            protocol: Protocol::Any,
            at_once: bounds.at_once as usize,
            patience: bounds.patience(),
        };
        let name = || peer.name.clone();
        let client = match peer.is_encrypted() {
            true => {
                let path = PathBuf::from(&peer.certificate);
                let read = std::fs::read(&path);
                let pem =
                    read.map_err(|source| PeerError::Unreadable { name: name(), path, source })?;
                Client::trusting(&settings, &pem)
            }
            false => Client::plain(&settings),
        };
        let client = client.map_err(|source| PeerError::Client { name: name(), source })?;
        let login = Zeroizing::new(format!("{own}:{}", peer.token.reveal()));
        Ok(Self {
            client: client.with_largest_answer(LARGEST_ANSWER),
            url: peer.url.trim_end_matches('/').to_owned(),
            authorization: Zeroizing::new(format!("Basic {}", STANDARD.encode(&*login))),
        })
    }

    async fn get(&self, path: &str) -> Result<Answer, AskError> {
        let request = Post::empty(format!("{}{path}", self.url));
        self.client.get(request.header("authorization", &self.authorization)?).await
    }

    async fn put(&self, path: &str, body: Vec<u8>) -> Result<Answer, AskError> {
        let request = Post::new(format!("{}{path}", self.url), JSON, body);
        self.client.put(request.header("authorization", &self.authorization)?).await
    }

    async fn ask(&self, request: RelayRequest) -> Result<Answer, AskError> {
        match request {
            RelayRequest::FirstKey(of) => {
                self.get(&format!("/v1/federation/key/{}", of.as_str())).await
            }
            RelayRequest::Keys(of, wanted) => {
                self.get(&format!("/v1/federation/key/{}/{}", of.as_str(), device(wanted))).await
            }
            RelayRequest::SignedKeys(of, wanted) => {
                self.get(&format!("/v2/federation/key/{}/{}", of.as_str(), device(wanted))).await
            }
            RelayRequest::Attachment(number) => {
                self.get(&format!("/v1/federation/attachment/{}", number.get())).await
            }
            RelayRequest::Message { to, envelope } => {
                let body = serde_json::json!({
                    "destination": to.as_str(),
                    "outgoingMessageSignal": STANDARD_NO_PAD.encode(envelope),
                });
                self.put("/v1/federation/message", body.to_string().into_bytes()).await
            }
            RelayRequest::Messages { source, device, to, list } => {
                let (source, to) = (source.as_str(), to.as_str());
                let path = format!("/v1/federation/messages/{source}/{}/{to}", device.0);
                self.put(&path, list.into()).await
            }
        }
    }
}

fn device(wanted: Wanted) -> String {
    match wanted {
        Wanted::One(device) => device.0.to_string(),
        Wanted::All => "*".to_owned(),
    }
}

#[async_trait]
impl Relays for Peers {
    fn knows(&self, relay: &str) -> bool {
        self.0.contains_key(relay)
    }

    async fn ask(&self, relay: &str, request: RelayRequest) -> Result<RelayAnswer, RelayError> {
        let answer = self.peer(relay)?.ask(request).await;
        let Answer { status, retry_after, body } =
            answer.map_err(|error| unreachable(relay, &error))?;
        if !is_for_the_phone(status) {
            return Err(refused(relay, status));
        }
        Ok(RelayAnswer { status, retry_after, body: body.into() })
    }

    async fn count_contacts(&self, relay: &str) -> Result<u64, RelayError> {
        #[derive(Deserialize)]
        struct Count {
            count: u64,
        }
        Ok(self.read::<Count>(relay, "/v1/federation/user_count").await?.count)
    }

    async fn list_contacts(
        &self,
        relay: &str,
        offset: u64,
    ) -> Result<Vec<RelayContact>, RelayError> {
        #[derive(Deserialize)]
        struct Page {
            contacts: Vec<Listed>,
        }
        let path = format!("/v1/federation/user_tokens/{offset}");
        let page: Page = self.read(relay, &path).await?;
        let contacts: Option<Vec<_>> = page.contacts.iter().map(Listed::contact).collect();
        contacts.ok_or_else(|| refused(relay, 200))
    }
}

/// Somebody on a page of a directory.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    token: String,
    #[serde(default)]
    supports_sms: bool,
    #[serde(default)]
    inactive: bool,
}

impl Listed {
    fn contact(&self) -> Option<RelayContact> {
        let token = STANDARD_NO_PAD.decode(self.token.trim_end_matches('=')).ok()?;
        let token = ContactToken(token.try_into().ok()?);
        let (supports_sms, is_active) = (self.supports_sms, !self.inactive);
        Some(RelayContact { token, supports_sms, is_active })
    }
}

/// Whether a status says something about what a phone asks for. That this gateway's own credentials
/// are not good is none of its business: it would take it for its own.
fn is_for_the_phone(status: u16) -> bool {
    matches!(status, 200 | 204 | 400 | 402..=599)
}

fn unreachable(relay: &str, error: &AskError) -> RelayError {
    tracing::warn!(relay, "cannot ask another gateway: {}", chain(error));
    RelayError::Unreachable
}

fn refused(relay: &str, status: u16) -> RelayError {
    tracing::warn!(relay, status, "another gateway does not answer as it should");
    RelayError::Unreachable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listed_phone_is_read_with_and_without_padding() {
        let read = |json: &str| serde_json::from_str::<Listed>(json).unwrap().contact();
        let found = read(r#"{"token":"BQVVHxMt5zAFXA","supportsSms":true}"#).unwrap();
        assert!(found.supports_sms && found.is_active);
        let gone = read(r#"{"token":"BQVVHxMt5zAFXA==","inactive":true,"x":1}"#).unwrap();
        assert_eq!((gone.token, gone.is_active), (found.token, false));
        assert_eq!(read(r#"{"token":"AAAA"}"#), None);
    }

    #[test]
    fn what_is_wrong_between_gateways_is_no_answer_to_a_phone() {
        assert!([200, 204, 404, 409, 410, 413, 503].into_iter().all(is_for_the_phone));
        assert!(![100, 201, 302, 401, 999].into_iter().any(is_for_the_phone));
    }
}
