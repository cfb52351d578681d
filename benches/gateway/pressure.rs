//! Half of what is possible, and twice as much: how long answers take when there is room, and what
//! becomes of memory and of messages when there is none.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;

use super::gateway_process::Gateway;
use super::load::{Clients, Outcome};
use super::measure::{Measured, all_stored};
use super::numbers::{count, float, median, percentile};
use super::pace::Arrivals;
use super::requests::Prepared;
use super::shape::{Credential, Shape};
use super::store::{Copy, Template};
use super::table::{bound, promise};

/// What is sent at half the peak: some messages at a time, as bots do.
const SHAPE: Shape = Shape::new(16, 10, 4);

/// What is sent at twice the peak, over more connections than requests may wait.
const FLOOD: Shape = Shape::new(2000, 10, 4);

/// One for each wave of what is sent then.
const FLOOD_SEEDS: Range<u8> = 17..23;

/// A round at half the peak.
struct Half {
    /// Requests a second, at the peak.
    peak: f64,
    gateway: Measured,
    /// Floor (b), which got the same requests at the same moments.
    floor: Measured,
}

/// Measures both.
pub async fn measure(template: &Template, rounds: usize, scale: f64) -> String {
    let requests = count(float(SHAPE.requests()) * scale).max(240);
    let prepared = Prepared::new(&template.scene, &SHAPE, requests, 13);
    let all = prepared.requests(&template.scene, Credential::Api);
    let rows = Arc::new(prepared.rows);
    let mut halves = Vec::new();
    for _ in 0..rounds {
        let peak = peak(template, &all).await;
        let gateway = half(template, &all, peak / 2.0).await;
        let arrivals = Arrivals { batch: SHAPE.batch, each_second: peak / 2.0 };
        let floor = template.used_copy().await.floor_at(&rows, arrivals).await;
        halves.push(Half { peak, gateway, floor: Measured::of_floor(floor) });
    }
    let peak = median(halves.iter().map(|half| half.peak));
    let flood = flood(template, peak * 2.0, requests * 3).await;
    told(&halves, &flood)
}

fn told(halves: &[Half], flood: &Flood) -> String {
    let middle = |of: &dyn Fn(&Half) -> f64| median(halves.iter().map(of));
    let late = |it: &Measured| percentile(&it.times, 99);
    let samples = halves.iter().map(|half| half.gateway.times.len()).min().unwrap_or_default();
    let lines = [
        ("peak, requests a second", middle(&|it| it.peak)),
        ("requests at half of it, each round", float(samples)),
        ("p50 of the gateway, ms", middle(&|it| percentile(&it.gateway.times, 50))),
        ("p50 of floor (b), ms", middle(&|it| percentile(&it.floor.times, 50))),
        ("p99 of the gateway, ms", middle(&|it| late(&it.gateway))),
        ("p99 of floor (b), ms", middle(&|it| late(&it.floor))),
        ("messages in a commit of the gateway", middle(&|it| it.gateway.group())),
        ("messages in a commit of floor (b)", middle(&|it| it.floor.group())),
        ("memory at half the peak, MiB", middle(&|it| it.gateway.peak_memory)),
        ("at twice the peak: seconds that it lasted", flood.seconds),
        ("requests a second that came", flood.came),
        ("memory at half of the time, MiB", flood.early_memory),
        ("memory after all of it, MiB", flood.peak_memory),
        ("requests answered 200", float(flood.taken)),
        ("requests answered 503 with `Retry-After`", float(flood.refused)),
        ("messages answered SUCCESS", float(flood.successes)),
    ];
    let mut text = format!(
        "### Half the peak, and twice\n\nRequests of {} messages for {} sessions each, at a rate. \
         Time counts from when a request was due until its answer, at floor (b) until its commit; \
         (b) takes all requests that are due into one transaction. Twice the peak comes over {} \
         connections.\n\n| | |\n|---|---:|\n",
        SHAPE.batch, SHAPE.sessions, FLOOD.connections,
    );
    for (what, value) in lines {
        text += &format!("| {what} | {value:.*} |\n", if value < 100.0 { 2 } else { 0 });
    }
    text += "\n| | measured | promised | |\n|---|---:|---:|---|\n";
    let ratio = middle(&|it| late(&it.gateway) / late(&it.floor));
    bound(&mut text, "p99 at half the peak, of the floor's", ratio, 3.0);
    let more = flood.peak_memory / flood.early_memory;
    bound(&mut text, "memory after all of twice the peak, of that at half of the time", more, 1.25);
    promise(&mut text, "requests put off meanwhile", float(flood.refused), 1.0);
    bound(&mut text, "messages answered SUCCESS and not stored", float(flood.lost), 0.0);
    bound(&mut text, "messages stored twice", float(flood.doubled), 0.0);
    text
}

