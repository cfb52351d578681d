//! Many sockets at once, against the real program: what each costs in memory, and how long a
//! message takes to any of them while others flow.
//!
//! `scripts/prove.sh sockets` runs it with ten thousand; an ordinary test run with a few hundred.
//! Times are printed beside those of a socket that merely echoes, and never fail a test.

mod cast;
mod client;
mod flow;

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::timeout;

use crate::program::Program;
use cast::Cast;
use client::{Event, Socket, Tally};

/// Sockets that are opened at the same time in the beginning.
const OPENING: usize = 64;

/// Memory of one idle socket, in bytes.
const SOCKET_MEMORY: u64 = 12 * 1024;

/// Below this number the measure says more about the allocator than about a socket.
const ENOUGH_TO_MEASURE: u64 = 2000;

/// No step takes longer on any machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn say(text: &str) {
    // Not `eprintln!`, which the test runner swallows.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}

/// The clients of this test are files to the system, as the gateway's sockets are in its process.
pub fn raise_file_limit(needed: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    setrlimit(Resource::Nofile, raised).expect("the hard limit is allowed");
    let allowed = raised.current.unwrap_or(u64::MAX);
    assert!(
        allowed >= needed,
        "{needed} open files are needed and the system allows {allowed}: raise the hard limit, for \
         example by `ulimit -Hn {needed}` as root"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_idle_sockets_cost_little_and_each_is_reached() {
    let count = setting("SEALPOST_SOCKETS", 300);
    let seconds = setting("SEALPOST_SOCKET_SECONDS", 2);
    raise_file_limit(count + 500);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let gateway = Program::serve_with(
        &data,
        "127.0.0.1:0",
        // One address holds them all here.
        &[("SEALPOST_HTTP__SOCKETS", "20000"), ("SEALPOST_LIMITS__RATE__ADDRESS_SOCKETS", "0")],
    );
    let (address, process) = (gateway.address(), gateway.process_id());
    let cast = Arc::new(Cast::create(&data, count).await);
    let (tally, mut events) = Tally::new();

    // What the program takes once is not the sockets'.
    let echo = Socket::open(address, &cast.echo).await;
    let before = resident_memory(process);
    let opened = stream::iter(&cast.devices)
        .map(|device| async { Socket::open(address, device).await })
        .buffer_unordered(OPENING);
    let sockets: Vec<Socket> = opened.collect().await;
    let after = resident_memory(process);
    let each = after.saturating_sub(before) * 1024 / count;
    say(&format!("{count} sockets: {before} KiB before, {after} KiB after, {each} bytes each"));
    if count >= ENOUGH_TO_MEASURE {
        assert!(each <= SOCKET_MEMORY, "{each} bytes of resident memory for each socket");
    }

    for socket in sockets {
        tokio::spawn(socket.read_on(tally.clone()));
    }
    let echoes = tokio::spawn(flow::echo(echo, Duration::from_secs(seconds)));
    let sent = flow::run(address, cast.clone(), Duration::from_secs(seconds)).await;
    let mut echoes = echoes.await.expect("the echo task does not panic");

    let mut arrived = std::collections::HashMap::new();
    while arrived.len() < sent.len() {
        let event = timeout(PATIENCE, events.recv()).await;
        let missing = sent.len() - arrived.len();
        match event.unwrap_or_else(|_| panic!("{missing} messages never came")) {
            Some(Event::Arrived { message, at }) => {
                let twice = arrived.insert(message, at);
                assert!(twice.is_none(), "message {message} came twice");
            }
            Some(Event::Closed { reason }) => panic!("a socket was closed: {reason}"),
            None => panic!("every reader is gone"),
        }
    }

    let since = |start: fn(&flow::Sent) -> std::time::Instant| -> Vec<Duration> {
        let took = sent.iter().map(|it| arrived[&it.message].saturating_duration_since(start(it)));
        took.collect()
    };
    let (mut whole, mut delivery) = (since(|it| it.posted), since(|it| it.answered));
    let (whole, delivery) = (median(&mut whole), median(&mut delivery));
    let echoed = median(&mut echoes);
    say(&format!(
        "{} messages in {seconds} s: median from post to device {whole:?}, from answer to device \
         {delivery:?}, echo {echoed:?} ({} of them)",
        sent.len(),
        echoes.len(),
    ));
    say(&format!("{} pings came", tally.pings()));
    if seconds > 20 {
        assert!(tally.pings() >= count, "every socket is pinged at least every 15 s");
    }
    gateway.stop();
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Resident memory of a process in KiB, as Linux counts it.
fn resident_memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"));
    let status = status.expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.expect("Linux says how much memory a process has")
}
