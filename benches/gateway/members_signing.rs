//! Signed requests where few and where many devices are on file.

use std::sync::Arc;

use bytes::Bytes;
use sealpost::domain::clock::{Clock as _, SystemClock};
use sealpost::sdk::keys::SigningKey;

use super::arguments::Arguments;
use super::gateway_process::Gateway;
use super::load::{Clients, Connection};
use super::measure::{Measured, Rounds};
use super::members::{CONNECTIONS, SETTINGS};
use super::members_crowd;
use super::members_people::{enrol, signed};
use super::numbers::count;
use super::store::{Copy, Template};
use super::table::promise;

/// Devices on file where there are few; as many of them ask elsewhere.
const FEW: usize = 100;

/// A way of asking.
struct Way {
    among: Among,
    /// Whether a device that asks never comes back.
    once: bool,
    /// Whether a device shows the same signature for a second.
    again: bool,
}

/// How many devices are on file.
#[derive(Clone, Copy)]
enum Among {
    Few,
    /// Just as many as ask once.
    Some,
    Many,
}

const WAYS: [Way; 6] = [
    Way { among: Among::Few, once: false, again: false },
    Way { among: Among::Many, once: false, again: false },
    Way { among: Among::Some, once: true, again: false },
    Way { among: Among::Many, once: true, again: false },
    Way { among: Among::Few, once: false, again: true },
    Way { among: Among::Many, once: false, again: true },
];

/// Measures all of them in turns.
pub async fn measure(template: &Template, arguments: &Arguments) -> String {
    let many = arguments.size().accounts;
    let measured = count(8_000.0 * arguments.scale).clamp(100, many / 2);
    let warm = measured / 5 + 1;
    let some = warm + measured;
    // In the order of `Among`.
    let crowds = [
        Crowd::of(template.copy().await, FEW, FEW).await,
        Crowd::of(template.other_copy(0).await, some, some).await,
        Crowd::of(template.other_copy(1).await, many, some).await,
    ];
    let mut all = [const { Rounds(Vec::new()) }; WAYS.len()];
    // They are short, and a tenth is less than a busy moment takes from one.
    for round in 0..2 * arguments.rounds + 1 {
        for place in 0..WAYS.len() {
            let place = (round + place) % WAYS.len();
            let crowd = &crowds[WAYS[place].among as usize];
            all[place].0.push(crowd.ask(&WAYS[place], (warm, measured)).await);
        }
    }
    table([FEW, some, many], &all)
}

fn table(devices: [usize; 3], all: &[Rounds; WAYS.len()]) -> String {
    let mut text = format!(
        "`GET /sessions/pending` over {CONNECTIONS} connections, by devices that are spread evenly \
         over all that are on file. A signature of its own is verified, one that was seen in the \
         same second is remembered. {FEW} devices that come back stay in the cache of members after \
         their first request; a device that asks once is looked up in the tables, where nothing of \
         its kind was before, however many or few are on file. CPU in seconds for 1,000 \
         requests.\n\n\
         | devices on file | who asks | signature | req/s | ± | p50 ms | p99 ms | CPU | \
         PostgreSQL's CPU |\n\
         |---:|---|---|---:|---:|---:|---:|---:|---:|\n"
    );
    for (way, it) in WAYS.iter().zip(all) {
        let on_file = devices[way.among as usize];
        let who = if way.once { "each another".to_owned() } else { format!("{FEW} in turns") };
        let signature = if way.again { "the same for a second" } else { "of its own" };
        text += &format!(
            "| {on_file} | {who} | {signature} | {:.0} | {:.0} % | {:.2} | {:.2} | {:.4} | {:.4} |\n",
            it.requests(),
            it.spread() * 100.0,
            it.percentile(50),
            it.percentile(99),
            it.cpu(),
            it.server_cpu(),
        );
    }
    text += "\n| | measured | promised | |\n|---|---:|---:|---|\n";
    let [few, many, once_of_some, once, few_again, many_again] = all;
    let what = "HushNet: signed requests among many devices of those among few";
    promise(&mut text, what, many.ratio(few), 0.9);
    let what = "the same, with signatures that are remembered";
    promise(&mut text, what, many_again.ratio(few_again), 0.9);
    let what = "the same, each of another device, of such among just those";
    promise(&mut text, what, once.ratio(once_of_some), 0.9);
    let what = "each of another device among many, of those of few that come back";
    text += &format!("| {what} | {:.2} | | |\n", once.ratio(few));
    text
}

/// A database with so many devices.
struct Crowd {
    copy: Copy,
    signers: Vec<SigningKey>,
}

impl Crowd {
    /// Some of them can sign.
    async fn of(copy: Copy, devices: usize, signers: usize) -> Self {
        let gateway = Gateway::serve_with(&copy, &SETTINGS);
        let mut connection = Connection::open(gateway.process.address()).await;
        enrol(&mut connection, "one").await;
        drop(connection);
        gateway.process.stop();
        members_crowd::fill(&copy, devices).await;
        let signers = members_crowd::signers(&copy, devices, signers).await;
        rustix::fs::sync();
        Self { copy, signers }
    }

    async fn ask(&self, way: &Way, (warm, measured): (usize, usize)) -> Measured {
        let gateway = Gateway::serve_with(&self.copy, &SETTINGS);
        let all: Vec<Bytes> = (0..warm + measured).map(|place| self.request(way, place)).collect();
        let (warm, measured): (Arc<[Bytes]>, Arc<[Bytes]>) =
            (all[..warm].into(), all[warm..].into());
        let mut clients = Clients::connect(gateway.process.address(), CONNECTIONS).await;
        clients.run(&warm).await;
        let (cpu, server_cpu) = (gateway.process.cpu(), self.copy.server_cpu());
        let outcome = clients.run(&measured).await;
        let (cpu, server_cpu) = (gateway.process.cpu() - cpu, self.copy.server_cpu() - server_cpu);
        assert!(outcome.answers.iter().all(|answer| answer.status == 200), "all are known");
        let peak_memory = gateway.process.peak_memory();
        drop(clients);
        gateway.process.stop();
        Measured { cpu, server_cpu, peak_memory, ..Measured::of(&outcome, 1) }
    }

    fn request(&self, way: &Way, place: usize) -> Bytes {
        let signers = self.signers.len();
        // Those that come back are spread over all as well.
        let who = if way.once { place % signers } else { place % FEW * (signers / FEW) };
        let now = SystemClock.now().as_seconds();
        // With one more zero it is the same time, and another signature.
        let width = if way.again { 0 } else { 11 + place / FEW };
        signed("GET", "/sessions/pending", &self.signers[who], &format!("{now:0width$}"))
    }
}
