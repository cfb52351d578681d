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
use super::store::{Copy, Template};
use super::table::bound;
use super::usage::{Meter, Usage};

const SHAPE: Shape = Shape::new(16, 10, 1);

/// The accounts that traffic goes to in both databases.
const SAME: usize = 10_000;

/// A database, to whom traffic goes in it, and what that came to.
struct Case<'a> {
    copy: &'a Copy,
    name: String,
    accounts: usize,
    rounds: Rounds,
}

/// Measures traffic in a small database and in a large one.
pub async fn measure(template: &Template, rounds: usize, scale: f64, size: Size) -> String {
    let (small, large) = (template.copy().await, template.other_copy(0).await);
    let few = Size { accounts: SAME, rows: SAME };
    let size = Size { accounts: size.accounts.max(SAME), ..size };
    crowd::fill(&small, &template.scene, few).await;
    let filled = crowd::fill(&large, &template.scene, size).await;
    eprintln!("{} rows for {} accounts written in {filled:.0} s", size.rows, size.accounts);
    let case = |copy, in_it: Size, accounts: usize| Case {
        copy,
        name: format!("{} rows, {} accounts | {accounts}", in_it.rows, in_it.accounts),
        accounts,
        rounds: Rounds::default(),
    };
    let mut cases =
        [case(&small, few, SAME), case(&large, size, SAME), case(&large, size, size.accounts)];
    let requests = count(3000.0 * scale).max(100);
    for round in 0..rounds {
        for turn in 0..cases.len() {
            // What one leaves behind on the disk meets the next, so they take turns at being first.
            let place = (round + turn) % cases.len();
            let seed = u8::try_from(100 + round * cases.len() + place).expect("few rounds");
            let measured = run(template, &cases[place], requests, seed).await;
            cases[place].rounds.0.push(measured);
        }
    }
    told(&cases)
}

fn told(cases: &[Case<'_>; 3]) -> String {
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

async fn run(template: &Template, case: &Case<'_>, requests: usize, seed: u8) -> Measured {
    let (scene, senders) = (&template.scene, template.scene.senders.len());
    let mut lot = ChaCha20Rng::from_seed([seed; 32]);
    let warm = requests / 2;
    let prepared = Prepared::to(scene, &SHAPE, warm + requests, seed, |from, _| {
        // One of those who know this sender.
        let drawn = lot.next_u64() % (case.accounts / senders) as u64;
        let place = usize::try_from(drawn).expect("a small number") * senders + from;
        (crowd::member(place), crowd::contact(scene, place).1)
    });
    let all = prepared.requests(scene, Credential::Api);
    let (warm, measured): (Arc<[Bytes]>, Arc<[Bytes]>) = (all[..warm].into(), all[warm..].into());
    // No checkpoint: after one, a server logs every page once more, which in the long run is rare.
    rustix::fs::sync();
    let gateway = Gateway::serve(case.copy);
    let mut clients = Clients::connect(gateway.process.address(), SHAPE.connections).await;
    all_stored(&clients.run(&warm).await, SHAPE.batch);
    let meter = Meter::start(&gateway.process, case.copy).await;
    let outcome = clients.run(&measured).await;
    let usage = meter.stop().await;
    all_stored(&outcome, SHAPE.batch);
    let peak_memory = gateway.process.peak_memory();
    drop(clients);
    gateway.process.stop();
    Measured { usage, peak_memory, ..Measured::of(&outcome, SHAPE.batch) }
}
