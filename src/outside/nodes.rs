//! Other gateways that serve HushNet's members, and the registry that knows them.
//!
//! Requests are signed as HushNet's nodes sign theirs, and once more with the body and the name of
//! whom they are for. Paths are signed from `/s2s` on, which is what a gateway behind a proxy sees.
//! Where a registry says that a gateway is, only public addresses are asked.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use moka::sync::Cache;
use sealpost_sdk::keys::{SigningKey, VerifyingKey};
use serde::Deserialize;

use super::client::{AskError, Client, ClientError, ClientSettings, JSON, Post, Protocol};
use super::reach::Reach;
use crate::config::Outbound;
use crate::config::dialects::hushnet::federation::Federation;
use crate::domain::clock::Clock;
use crate::domain::messenger::federation::NodeRequestHead;
use crate::domain::messenger::node::NodeId;
use crate::domain::ports::{AskNodeError, Entropy, Listing, Neighbours, NodeAnswer, NodeRequest};

/// The largest answer.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// How long a gateway that the registry does not know is not asked for again.
const UNKNOWN_FOR: Duration = Duration::from_secs(60);

/// How long a gateway is not asked for again of which the registry said nothing.
const UNHEARD_FOR: Duration = Duration::from_secs(5);

/// Gateways of which that is remembered.
const REMEMBERED: u64 = 10_000;

/// Asks other gateways.
pub struct Nodes {
    /// Nobody signs when this gateway takes no part.
    own: Option<Own>,
    /// For those whom a registry knows.
    listed: Client,
    /// For those whom the operator names, and allows to be in a private network.
    private: Client,
    in_private: HashSet<NodeId>,
    registry: Option<Registry>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

struct Own {
    id: NodeId,
    key: SigningKey,
}

struct Registry {
    client: Client,
    /// Without a slash at its end.
    url: String,
    unknown: Cache<NodeId, ()>,
    unheard: Cache<NodeId, ()>,
}

/// What the registry answers.
#[derive(Deserialize)]
struct Listed {
    api_url: String,
    public_key_b64: String,
    #[serde(default)]
    signs_bodies: bool,
}

impl Nodes {
    /// Those whom the settings name, asked under this key.
    ///
    /// # Errors
    /// When HTTP cannot be set up.
    pub fn open(
        settings: &Federation,
        bounds: &Outbound,
        key: SigningKey,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, ClientError> {
        let client = |reach| {
            Client::new(&ClientSettings {
                reach,
                protocol: Protocol::Any,
                at_once: bounds.at_once as usize,
                patience: bounds.patience(),
            })
            .map(|client| client.with_largest_answer(LARGEST_ANSWER))
        };
        let private = client(Reach::public_and_private())?;
        let url = settings.registry_url.trim_end_matches('/').to_owned();
        let kept = |life| Cache::builder().max_capacity(REMEMBERED).time_to_live(life).build();
        let (unknown, unheard) = (kept(UNKNOWN_FOR), kept(UNHEARD_FOR));
        let registry = Registry { client: private.clone(), url, unknown, unheard };
        let in_private = settings.peers.iter().filter(|peer| peer.allow_private);
        Ok(Self {
            own: settings.own_id().map(|id| Own { id, key }),
            listed: client(Reach::with(settings.private_networks()))?,
            private,
            in_private: in_private.filter_map(|peer| NodeId::parse(&peer.node_id)).collect(),
            registry: Some(registry).filter(|registry| !registry.url.is_empty()),
            clock,
            entropy,
        })
    }

    /// A request with the headers by which another gateway knows this one.
    fn signed(
        &self,
        post: Post,
        method: &str,
        path: &str,
        to: &NodeId,
        body: &[u8],
    ) -> Result<Post, AskError> {
        let Some(own) = &self.own else { return Ok(post) };
        let mut nonce = [0; 16];
        self.entropy.fill(&mut nonce);
        let (nonce, timestamp) =
            (STANDARD.encode(nonce), self.clock.now().as_seconds().to_string());
        let head = NodeRequestHead { method, target: path, timestamp: &timestamp, nonce: &nonce };
        let sign = |text: String| STANDARD.encode(own.key.sign(text.as_bytes()));
        post.header("x-node-id", own.id.as_str())?
            .header("x-timestamp", &timestamp)?
            .header("x-nonce", &nonce)?
            .header("x-node-signature", &sign(head.text()))?
            .header("x-node-body-signature", &sign(head.strong_text(to, body)))
    }

    async fn get(&self, to: &NodeId, api_url: &str, path: &str) -> Result<NodeAnswer, AskError> {
        let post = Post::empty(format!("{api_url}{path}"));
        let post = self.signed(post, "GET", path, to, b"")?;
        self.client(to).get(post).await.map(answer)
    }

    async fn post(
        &self,
        to: &NodeId,
        api_url: &str,
        path: &str,
        body: Bytes,
    ) -> Result<NodeAnswer, AskError> {
        let post = Post::new(format!("{api_url}{path}"), JSON, body.to_vec());
        let post = self.signed(post, "POST", path, to, &body)?;
        self.client(to).post(post).await.map(answer)
    }

    fn client(&self, to: &NodeId) -> &Client {
        if self.in_private.contains(to) { &self.private } else { &self.listed }
    }
}

impl Registry {
    async fn look_up(&self, id: &NodeId) -> Result<Listing, AskNodeError> {
        if self.unknown.contains_key(id) {
            return Err(AskNodeError::Unknown);
        }
        if self.unheard.contains_key(id) {
            return Err(AskNodeError::Unreachable);
        }
        let listing = self.ask(id).await;
        match listing {
            Err(AskNodeError::Unknown) => self.unknown.insert(id.clone(), ()),
            Err(AskNodeError::Unreachable) => self.unheard.insert(id.clone(), ()),
            Ok(_) | Err(AskNodeError::Malformed) => {}
        }
        listing
    }

