//! Whether accepting costs more when much waits and many have an account.

use std::sync::Arc;

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::crowd;
use super::gateway_process::Gateway;
use super::load::Clients;
use super::measure::{Measured, Rounds, all_stored};
use super::numbers::count;
use super::requests::Prepared;
use super::shape::{Credential, Shape};
use super::store::{Copy, Template};
use super::table::bound;

const SHAPE: Shape = Shape::new(16, 10, 1);

/// The accounts that traffic goes to in both databases.
const SAME: usize = 10_000;

/// Measures traffic in a small database and in a large one.
pub async fn measure(
    template: &Template,
    rounds: usize,
    scale: f64,
    (accounts, rows): (usize, usize),
) -> String {
    let (small, large) = (template.copy().await, template.copy().await);
    let accounts = accounts.max(SAME);
    crowd::fill(&small.database(), &template.scene, SAME, SAME);
    crowd::fill(&large.database(), &template.scene, accounts, rows);
    let requests = count(3000.0 * scale).max(100);
    let [mut few, mut same, mut all] = [(); 3].map(|()| Rounds::default());
    for round in 0..rounds {
        let seed = u8::try_from(100 + round * 3).expect("few rounds");
        few.0.push(run(template, &small, requests, seed, SAME).await);
        same.0.push(run(template, &large, requests, seed, SAME).await);
        all.0.push(run(template, &large, requests, seed + 1, accounts).await);
    }
    let mut text = format!(
        "### Growth\n\nRequests of {} messages for one session each over {} connections, to accounts \
         drawn by lot.\n\n\
         | database | traffic to | msg/s | ± | p50 ms | p99 ms | CPU for 1,000 messages | MiB |\n\
         |---|---|---:|---:|---:|---:|---:|---:|\n",
        SHAPE.batch, SHAPE.connections,
    );
    row(&mut text, &format!("{SAME} accounts, {SAME} rows"), "all of them", &few);
    let large = format!("{accounts} accounts, {rows} rows");
    row(&mut text, &large, &format!("{SAME} of them"), &same);
    row(&mut text, &large, "all of them", &all);
    text += "\n| | measured | promised | |\n|---|---:|---:|---|\n";
    bound(&mut text, "cost in the large database, the same accounts", few.ratio(&same), 1.2);
    bound(&mut text, "cost in the large database, all accounts", few.ratio(&all), 3.0);
    text
}

fn row(text: &mut String, database: &str, traffic: &str, rounds: &Rounds) {
    *text += &format!(
        "| {database} | {traffic} | {:.0} | {:.0} % | {:.2} | {:.2} | {:.4} | {:.0} |\n",
        rounds.messages(),
        rounds.spread() * 100.0,
        rounds.percentile(50),
        rounds.percentile(99),
        rounds.cpu(),
        rounds.peak_memory(),
    );
}

async fn run(
    template: &Template,
    copy: &Copy,
    requests: usize,
    seed: u8,
    accounts: usize,
) -> Measured {
    let scene = &template.scene;
    let mut lot = ChaCha20Rng::from_seed([seed; 32]);
    let warm = requests / 2;
    let prepared = Prepared::to(scene, &SHAPE, warm + requests, seed, |from, _| {
        // One of those who know this sender.
        let senders = scene.senders.len() as u64;
        let drawn = lot.next_u64() % (accounts as u64 / senders) * senders + from as u64;
        let place = usize::try_from(drawn).expect("a small number");
        let member = crowd::member(place);
        let (_, contact) = crowd::contact(scene, place, &member);
        (member, contact)
    });
    let all = prepared.requests(scene, Credential::Api);
    let (warm, measured): (Arc<[Bytes]>, Arc<[Bytes]>) = (all[..warm].into(), all[warm..].into());
    let gateway = Gateway::serve(copy);
    let mut clients = Clients::connect(gateway.process.address(), SHAPE.connections).await;
    all_stored(&clients.run(&warm).await, SHAPE.batch);
    let cpu = gateway.process.cpu();
    let outcome = clients.run(&measured).await;
    let cpu = gateway.process.cpu() - cpu;
    all_stored(&outcome, SHAPE.batch);
    let peak_memory = gateway.process.peak_memory();
    drop(clients);
    gateway.process.stop();
    Measured { cpu, peak_memory, ..Measured::of(&outcome, SHAPE.batch) }
}