async fn peak(template: &Template, all: &Arc<[Bytes]>) -> f64 {
    let copy = template.used_copy().await;
    let gateway = Gateway::serve(&copy);
    let mut clients = Clients::connect(gateway.process.address(), SHAPE.connections).await;
    let outcome = clients.run(all).await;
    all_stored(&outcome, SHAPE.batch);
    drop(clients);
    gateway.process.stop();
    float(all.len()) / outcome.seconds
}

async fn half(template: &Template, all: &Arc<[Bytes]>, rate: f64) -> Measured {
    let copy = template.used_copy().await;
    let gateway = Gateway::serve(&copy);
    let mut clients = Clients::connect(gateway.process.address(), SHAPE.connections).await;
    let (warm, measured): (Arc<[Bytes]>, Arc<[Bytes]>) =
        (all[..all.len() / 6].into(), all[all.len() / 6..].into());
    all_stored(&clients.run(&warm).await, SHAPE.batch);
    let groups = gateway.status().await.commit_groups;
    let outcome = clients.run_at(&measured, rate).await;
    let groups = gateway.status().await.commit_groups - groups;
    all_stored(&outcome, SHAPE.batch);
    let peak_memory = gateway.process.peak_memory();
    drop(clients);
    gateway.process.stop();
    let groups = usize::try_from(groups).expect("a small number");
    Measured { groups, peak_memory, ..Measured::of(&outcome, SHAPE.batch) }
}

/// What twice the peak came to.
#[derive(Default)]
struct Flood {
    seconds: f64,
    /// Requests a second.
    came: f64,
    /// When half of the requests were due, and after all of them.
    early_memory: f64,
    peak_memory: f64,
    taken: usize,
    refused: usize,
    successes: usize,
    lost: usize,
    doubled: usize,
}

async fn flood(template: &Template, rate: f64, wave: usize) -> Flood {
    let copy = template.used_copy().await;
    let gateway = Gateway::serve(&copy);
    let (all, ids) = waves(template, wave);
    let requests = all.len();
    let mut clients = Clients::connect(gateway.process.address(), FLOOD.connections).await;
    // They come without a break, so that whatever piles up goes on doing so.
    let early = async {
        sleep(Duration::from_secs_f64(float(requests) / rate / 2.0)).await;
        gateway.process.peak_memory()
    };
    let (outcome, early_memory) = tokio::join!(clients.run_at(&all, rate), early);
    let seconds = outcome.seconds;
    let peak_memory = gateway.process.peak_memory();
    drop(clients);
    gateway.process.stop();
    let flood = counted(outcome, &ids, &copy).await;
    Flood { seconds, came: float(requests) / seconds, early_memory, peak_memory, ..flood }
}

/// Requests for some seconds, and the ids of their messages. They are made wave by wave, so that not
/// all of them are in memory in every form.
fn waves(template: &Template, requests: usize) -> (Arc<[Bytes]>, Vec<[u8; 16]>) {
    let (mut all, mut ids) = (Vec::new(), Vec::new());
    for seed in FLOOD_SEEDS {
        let prepared = Prepared::new(&template.scene, &FLOOD, requests, seed);
        all.extend_from_slice(&prepared.requests(&template.scene, FLOOD.credential));
        ids.extend(prepared.rows.iter().map(|row| row.message_id));
    }
    (all.into(), ids)
}

/// Looks at every answer, and for every message that was taken.
async fn counted(outcome: Outcome, ids: &[[u8; 16]], copy: &Copy) -> Flood {
    let stored = copy.message_ids().await;
    let kept: HashSet<_> = stored.iter().copied().collect();
    let doubled = stored.len() - kept.len();
    let posted = outcome.answers.into_iter().zip(ids.chunks(FLOOD.batch));
    let (taken, refused): (Vec<_>, Vec<_>) = posted.partition(|(answer, _)| answer.status == 200);
    for (answer, _) in &refused {
        assert_eq!(answer.status, 503, "what is not taken is put off");
        assert!(answer.says_when, "who is put off is told until when");
    }
    let (answers, messages): (Vec<_>, Vec<_>) = taken.into_iter().unzip();
    let taken = answers.len();
    all_stored(&Outcome { answers, ..Outcome::default() }, FLOOD.batch);
    let successes = messages.iter().map(|messages| messages.len()).sum();
    let messages = messages.into_iter().flatten();
    let lost = messages.filter(|id| !kept.contains(*id)).count();
    Flood { taken, refused: refused.len(), successes, lost, doubled, ..Flood::default() }
}
