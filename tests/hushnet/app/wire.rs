//! Where a gateway is served, and how the app talks to it: real connections, the three headers, and
//! a socket whose address it makes up itself.

use axum::http::{HeaderMap, HeaderValue, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealpost::config::dialects::hushnet::federation::{Federation, Peer};
use sealpost::domain::account::Dialect;
use sealpost::domain::clock::Clock as _;
use sealpost::sdk::keys::SigningKey;
use serde_json::Value;
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
}

impl<'n> Wire<'n> {
    pub fn new(node: &'n Node, place: &str) -> Self {
        let _already_installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { node, client, place: place.parse().unwrap() }
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
        if let Some(key) = key {
            request = request.headers(self.signed(key));
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let answer = Answer { status, headers, json };
        let below = if path.is_empty() { "/" } else { path };
        contract::check(&method, &format!("/hushnet{below}"), &answer);
        answer
    }

    /// The signature covers the seconds and nothing else.
    fn signed(&self, key: &SigningKey) -> HeaderMap {
        let timestamp = self.node.app.clock.now().as_seconds().to_string();
        let signature = STANDARD.encode(key.sign(timestamp.as_bytes()));
        let identity = STANDARD.encode(key.verifying_key().to_bytes());
        let mut headers = HeaderMap::new();
        headers.insert("x-identity-key", identity.parse().unwrap());
        headers.insert("x-timestamp", timestamp.parse().unwrap());
        headers.insert("x-signature", signature.parse().unwrap());
        headers
    }

    /// The socket: whatever path the node's URL has, this one is at the root, and without
    /// credentials.
    pub async fn line(&self, user: &str) -> Result<Line, NoLine> {
        let headers =
            HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), self.place.clone())]);
        self.node.app.hush_line(&format!("/ws/{user}"), &headers).await
    }
}
