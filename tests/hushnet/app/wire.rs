//! Where a gateway is served, and how the app talks to it: real connections, the three headers, and
//! a socket whose address it makes up itself.

use std::cell::Cell;

use axum::http::{HeaderMap, HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealpost::config::dialects::hushnet::federation::{Federation, Peer};
use sealpost::domain::account::Dialect;
use sealpost::domain::clock::Clock as _;
use sealpost::sdk::keys::SigningKey;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::harness::app::Answer;
use crate::harness::{TestApp, contract};
use crate::hushnet::line::{Line, NoLine};

/// A gateway that is served as the command serves it.
pub struct Node {
    pub app: TestApp,
    /// What a person types in: the node's URL, without a slash at its end.
    pub base: String,
}

/// Serves a gateway for as long as a story takes: at an address of the dialect's own when the
/// settings say so, and otherwise at everybody's, under a path.
pub async fn serve(mut app: TestApp, story: impl AsyncFnOnce(&Node)) {
    let bound = app.bind().await;
    let own = bound.own_address(Dialect::HushNet);
    let address = own.unwrap_or(bound.address());
    let path = if own.is_some() { "" } else { "/hushnet" };
    app.serve_sockets_at(address);
    let node = Node { app, base: format!("http://{address}{path}") };
    let (stop, stopped) = oneshot::channel::<()>();
    let tell = async {
        story(&node).await;
        stop.send(()).unwrap();
    };
    tokio::join!(node.app.run(bound, async { drop(stopped.await) }), tell);
}

/// Two gateways that know each other, `node-a.test` and `node-b.test`, for as long as the runtime of
/// the test lives.
pub async fn two() -> [Node; 2] {
    let mut listeners = Vec::new();
    for _ in 0..2 {
        listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
    }
    let address = |place: usize| listeners[place].local_addr().unwrap();
    let addresses = [address(0), address(1)];
    let names = ["node-a.test", "node-b.test"].map(str::to_owned);
    let mut nodes = Vec::new();
    for (here, listener) in listeners.into_iter().enumerate() {
        let there = 1 - here;
        let peer = Peer {
            node_id: names[there].clone(),
            api_url: format!("http://{}/hushnet", addresses[there]),
            allow_private: true,
            ..Peer::default()
        };
        let (node_id, peers) = (names[here].clone(), vec![peer]);
        let federation = Federation { node_id, peers, ..Federation::default() };
        let app = TestApp::start_for_hushnet_with(|it| it.federation = federation).await;
        app.serve_at(listener);
        nodes.push(Node { app, base: format!("http://{}/hushnet", addresses[here]) });
    }
    nodes.try_into().unwrap_or_else(|_| panic!("two of them"))
}

/// The connections of one installation of the app.
pub struct Wire<'n> {
    node: &'n Node,
    client: reqwest::Client,
    /// Where it is, as the proxy in front of the gateway says.
    place: HeaderValue,
    /// Whether it signs all of a request, as a later app may.
    pub is_strong: bool,
    nonces: Cell<u128>,
}

impl<'n> Wire<'n> {
    pub fn new(node: &'n Node, place: &str) -> Self {
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let place = place.parse().unwrap();
        Self { node, client, place, is_strong: false, nonces: Cell::default() }
    }

    /// Sends a request, signed by a key if one is given.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        key: Option<&SigningKey>,
        body: &Value,
    ) -> Answer {
        let url = format!("{}{path}", self.node.base);
        let mut request = self.client.request(method.clone(), url);
        request = request.header("x-forwarded-for", &self.place);
        if !body.is_null() {
            request = request.json(body);
        }
        let mut request = request.build().unwrap();
        if let Some(key) = key {
            self.sign(key, &mut request);
        }
        let response = self.client.execute(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let answer = Answer { status, headers, json };
        let below = if path.is_empty() { "/" } else { path };
        contract::check(&method, &format!("/hushnet{below}"), &answer);
        answer
    }

    /// The signature of the app covers the seconds and nothing else.
    fn sign(&self, key: &SigningKey, request: &mut reqwest::Request) {
        let timestamp = self.node.app.clock.now().as_seconds().to_string();
        let mut text = timestamp.clone();
        let mut nonce = None;
        if self.is_strong {
            self.nonces.set(self.nonces.get() + 1);
            let fresh = STANDARD.encode(self.nonces.get().to_le_bytes());
            text = all_of(request, &timestamp, &fresh);
            nonce = Some(fresh);
        }
        let mut set = |name: &'static str, value: &str| {
            request.headers_mut().insert(name, value.parse().unwrap());
        };
        set("x-identity-key", &STANDARD.encode(key.verifying_key().to_bytes()));
        set("x-timestamp", &timestamp);
        set("x-signature", &STANDARD.encode(key.sign(text.as_bytes())));
        if let Some(nonce) = &nonce {
            set("x-signature-version", "2");
            set("x-nonce", nonce);
        }
    }

    /// The socket: whatever path the node's URL has, this one is at the root, and without
    /// credentials.
    pub async fn line(&self, user: &str) -> Result<Line, NoLine> {
        let headers =
            HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), self.place.clone())]);
        self.node.app.hush_line(&format!("/ws/{user}"), &headers).await
    }
}

/// What a strong signature covers.
fn all_of(request: &reqwest::Request, timestamp: &str, nonce: &str) -> String {
    let (method, url) = (request.method(), request.url());
    let query = url.query().map_or(String::new(), |query| format!("?{query}"));
    let body = request.body().and_then(|body| body.as_bytes()).unwrap_or_default();
    let digest: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{method}\n{}{query}\n{timestamp}\n{nonce}\n{digest}", url.path())
}
