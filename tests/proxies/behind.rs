//! A gateway behind a proxy: whatever its clients do, they do it through there.

use std::net::{IpAddr, SocketAddr};

use axum::http::Method;
use futures_util::{SinkExt, StreamExt};
use reqwest::{Client, ClientBuilder, Version};
use sealpost::sdk::types::blaze::SUB_PROTOCOL;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::{Proxy, upstream};
use crate::harness::blaze::{gunzip, gzip};
use crate::harness::{Actor, TestApp};

/// Above what proxies take or keep in memory unless they are told otherwise.
const FILE_BYTES: usize = 3_000_000;

/// So many requests without a credential an address may make at once.
const STRANGERS: u32 = 3;

/// A client that trusts the authority of the tests alone.
fn client() -> ClientBuilder {
    Client::builder().no_proxy().tls_certs_only([upstream::authority()])
}

/// A request as a device makes it.
async fn call(
    client: &Client,
    actor: &Actor,
    method: Method,
    (host, path): (&str, &str),
    body: Vec<u8>,
) -> Value {
    let token = actor.token(method.as_str(), path, &body);
    let request = client.request(method, format!("https://{host}{path}")).bearer_auth(token);
    let answer = request.header("content-type", "application/json").body(body).send().await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON")
}

/// Has a gateway and its clients talk through a proxy; returns what that has logged.
pub async fn passes_everything_on(start: fn(SocketAddr) -> Proxy) -> String {
    let app = TestApp::start_with(|config| {
        config.http.trusted_proxies = "127.0.0.1".to_owned();
        config.limits.rate.address_strangers = STRANGERS.into();
    })
    .await;
    let bot = app.bot("Echo").await;
    let anna = app.person("Anna", 2).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let gateway = listener.local_addr().expect("bound");
    app.serve_at(listener);
    let proxy = start(gateway);
    let host = proxy.host();
    let host = host.as_str();
    let client = client().build().expect("a client");

    let ready = client.get(format!("https://{host}/readyz")).send().await.expect("an answer");
    assert_eq!((ready.status().as_u16(), ready.version()), (200, Version::HTTP_2));

    // A device waits; what the bot posts then gets it out of its wait.
    let [phone, tablet] = anna.devices.as_slice() else { panic!("two devices") };
    let poll = call(&client, phone, Method::GET, (host, "/inbox?wait=30"), Vec::new());
    let post = async {
        while app.hub_sessions() == 0 {
            tokio::task::yield_now().await;
        }
        let item = bot.seal(anna.user, &anna.recipients(), 1, "through the proxy");
        let body = json!([item]).to_string().into_bytes();
        call(&client, &bot, Method::POST, (host, "/encrypted_messages"), body).await
    };
    let (polled, posted) = tokio::join!(poll, post);
    assert_eq!(posted["data"][0]["outcome"], "accepted", "{posted}");
    assert_eq!(phone.open(&polled["data"][0]), "through the proxy");
    assert_eq!(over_a_socket(&proxy, tablet).await, "through the proxy");
    files_pass(&client, host, &bot).await;
    nobody_writes_the_address(host, gateway).await;
    drop(app);
    proxy.log()
}

/// Opens a socket through the proxy, and reads the first message.
async fn over_a_socket(proxy: &Proxy, device: &Actor) -> String {
    let mut request = format!("wss://{}/", proxy.host()).into_client_request().expect("a URL");
    let token = device.token("GET", "/", b"");
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    headers.insert("sec-websocket-protocol", SUB_PROTOCOL.parse().expect("a header"));
    let stream = upstream::connect(proxy.address(), IpAddr::from([127, 0, 0, 1])).await;
    let (mut socket, _) = client_async(request, stream).await.expect("a socket");
    let list = json!({"id": "1", "action": "LIST_PENDING_MESSAGES"}).to_string();
    let list = gzip(list.as_bytes());
    socket.send(Message::Binary(list.into())).await.expect("it is open");
    loop {
        let frame = socket.next().await.expect("a frame").expect("a frame");
        let Message::Binary(frame) = frame else { continue };
        let frame = gunzip(&frame);
        if frame["data"]["category"] == "ENCRYPTED_TEXT" {
            return device.open(&frame["data"]);
        }
    }
}

/// A file goes up and comes down at the addresses that the gateway gives away, which lead through the
/// proxy.
async fn files_pass(client: &Client, host: &str, bot: &Actor) {
    let opened = call(client, bot, Method::POST, (host, "/attachments"), Vec::new()).await;
    let url = |name: &str| opened["data"][name].as_str().expect("an address").to_owned();
    assert!(url("upload_url").starts_with(&format!("https://{host}/blobs/")), "{opened}");
    let bytes: Vec<u8> = (0..=250).cycle().take(FILE_BYTES).collect();
    let sent = client.put(url("upload_url")).header("content-type", "application/octet-stream");
    let sent = sent.body(bytes.clone()).send().await.expect("an answer");
    assert!(sent.status().is_success(), "{}", sent.status());
    let back = client.get(url("view_url")).send().await.expect("an answer");
    assert!(back.bytes().await.expect("a body") == bytes);
}

/// Whoever writes an address into a header is not counted for it behind the proxy, and would be
/// without one.
async fn nobody_writes_the_address(host: &str, gateway: SocketAddr) {
    let stranger = client().local_address(IpAddr::from([127, 0, 0, 2])).build().expect("a client");
    let neighbour = client().build().expect("a client");
    let behind = asks_too_often(&stranger, &format!("https://{host}/me")).await;
    let beside = asks_too_often(&neighbour, &format!("http://{gateway}/me")).await;
    assert_eq!((behind, beside), (401, 429));
}

/// The last answer to one request more than a stranger may make.
async fn asks_too_often(client: &Client, url: &str) -> u16 {
    let mut last = 0;
    for _ in 0..=STRANGERS {
        let asked = client.get(url).header("x-forwarded-for", "203.0.113.9").send().await;
        last = asked.expect("an answer").status().as_u16();
    }
    last
}