    async fn ask(&self, id: &NodeId) -> Result<Listing, AskNodeError> {
        let url = format!("{}/api/registry/nodes/{}", self.url, escaped(id.as_str()));
        let answer = self.client.get(Post::empty(url)).await.map_err(|error| {
            tracing::warn!("cannot ask the registry of gateways: {error}");
            AskNodeError::Unreachable
        })?;
        match answer.status {
            200..=299 => {}
            404 | 410 => return Err(AskNodeError::Unknown),
            // It does not say now; that is nothing about the gateway.
            status => {
                tracing::warn!(status, "the registry of gateways says nothing");
                return Err(AskNodeError::Unreachable);
            }
        }
        let listed: Listed = answer.json().ok_or(AskNodeError::Malformed)?;
        let key = VerifyingKey::from_base64(&listed.public_key_b64);
        let api_url = listed.api_url.trim_end_matches('/').to_owned();
        let key = key.map_err(|_| AskNodeError::Malformed)?;
        Ok(Listing { api_url, key, signs_bodies: listed.signs_bodies })
    }
}

#[async_trait]
impl Neighbours for Nodes {
    async fn look_up(&self, id: &NodeId) -> Result<Listing, AskNodeError> {
        match &self.registry {
            Some(registry) => registry.look_up(id).await,
            None => Err(AskNodeError::Unknown),
        }
    }

    async fn ask(
        &self,
        id: &NodeId,
        api_url: &str,
        request: NodeRequest,
    ) -> Result<NodeAnswer, AskNodeError> {
        let of = |name: &str, what: &str| format!("/s2s/users/{}/{what}", escaped(name));
        let asked = match request {
            NodeRequest::Info => self.get(id, api_url, "/s2s/info").await,
            NodeRequest::Devices(name) => {
                self.get(id, api_url, &of(name.as_str(), "devices")).await
            }
            NodeRequest::Keys(name) => self.get(id, api_url, &of(name.as_str(), "keys")).await,
            NodeRequest::Introductions(body) => self.post(id, api_url, "/s2s/sessions", body).await,
            NodeRequest::Message(body) => self.post(id, api_url, "/s2s/messages", body).await,
        };
        asked.map_err(|error| {
            tracing::warn!(node = %id, "cannot ask another gateway: {error}");
            AskNodeError::Unreachable
        })
    }
}

fn answer(answer: super::client::Answer) -> NodeAnswer {
    let super::client::Answer { status, retry_after, body } = answer;
    NodeAnswer { status, retry_after, body: body.into() }
}

/// A text as a part of a path (RFC 3986, section 3.3): what may stand there in any case stands for
/// itself, so that nobody on the way writes it in another way than it was signed.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            // Writing into a string cannot fail.
            _ => write!(escaped, "%{byte:02X}").expect("a string takes everything"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path() {
        assert_eq!(escaped("alice-1.b_c~"), "alice-1.b_c~");
        assert_eq!(escaped("Ali Baba/?#%"), "Ali%20Baba%2F%3F%23%25");
        assert_eq!(escaped("å"), "%C3%A5");
    }
}
