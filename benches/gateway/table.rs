//! The results as Markdown.

use std::fmt::Write as _;

use super::accept::Accepted;
use super::measure::Rounds;
use super::shape::{self, Credential, Shape};

/// Rows of the table of accepting.
pub fn accepted(all: &[Accepted]) -> String {
    let mut text = String::from(
        "### Accepting messages\n\n\
         Connections × messages a request × sessions a message. (a) the body received, parsed and \
         thrown away; (b) the same rows by hand, in transactions as large as those of (c); (c) the \
         gateway; (d) the gateway with a commit for each request. CPU in seconds for 1,000 \
         messages.\n\n\
         | what | | req/s | msg/s | ± | rows/s | p50 ms | p99 ms | CPU | PostgreSQL's CPU | clients' CPU | MiB | \
         msg/commit | of (a) | of (b) |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for it in all {
        let name = it.shape.name();
        row(&mut text, &name, "(a)", it, &it.http);
        row(&mut text, "", "(b)", it, &it.store);
        row(&mut text, "", "(c)", it, &it.gateway);
        if !it.alone.0.is_empty() {
            row(&mut text, "", "(d)", it, &it.alone);
        }
    }
    text
}

fn row(text: &mut String, name: &str, what: &str, it: &Accepted, rounds: &Rounds) {
    let (messages, sessions) = (rounds.messages(), super::numbers::float(it.shape.sessions));
    let group = if what == "(a)" { String::new() } else { format!("{:.0}", rounds.group()) };
    let _ = writeln!(
        text,
        "| {name} | {what} | {:.0} | {messages:.0} | {:.0} % | {:.0} | {:.2} | {:.2} | {:.4} | \
         {:.4} | {:.4} | {:.0} | {group} | {:.2} | {:.2} |",
        rounds.requests(),
        rounds.spread() * 100.0,
        messages * sessions,
        rounds.percentile(50),
        rounds.percentile(99),
        rounds.cpu(),
        rounds.server_cpu(),
        rounds.own_cpu(),
        rounds.peak_memory(),
        rounds.ratio(&it.http),
        rounds.ratio(&it.store),
    );
}

/// What the gateway takes of the processors, beside what its two floors take together.
pub fn processors(all: &[Accepted]) -> String {
    let mut text = String::from(
        "### Processor time\n\n\
         Seconds for 1,000 messages, PostgreSQL's own processes included. What (a) and (b) take \
         cannot be avoided; the rest of (c) is authentication, rules, memory and receipts.\n\n\
         | what | (a) | (b) | (a) + (b) | (c) | of that PostgreSQL's | (c) of (a) + (b) |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
    );
    for it in all {
        let whole = |rounds: &Rounds| rounds.cpu() + rounds.server_cpu();
        let (http, store, gateway) = (it.http.cpu(), whole(&it.store), whole(&it.gateway));
        let _ = writeln!(
            text,
            "| {} | {http:.4} | {store:.4} | {:.4} | {gateway:.4} | {:.4} | {:.2} |",
            it.shape.name(),
            http + store,
            it.gateway.server_cpu(),
            gateway / (http + store),
        );
    }
    text
}

/// What the project promises about these, and whether it is so.
pub fn promises(database: &str, all: &[Accepted]) -> String {
    let mut text = String::from("| | measured | promised | |\n|---|---:|---:|---|\n");
    let find = |shape: Shape| all.iter().find(|it| it.shape == shape);
    if let Some(it) = find(shape::LARGE) {
        promise(&mut text, "large requests: (c) of (b)", it.gateway.ratio(&it.store), 0.8);
    }
    if let Some(it) = find(shape::SINGLE) {
        let both = 1.0 / (1.0 / it.http.messages() + 1.0 / it.store.messages());
        let share = it.gateway.messages() / both;
        promise(&mut text, "single messages: (c) of 1/(1/a + 1/b)", share, 0.6);
        if !it.alone.0.is_empty() {
            let least = if database == "SQLite" { 3.0 } else { 2.0 };
            let ratio = it.gateway.ratio(&it.alone);
            promise(&mut text, "single messages: (c) of (d)", ratio, least);
        }
    }
    for (shape, what) in [
        (shape::DEVICES, "one message a request, for 100 devices: rows/s"),
        (shape::MORE_DEVICES, "ten messages a request, each for 100 devices: rows/s"),
    ] {
        if let Some(it) = find(shape) {
            let rows = it.gateway.messages() * super::numbers::float(it.shape.sessions);
            promise(&mut text, what, rows, 110_000.0);
        }
    }
    text
}

/// A line of a table of promises that say "at least".
pub fn promise(text: &mut String, what: &str, measured: f64, least: f64) {
    let kept = if measured >= least { "kept" } else { "**missed**" };
    let _ = writeln!(text, "| {what} | {measured:.2} | at least {least:.2} | {kept} |");
}

/// The same for promises that say "at most".
pub fn bound(text: &mut String, what: &str, measured: f64, most: f64) {
    let kept = if measured <= most { "kept" } else { "**missed**" };
    let _ = writeln!(text, "| {what} | {measured:.2} | at most {most:.2} | {kept} |");
}

/// Whether a shape is measured with (d).
pub fn wants_alone(shape: &Shape) -> bool {
    shape.batch == 1 && shape.sessions == 1 && shape.credential == Credential::Api
}
