//! Whether accepting costs more when much waits and many have an account, and where its time goes.

use std::sync::Arc;

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::crowd::{self, Size};
use super::gateway_process::Gateway;
use super::load::Clients;
use super::measure::{Measured, Rounds, all_stored};
use super::numbers::count;
use super::requests::Prepared;
use super::shape::{Credential, Shape};
use super::sqlite_settling::KEPT;
use super::store::{Copy, Template};
use super::table::bound;
use super::usage::{Meter, Usage};

const SHAPE: Shape = Shape::new(16, 10, 1);

/// The accounts that traffic goes to in both databases.
const SAME: usize = 10_000;

/// How many requests go to a gateway.
#[derive(Clone, Copy)]
struct Load {
    warm: usize,
    measured: usize,
}

impl Load {
    /// On SQLite rows go to their places in bursts, which begin when so many have come. Only whole
    /// bursts can be compared, and what goes to its place then has to be of the same load.
    fn on(copy: &Copy, scale: f64) -> Self {
        if copy.url().is_some() {
            let least = |requests| count(requests * scale).max(100);
            return Self { warm: least(1500.0), measured: least(3000.0) };
        }
        let burst = KEPT.div_ceil(SHAPE.batch);
        Self { warm: burst, measured: burst * count(scale).max(1) }
    }
}

/// A database, to whom traffic goes in it, and what that came to.
struct Case {
    /// The place of its copy.
    copy: usize,
    name: String,
    accounts: usize,
    rounds: Rounds,
}

/// Measures traffic in a small database and in a large one.
pub async fn measure(template: &Template, rounds: usize, scale: f64, size: Size) -> String {
    let few = Size { accounts: SAME, rows: SAME };
    let size = Size { accounts: size.accounts.max(SAME), ..size };
    let mut copies = [small(template, few).await, template.other_copy(0).await];
    let filled = crowd::fill(&copies[1], &template.scene, size).await;
    eprintln!("{} rows for {} accounts written in {filled:.0} s", size.rows, size.accounts);
    let load = Load::on(&copies[0], scale);
    let case = |copy, in_it: Size, accounts: usize| Case {
        copy,
        name: format!("{} rows, {} accounts | {accounts}", in_it.rows, in_it.accounts),
        accounts,
        rounds: Rounds::default(),
    };
    let mut cases = [case(0, few, SAME), case(1, size, SAME), case(1, size, size.accounts)];
    for round in 0..rounds {
        for turn in 0..cases.len() {
            // What one leaves behind on the disk meets the next, so they take turns at being first.
            let place = (round + turn) % cases.len();
            let seed = u8::try_from(100 + round * cases.len() + place).expect("few rounds");
            // A round leaves many times as many rows in a file as the small one has.
            if cases[place].copy == 0 && copies[0].url().is_none() {
                copies[0] = small(template, few).await;
            }
            let case = &cases[place];
            let measured = run(template, &copies[case.copy], case.accounts, load, seed).await;
            cases[place].rounds.0.push(measured);
        }
    }
    told(&cases)
}

/// A database with few in it.
async fn small(template: &Template, few: Size) -> Copy {
    let copy = template.copy().await;
    crowd::fill(&copy, &template.scene, few).await;
    copy
}

fn told(cases: &[Case; 3]) -> String {
    let mut text = format!(
        "### Growth\n\nRequests of {} messages for one session each over {} connections, to accounts \
         drawn by lot among so many.\n\n\
         | database | drawn among | msg/s | ± | p50 ms | p99 ms | MiB |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
        SHAPE.batch, SHAPE.connections,
    );
    for Case { name, rounds, .. } in cases {
        text += &format!(
            "| {name} | {:.0} | {:.0} % | {:.2} | {:.2} | {:.0} |\n",
            rounds.messages(),
            rounds.spread() * 100.0,
            rounds.percentile(50),
            rounds.percentile(99),
            rounds.peak_memory(),
        );
    }
    text += "\nWhere the time goes: seconds and MiB for 1,000 messages. Read is what a program asked \
             the system for, most of which the system has in memory; written is all that is to go to \
             the disk, the log included.\n\n\
             | database | drawn among | time | gateway's CPU | PostgreSQL's CPU | clients' CPU | \
             processors idle | of that for the disk | read | of that from the disk | written | \
             of that the log |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n";
    for Case { name, rounds, .. } in cases {
        let seconds = |of: fn(&Usage) -> f64| format!("{:.4}", rounds.usage(of));
        let bytes = |of: fn(&Usage) -> f64| format!("{:.2}", rounds.usage(of) / 1024.0 / 1024.0);
        let cells = [
            format!("{:.4}", rounds.seconds()),
            seconds(|it| it.gateway),
            seconds(|it| it.server),
            seconds(|it| it.clients),
            seconds(|it| it.idle),
            seconds(|it| it.disk_wait),
            bytes(|it| it.read),
            bytes(|it| it.read_from_disk),
            bytes(|it| it.written),
            bytes(|it| it.log),
        ];
        text += &format!("| {name} | {} |\n", cells.join(" | "));
    }
    text += "\n| | measured | promised | |\n|---|---:|---:|---|\n";
    let [few, same, all] = cases.each_ref().map(|case| &case.rounds);
    bound(&mut text, "time in the large database, the same accounts", few.ratio(same), 1.2);
    bound(&mut text, "time in the large database, all accounts", few.ratio(all), 3.0);
    let cpu = |rounds: &Rounds| rounds.usage(|it| it.gateway + it.server);
    bound(&mut text, "CPU in the large database, the same accounts", cpu(same) / cpu(few), 1.2);
    bound(&mut text, "CPU in the large database, all accounts", cpu(all) / cpu(few), 3.0);
    text
}

async fn run(template: &Template, copy: &Copy, accounts: usize, load: Load, seed: u8) -> Measured {
    let (scene, senders) = (&template.scene, template.scene.senders.len());
    let mut lot = ChaCha20Rng::from_seed([seed; 32]);
    let Load { warm, measured } = load;
    let prepared = Prepared::to(scene, &SHAPE, warm + measured, seed, |from, _| {
        // One of those who know this sender.
        let drawn = lot.next_u64() % (accounts / senders) as u64;
        let place = usize::try_from(drawn).expect("a small number") * senders + from;
        (crowd::member(place), crowd::contact(scene, place).1)
    });
    let all = prepared.requests(scene, Credential::Api);
    drop(prepared);
    let (warm, measured): (Arc<[Bytes]>, Arc<[Bytes]>) = (all[..warm].into(), all[warm..].into());
    // No checkpoint: after one, a server logs every page once more, which in the long run is rare.
    rustix::fs::sync();
    let gateway = Gateway::serve(copy);
    gateway.tidied().await;
    let mut clients = Clients::connect(gateway.process.address(), SHAPE.connections).await;
    all_stored(&clients.run(&warm).await, SHAPE.batch);
    let meter = Meter::start(&gateway.process, copy).await;
    let outcome = clients.run(&measured).await;
    let usage = meter.stop().await;
    all_stored(&outcome, SHAPE.batch);
    let peak_memory = gateway.process.peak_memory();
    drop(clients);
    gateway.process.stop();
    Measured { usage, peak_memory, ..Measured::of(&outcome, SHAPE.batch) }
}
