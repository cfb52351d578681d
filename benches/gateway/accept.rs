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
    let set = Set { template, shape, warm, measured, rows };
    for round in 0..effort.rounds {
        let by_hand_first = round % 2 == 1;
        let mut group = accepted.gateway.0.last().map_or(1.0, Measured::group);
        let mut written = [Stored::default(); 2];
        // What one leaves behind on the disk meets the next, so they take turns at being first.
        if by_hand_first {
            accepted.store.0.push(set.by_hand(group, &mut written[0]).await);
        }
        accepted.gateway.0.push(set.through(Gateway::serve, &mut written[1]).await);
        group = accepted.gateway.0.last().map_or(group, Measured::group);
        if !by_hand_first {
            accepted.store.0.push(set.by_hand(group, &mut written[0]).await);
        }
        assert_eq!(written[0], written[1], "the floor writes what the gateway writes");
        accepted.http.0.push(set.thrown_away().await);
        if effort.alone {
            accepted.alone.0.push(set.through(Gateway::serve_alone, &mut written[1]).await);
        }
    }
    accepted
}

/// What all programs get.
struct Set<'a> {
    template: &'a Template,
    shape: Shape,
    /// Not counted.
    warm: Arc<[Bytes]>,
    measured: Arc<[Bytes]>,
    rows: Arc<Vec<FloorMessage>>,
}

impl Set<'_> {
    async fn through(&self, serve: fn(&Copy) -> Gateway, written: &mut Stored) -> Measured {
        let copy = self.template.used_copy().await;
        let gateway = serve(&copy);
        let (address, batch) = (gateway.process.address(), self.shape.batch);
        let mut clients = Clients::connect(address, self.shape.connections).await;
        all_stored(&clients.run(&self.warm).await, batch);
        let groups = gateway.status().await.commit_groups;
        let (cpu, server_cpu) = (gateway.process.cpu(), copy.server_cpu());
        let outcome = clients.run(&self.measured).await;
        let (cpu, server_cpu) = (gateway.process.cpu() - cpu, copy.server_cpu() - server_cpu);
        let groups = gateway.status().await.commit_groups - groups;
        all_stored(&outcome, batch);
        let peak_memory = gateway.process.peak_memory();
        drop(clients);
        gateway.process.stop();
        *written = copy.stored().await;
        let groups = usize::try_from(groups).expect("a small number");
        Measured { cpu, server_cpu, groups, peak_memory, ..Measured::of(&outcome, batch) }
    }

    async fn by_hand(&self, group: f64, written: &mut Stored) -> Measured {
        let (copy, group) = (self.template.used_copy().await, count(group).max(1));
        let floor = copy.floor(&self.rows, group, self.shape.connections).await;
        *written = copy.stored().await;
        Measured::of_floor(floor)
    }

    async fn thrown_away(&self) -> Measured {
        let copy = self.template.used_copy().await;
        let mut command = Command::new(std::env::current_exe().expect("a program has a path"));
        command.arg(HTTP_FLOOR);
        let floor = Process::start(command, &copy.log());
        let mut clients = Clients::connect(floor.address(), self.shape.connections).await;
        all_parsed(&clients.run(&self.warm).await);
        let cpu = floor.cpu();
        let outcome = clients.run(&self.measured).await;
        let cpu = floor.cpu() - cpu;
        all_parsed(&outcome);
        let peak_memory = floor.peak_memory();
        drop(clients);
        floor.stop();
        Measured { cpu, peak_memory, ..Measured::of(&outcome, self.shape.batch) }
    }
}

fn all_parsed(outcome: &Outcome) {
    assert!(outcome.answers.iter().all(|answer| answer.status == 200), "the floor parses all");
}
