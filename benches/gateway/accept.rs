//! Accepting messages: the floors, the gateway, and the gateway without group commit, in turns.

use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;

use super::gateway_process::Gateway;
use super::load::{Clients, Outcome};
use super::measure::{Measured, Rounds, all_stored};
use super::numbers::count;
use super::process::Process;
use super::requests::{FloorMessage, Prepared};
use super::shape::Shape;
use super::store::{Copy, Stored, Template};

/// The first argument of a process of this program that plays the HTTP floor.
pub const HTTP_FLOOR: &str = "http-floor";

/// What a shape came to.
pub struct Accepted {
    pub shape: Shape,
    /// (a): the body received, parsed and thrown away.
    pub http: Rounds,
    /// (b): the rows written by hand.
    pub store: Rounds,
    /// (c): the gateway.
    pub gateway: Rounds,
    /// (d): the gateway with a commit for each request; empty when nobody asked for it.
    pub alone: Rounds,
}

/// How much, and what.
#[derive(Clone, Copy)]
pub struct Effort {
    pub rounds: usize,
    /// How much more or less than a second's work a round has.
    pub scale: f64,
    /// Whether (d) is measured.
    pub alone: bool,
}

/// Measures a shape.
pub async fn measure(template: &Template, shape: Shape, effort: Effort) -> Accepted {
    let requests = count(super::numbers::float(shape.requests()) * effort.scale).max(1);
    let warm = requests / 5 + 1;
    let prepared = Prepared::new(&template.scene, &shape, warm + requests, 7);
    let all = prepared.requests(&template.scene, shape.credential);
    let (warm, measured): (Arc<[Bytes]>, Arc<[Bytes]>) = (all[..warm].into(), all[warm..].into());
    let rows = Arc::new(prepared.rows);
    let none = Rounds::default;
    let mut accepted =
        Accepted { shape, http: none(), store: none(), gateway: none(), alone: none() };
    for _ in 0..effort.rounds {
        let copy = template.copy().await;
        let gateway = Gateway::serve(&copy);
        let through = through_gateway(gateway, &copy, &shape, &warm, &measured).await;
        let group = count(through.group()).max(1);
        let written = copy.stored().await;
        drop(copy);
        accepted.gateway.0.push(through);
        accepted.store.0.push(by_hand(&template.copy().await, &rows, group, written).await);
        accepted.http.0.push(thrown_away(&template.copy().await, &shape, &warm, &measured).await);
        if effort.alone {
            let copy = template.copy().await;
            let gateway = Gateway::serve_alone(&copy);
            let through = through_gateway(gateway, &copy, &shape, &warm, &measured).await;
            accepted.alone.0.push(through);
        }
    }
    accepted
}

async fn through_gateway(
    gateway: Gateway,
    copy: &Copy,
    shape: &Shape,
    warm: &Arc<[Bytes]>,
    measured: &Arc<[Bytes]>,
) -> Measured {
    let mut clients = Clients::connect(gateway.process.address(), shape.connections).await;
    all_stored(&clients.run(warm).await, shape.batch);
    let groups = gateway.status().await.commit_groups;
    let (cpu, server_cpu) = (gateway.process.cpu(), copy.server_cpu());
    let outcome = clients.run(measured).await;
    let (cpu, server_cpu) = (gateway.process.cpu() - cpu, copy.server_cpu() - server_cpu);
    let groups = gateway.status().await.commit_groups - groups;
    all_stored(&outcome, shape.batch);
    let peak_memory = gateway.process.peak_memory();
    drop(clients);
    gateway.process.stop();
    let groups = usize::try_from(groups).expect("a small number");
    Measured { cpu, server_cpu, groups, peak_memory, ..Measured::of(&outcome, shape.batch) }
}

/// Writes the rows by hand, and insists that they are those that the gateway wrote.
async fn by_hand(
    copy: &Copy,
    rows: &Arc<Vec<FloorMessage>>,
    group: usize,
    written: Stored,
) -> Measured {
    let server_cpu = copy.server_cpu();
    let floor = copy.floor(rows, group, None).await;
    let server_cpu = copy.server_cpu() - server_cpu;
    assert_eq!(copy.stored().await, written, "the floor writes what the gateway writes");
    Measured { server_cpu, ..Measured::of_floor(floor, group) }
}

async fn thrown_away(
    copy: &Copy,
    shape: &Shape,
    warm: &Arc<[Bytes]>,
    measured: &Arc<[Bytes]>,
) -> Measured {
    let mut command = Command::new(std::env::current_exe().expect("a program has a path"));
    command.arg(HTTP_FLOOR);
    let floor = Process::start(command, &copy.log());
    let mut clients = Clients::connect(floor.address(), shape.connections).await;
    let all_taken = |outcome: &Outcome| {
        assert!(outcome.answers.iter().all(|answer| answer.status == 200), "the floor parses all");
    };
    all_taken(&clients.run(warm).await);
    let cpu = floor.cpu();
    let outcome = clients.run(measured).await;
    let cpu = floor.cpu() - cpu;
    all_taken(&outcome);
    let peak_memory = floor.peak_memory();
    drop(clients);
    floor.stop();
    Measured { cpu, peak_memory, ..Measured::of(&outcome, shape.batch) }
}
