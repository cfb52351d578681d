//! Two gateways whose phones reach each other.

mod asked;
mod certificates;
mod directories;
mod messages;
mod out_of_reach;
mod things;

use axum::Router;
use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealpost::config::dialects::TextSecure;
use sealpost::config::dialects::textsecure::federation::{Federation, Peer};
use serde_json::Value;
use tokio::net::TcpListener;

use super::letters::unlimited_with;
use crate::harness::phone::request;
use crate::harness::{Answer, TestApp};

const TOKEN: &str = "a-token-that-two-gateways-share";

/// A gateway called `here` and one called `there`.
pub struct Pair {
    pub here: TestApp,
    pub there: TestApp,
}

pub async fn pair() -> Pair {
    pair_with(|_| ()).await
}

/// The same with other settings over there.
async fn pair_with(change: impl FnOnce(&mut TextSecure)) -> Pair {
    let (here, there) = (listener().await, listener().await);
    let (url_here, url_there) = (url(&here), url(&there));
    let pair = Pair {
        here: gateway("here", peer("there", url_there), |_| ()).await,
        there: gateway("there", peer("here", url_here), change).await,
    };
    serve(here, pair.here.router());
    serve(there, pair.there.router());
    pair
}

async fn gateway(name: &str, peer: Peer, change: impl FnOnce(&mut TextSecure)) -> TestApp {
    unlimited_with(|config| {
        let settings = &mut config.dialects.textsecure;
        settings.federation = Federation { name: name.to_owned(), ..with(peer) };
        change(settings);
    })
    .await
}

fn with(peer: Peer) -> Federation {
    Federation { name: "here".to_owned(), peers: vec![peer], ..Federation::default() }
}

/// Another gateway, at which nobody answers.
pub fn with_peer(name: &str) -> Federation {
    with(peer(name, "http://127.0.0.1:9".to_owned()))
}

fn peer(name: &str, url: String) -> Peer {
    Peer {
        name: name.to_owned(),
        url,
        token: TOKEN.into(),
        certificate: String::new(),
        allow_private: true,
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

fn url(listener: &TcpListener) -> String {
    // A slash at the end does no harm.
    format!("http://{}/", listener.local_addr().unwrap())
}

fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
}

/// Asks as a gateway of that name.
async fn ask_as(name: &str, app: &TestApp, method: Method, path: &str, body: Value) -> Answer {
    let authorization = format!("Basic {}", STANDARD.encode(format!("{name}:{TOKEN}")));
    let mut request = request(method, path, Some(&authorization), &body);
    request.headers_mut().insert("host", "gateway.test".parse().unwrap());
    app.call(request).await
}
