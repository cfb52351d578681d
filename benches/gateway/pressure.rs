//! Half of what is possible, and twice as much: how long answers take when there is room, and what
//! becomes of memory and of messages when there is none.

use std::sync::Arc;

use bytes::Bytes;

use super::gateway_process::Gateway;
use super::load::{Clients, Outcome};
use super::measure::{Measured, all_stored};
use super::numbers::{count, float, median, percentile};
use super::requests::Prepared;
use super::shape::{Credential, Shape};
use super::store::Template;
use super::table::bound;

/// What is sent at half the peak: some messages at a time, as bots do.
const SHAPE: Shape = Shape::new(16, 10, 4);

/// What is sent at twice the peak, over more connections than requests may wait.
const FLOOD: Shape = Shape::new(2000, 10, 4);

/// Measures both.
pub async fn measure(template: &Template, rounds: usize, scale: f64) -> String {
    let requests = count(float(SHAPE.requests()) * scale).max(200);
    let prepared = Prepared::new(&template.scene, &SHAPE, requests, 13);
    let all = prepared.requests(&template.scene, Credential::Api);
    let rows = Arc::new(prepared.rows);
    let (mut ours, mut floors, mut peaks, mut seen) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let peak = peak(template, &all).await;
        let half = half(template, &all, peak / 2.0).await;
        let group = count(half.group()).max(1);
        let pace = Some(peak / 2.0 * float(SHAPE.batch));
        floors.push(percentile(&template.copy().await.floor(&rows, group, pace).await.times, 99));
        ours.push(percentile(&half.times, 99));
        peaks.push(peak);
        seen.push(half.peak_memory);
    }
    let ratio = median(ours.iter().zip(&floors).map(|(ours, floor)| ours / floor));
    let peak = median(peaks);
    let (ours, floor, seen) = (median(ours), median(floors), median(seen));
    let flood = flood(template, peak * 2.0, count(float(requests) * 3.0)).await;
    let mut text = format!(
        "### Half the peak, and twice\n\nRequests of {} messages for {} sessions each, at a rate; \
         time counts from when a request was due.\n\n\
         | | |\n|---|---:|\n| peak, requests a second | {peak:.0} |\n\
         | p99 at half of it, ms | {ours:.2} |\n| p99 of floor (b) at that rate, ms | {floor:.2} |\n\
         | most memory at half the peak, MiB | {seen:.0} |\n\
         | most memory at twice the peak over {} connections, MiB | {:.0} |\n\
         | requests then answered 200 | {} |\n| answered 503 | {} |\n\
         | messages answered SUCCESS | {} |\n| messages stored | {} |\n\n\
         | | measured | promised | |\n|---|---:|---:|---|\n",
        SHAPE.batch,
        SHAPE.sessions,
        FLOOD.connections,
        flood.peak_memory,
        flood.taken,
        flood.refused,
        flood.successes,
        flood.stored,
    );
    bound(&mut text, "p99 at half the peak, of the floor's", ratio, 3.0);
    let lost = flood.successes.saturating_sub(flood.stored);
    bound(&mut text, "messages answered SUCCESS and not stored", float(lost), 0.0);
    text
}

async fn peak(template: &Template, all: &Arc<[Bytes]>) -> f64 {
    let copy = template.copy().await;
    let gateway = Gateway::serve(&copy);
    let mut clients = Clients::connect(gateway.process.address(), SHAPE.connections).await;
    let outcome = clients.run(all).await;
    all_stored(&outcome, SHAPE.batch);
    drop(clients);
    gateway.process.stop();
    float(all.len()) / outcome.seconds
}

async fn half(template: &Template, all: &Arc<[Bytes]>, rate: f64) -> Measured {
    let copy = template.copy().await;
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
struct Flood {
    peak_memory: f64,
    taken: usize,
    refused: usize,
    successes: usize,
    stored: usize,
}

async fn flood(template: &Template, rate: f64, requests: usize) -> Flood {
    let copy = template.copy().await;
    let gateway = Gateway::serve(&copy);
    let prepared = Prepared::new(&template.scene, &FLOOD, requests, 17);
    let all = prepared.requests(&template.scene, FLOOD.credential);
    let mut clients = Clients::connect(gateway.process.address(), FLOOD.connections).await;
    let outcome = clients.run_at(&all, rate).await;
    let peak_memory = gateway.process.peak_memory();
    drop(clients);
    gateway.process.stop();
    let (taken, refused): (Vec<_>, Vec<_>) =
        outcome.answers.into_iter().partition(|answer| answer.status == 200);
    assert!(refused.iter().all(|answer| answer.status == 503), "what is not taken is put off");
    let (taken_count, refused) = (taken.len(), refused.len());
    let taken = Outcome { answers: taken, ..Outcome::default() };
    all_stored(&taken, FLOOD.batch);
    let stored = usize::try_from(copy.stored().await.payloads).expect("a small number");
    let successes = taken_count * FLOOD.batch;
    Flood { peak_memory, taken: taken_count, refused, successes, stored }
}
