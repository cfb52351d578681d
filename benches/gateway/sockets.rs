//! Delivery over sockets: how much of it is possible while messages come in, and how long it takes
//! from a post to the last device.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures_util::{SinkExt, StreamExt};
use sealpost::sdk::ids::MessageId;
use sealpost::sdk::types::blaze::{
    ACKNOWLEDGE_MESSAGE_RECEIPTS, CREATE_MESSAGE, LIST_PENDING_MESSAGES, SUB_PROTOCOL,
};
use sealpost::sdk::types::{
    AcknowledgeMessages, Acknowledgement, AcknowledgementStatus, BlazeFrame, BlazeRequest,
};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::http::Request;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::gateway_process::Gateway;
use super::load::{Clients, Outcome};
use super::measure::all_stored;
use super::numbers::{count, float, median, percentile};
use super::requests::{FloorMessage, Prepared};
use super::shape::{Credential, Shape};
use super::store::Template;

/// Recipients whose devices have sockets.
const PEOPLE: usize = 64;
const DEVICES: usize = 4;

const SHAPE: Shape = Shape::new(16, 10, DEVICES);

/// After so many messages a device acknowledges them.
const AT_ONCE: usize = 25;

/// All that a device needs of a frame.
#[derive(Deserialize)]
struct Delivered {
    message_id: MessageId,
}

/// What one round came to.
struct Round {
    /// From the first post to the last delivery.
    seconds: f64,
    deliveries: usize,
    /// From each post to each delivery.
    times: Vec<Duration>,
    cpu: f64,
    own_cpu: f64,
    peak_memory: f64,
}

/// Measures delivery: as fast as it goes, and at a tenth of that rate.
pub async fn measure(template: &Template, rounds: usize, scale: f64) -> String {
    let requests = count(600.0 * scale).max(10) / 32 * 32 + 32;
    let (mut fast, mut slow) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let round = deliver(template, requests, None).await;
        let rate = float(requests) / round.seconds / 10.0;
        fast.push(round);
        slow.push(deliver(template, requests / 4, Some(rate)).await);
    }
    let mut text = format!(
        "### Delivery over sockets\n\n{} sockets, requests of {} messages for {DEVICES} of them \
         each; clients decompress, read and acknowledge.\n\n\
         | posts | deliveries/s | from post to delivery, p50 ms | p99 | CPU for 1,000 deliveries | \
         clients' CPU | MiB |\n|---|---:|---:|---:|---:|---:|---:|\n",
        PEOPLE * DEVICES,
        SHAPE.batch,
    );
    row(&mut text, "as fast as they are taken", &fast);
    row(&mut text, "at a tenth of that rate", &slow);
    text
}

fn row(text: &mut String, name: &str, rounds: &[Round]) {
    let times: Vec<_> = rounds.iter().flat_map(|it| it.times.iter().copied()).collect();
    let middle = |of: fn(&Round) -> f64| median(rounds.iter().map(of));
    *text += &format!(
        "| {name} | {:.0} | {:.2} | {:.2} | {:.4} | {:.4} | {:.0} |\n",
        middle(|it| float(it.deliveries) / it.seconds),
        percentile(&times, 50),
        percentile(&times, 99),
        middle(|it| it.cpu / float(it.deliveries) * 1e3),
        middle(|it| it.own_cpu / float(it.deliveries) * 1e3),
        middle(|it| it.peak_memory),
    );
}

async fn deliver(template: &Template, requests: usize, each_second: Option<f64>) -> Round {
    let prepared = Prepared::new_for(&template.scene, &SHAPE, requests, 19, PEOPLE);
    let all = prepared.requests(&template.scene, Credential::Api);
    let copy = template.copy().await;
    let gateway = Gateway::serve(&copy);
    let address = gateway.process.address();
    let mut devices = Vec::new();
    for (place, person) in template.scene.recipients(DEVICES)[..PEOPLE].iter().enumerate() {
        let messages = requests * SHAPE.batch;
        let expected = messages / PEOPLE + usize::from(place < messages % PEOPLE);
        for device in &person.devices {
            let socket = open(address, &device.token).await;
            devices.push(tokio::spawn(listen(socket, expected)));
        }
    }
    let mut clients = Clients::connect(address, SHAPE.connections).await;
    let (cpu, own_cpu) = (gateway.process.cpu(), super::process::own_cpu());
    let outcome = match each_second {
        None => clients.run(&all).await,
        Some(rate) => clients.run_at(&all, rate).await,
    };
    let mut arrivals = Vec::new();
    for device in devices {
        arrivals.extend(device.await.expect("a device does not panic"));
    }
    let (cpu, own_cpu) = (gateway.process.cpu() - cpu, super::process::own_cpu() - own_cpu);
    all_stored(&outcome, SHAPE.batch);
    let peak_memory = gateway.process.peak_memory();
    drop(clients);
    gateway.process.stop();
    let (seconds, times) = since_posted(&prepared.rows, &outcome, &arrivals);
    Round { seconds, deliveries: arrivals.len(), times, cpu, own_cpu, peak_memory }
}

/// From the first post to the last arrival, and from each post to each arrival.
fn since_posted(
    rows: &[FloorMessage],
    outcome: &Outcome,
    arrivals: &[(MessageId, Instant)],
) -> (f64, Vec<Duration>) {
    let posted = |place: usize| outcome.begun[place / SHAPE.batch];
    let posts: HashMap<[u8; 16], Instant> =
        rows.iter().enumerate().map(|(place, row)| (row.message_id, posted(place))).collect();
    let times = arrivals.iter().map(|(id, at)| at.duration_since(posts[id.as_bytes()])).collect();
    let first = outcome.begun.iter().min().expect("some posts");
    let last = arrivals.iter().map(|(_, at)| at).max().expect("some arrivals");
    (last.duration_since(*first).as_secs_f64(), times)
}

type Socket = WebSocketStream<TcpStream>;

async fn open(address: SocketAddr, token: &str) -> Socket {
    let request = Request::get(format!("ws://{address}/"))
        .header("Host", address.to_string())
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", generate_key())
        .header("Sec-WebSocket-Protocol", SUB_PROTOCOL)
        .header("Authorization", format!("Bearer {token}"))
        .body(())
        .expect("sound headers");
    let stream = TcpStream::connect(address).await.expect("the gateway listens");
    stream.set_nodelay(true).expect("a socket that is open");
    let (mut socket, _) = client_async(request, stream).await.expect("a socket");
    ask(&mut socket, LIST_PENDING_MESSAGES, None::<()>).await;
    // Its answer says that delivery has begun.
    socket.next().await.expect("an answer").expect("an answer");
    socket
}

async fn ask(socket: &mut Socket, action: &str, params: Option<impl Serialize>) {
    let (id, action) = ("3f6c1a52-7d0e-4b6b-9a65-0d7b5a0e8f10".to_owned(), action.to_owned());
    let json = serde_json::to_vec(&BlazeRequest { id, action, params }).expect("plain data");
    let mut writer = GzEncoder::new(Vec::new(), Compression::fast());
    writer.write_all(&json).expect("room in memory");
    let frame = writer.finish().expect("room in memory");
    socket.send(Message::Binary(frame.into())).await.expect("the gateway reads");
}

/// Reads and acknowledges until so many messages have come; says when each did.
async fn listen(mut socket: Socket, expected: usize) -> Vec<(MessageId, Instant)> {
    let mut arrivals = Vec::with_capacity(expected);
    let mut unacknowledged = Vec::new();
    while arrivals.len() < expected {
        let frame = socket.next().await.expect("the gateway goes on").expect("a sound frame");
        let Message::Binary(frame) = frame else { continue };
        let at = Instant::now();
        let mut json = Vec::new();
        GzDecoder::new(&frame[..]).read_to_end(&mut json).expect("a compressed frame");
        let head: BlazeFrame<serde::de::IgnoredAny> =
            serde_json::from_slice(&json).expect("a frame");
        if head.action != CREATE_MESSAGE {
            continue;
        }
        let frame: BlazeFrame<Delivered> = serde_json::from_slice(&json).expect("a message");
        let message_id = frame.data.expect("a message").message_id;
        arrivals.push((message_id, at));
        let status = AcknowledgementStatus::Read;
        unacknowledged.push(Acknowledgement { message_id, status });
        if unacknowledged.len() == AT_ONCE || arrivals.len() == expected {
            let messages = std::mem::take(&mut unacknowledged);
            let params = Some(AcknowledgeMessages { messages });
            ask(&mut socket, ACKNOWLEDGE_MESSAGE_RECEIPTS, params).await;
        }
    }
    arrivals
}
