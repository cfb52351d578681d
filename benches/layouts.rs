//! Ways to lay out messages, inboxes and remembered ids on SQLite, measured beside each other.
//!
//! Run with `cargo bench --bench layouts`; a minute, and small. What the figures in the documents
//! come from:
//!
//! ```text
//! cargo bench --bench layouts -- --rows 2000000 --accounts 1000000 --rounds 7
//! ```
//!
//! Every candidate has a file of its own, filled alike, and all of them take turns, round by round,
//! so that a busy machine slows them alike. Each goes through the whole cycle: store groups of
//! messages as group commit makes them, read pages of 100 with their bodies, note who holds them,
//! acknowledge them, look into an empty inbox, start again. Shown are medians, and the median of
//! the rounds' ratios to the first candidate. Beside the time stands what does not depend on the
//! neighbours of this process: processor time, and pages written to the log.
//!
//! The connections are opened as the store opens them (`src/storage/sqlite/connect.rs`): one
//! writer, a log written ahead, `synchronous=FULL`.

#[path = "layouts/candidate.rs"]
mod candidate;
#[path = "layouts/database.rs"]
mod database;
#[path = "layouts/duplicates.rs"]
mod duplicates;
#[path = "layouts/inboxes.rs"]
mod inboxes;
#[path = "layouts/traffic.rs"]
mod traffic;

use std::collections::BTreeMap;
use std::time::Instant;

use candidate::{Candidate, Plan};
use database::Settings;
use duplicates::Duplicates;
use inboxes::Layout;
use traffic::{Scale, Shape, Traffic};

/// What is measured with whom: the first one is what the others are compared with.
fn studies() -> [(&'static str, Vec<(&'static str, Plan)>); 3] {
    let layouts = [
        Layout::BySession,
        Layout::BySessionOneStatement,
        Layout::Narrow,
        Layout::ByOrderAndIndex,
        Layout::ByOrderAndLists,
        Layout::PackedAndLists,
    ];
    let ways = [Duplicates::Unchecked, Duplicates::Tree, Duplicates::NarrowTree, Duplicates::Runs];
    let store = Settings::STORE;
    let settings = [
        store,
        Settings { name: "pages of 2 KiB", page_bytes: 2048, ..store },
        Settings { name: "pages of 8 KiB", page_bytes: 8192, ..store },
        Settings { name: "a cache of 64 MiB", cache_kib: 65_536, ..store },
        Settings { name: "256 MiB mapped", mapped_mib: 256, ..store },
        Settings { name: "checkpoints of 16 MiB", checkpoint_mib: 16, ..store },
        Settings { name: "checkpoints of 256 MiB", checkpoint_mib: 256, ..store },
    ];
    let layouts = layouts.map(|it| (it.name(), (it, Duplicates::Unchecked, store)));
    let ways = ways.map(|it| (it.name(), (Layout::Narrow, it, store)));
    let settings = settings.map(|it| (it.name, (Layout::Narrow, Duplicates::Tree, it)));
    [("layouts", layouts.into()), ("duplicates", ways.into()), ("settings", settings.into())]
}

/// What a candidate did in one turn.
struct Turn {
    /// Things a second.
    rate: f64,
    /// Microseconds of processor time for each thing, of both threads and of the system for them.
    cpu: f64,
    /// Pages written to the log for each thing.
    pages: f64,
}

/// Turns by measurement and candidate.
type Turns = BTreeMap<(usize, &'static str), Vec<Vec<Turn>>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scale = Scale::from_arguments(std::env::args().skip(1))?;
    println!("{} rows wait for {} accounts, {} rounds", scale.rows, scale.accounts, scale.rounds);
    for (title, candidates) in studies() {
        if scale.only.as_ref().is_none_or(|only| only == title) {
            study(title, &candidates, &scale).await?;
        }
    }
    Ok(())
}

async fn study(
    title: &str,
    candidates: &[(&str, Plan)],
    scale: &Scale,
) -> Result<(), Box<dyn std::error::Error>> {
    println!("\n## {title}\n");
    let folder = tempfile::TempDir::new_in(&scale.folder)?;
    let mut running = Vec::new();
    for (_, plan) in candidates {
        running.push(Candidate::fill(folder.path(), *plan, scale).await?);
    }
    let mut turns = Turns::new();
    for round in 0..=scale.rounds {
        for (place, candidate) in running.iter_mut().enumerate() {
            let measured = one_round(candidate, scale, round).await?;
            // The first round fills caches.
            for (order, (what, turn)) in measured.into_iter().enumerate().filter(|_| round > 0) {
                let all = turns.entry((order, what)).or_default();
                all.resize_with(candidates.len(), Vec::new);
                all[place].push(turn);
            }
        }
    }
    print_turns(candidates, &turns);
    println!("\n| | start | file |\n|---|---|---|");
    for candidate in running {
        let name = candidate.name();
        let (start, bytes) = candidate.restart().await?;
        println!("| {name} | {} ms | {} MiB |", start.as_millis(), bytes >> 20);
    }
    Ok(())
}

async fn one_round(
    candidate: &mut Candidate,
    scale: &Scale,
    round: usize,
) -> Result<Vec<(&'static str, Turn)>, sqlx::Error> {
    let mut measured = Vec::new();
    for shape in Shape::ALL {
        for accounts in [10_000.min(scale.accounts), scale.accounts] {
            let what = shape.name(accounts > 10_000);
            // The same work for everybody, so that the files stay alike.
            let groups = Traffic::groups(shape, accounts, round);
            let rows = groups.iter().flatten().map(|message| message.sessions.len()).sum();
            let watch = Watch::start(candidate);
            for group in &groups {
                candidate.store(group).await?;
            }
            measured.push((what, watch.stop(rows, candidate)));
            if accounts == scale.accounts {
                break;
            }
        }
    }
    for (names, audience) in [(FOUR, 4), (MANY, 256)] {
        measured.extend(reading(candidate, round, names, audience).await?);
    }
    Ok(measured)
}

/// What is measured of reading, by how many sessions a message has.
const FOUR: [&str; 4] = ["fetch 100 of 4 sessions", "note leases", "acknowledge", "empty fetch"];
const MANY: [&str; 4] =
    ["fetch 100 of 256 sessions", "note leases ", "acknowledge ", "empty fetch "];

/// How often a page is read, so that there is something to measure.
const FETCHES: usize = 10;

/// Pages of 100 to the inboxes of a few busy sessions, from end to end.
async fn reading(
    candidate: &mut Candidate,
    round: usize,
    names: [&'static str; 4],
    audience: usize,
) -> Result<Vec<(&'static str, Turn)>, sqlx::Error> {
    let sessions = Traffic::busy_sessions(round, audience);
    for group in Traffic::for_busy(&sessions, round, audience) {
        candidate.store(&group).await?;
    }
    let watch = Watch::start(candidate);
    let mut pages = Vec::new();
    for _ in 0..FETCHES {
        pages.clear();
        for session in &sessions {
            pages.push((*session, candidate.fetch(*session).await?));
        }
    }
    let rows: usize = pages.iter().map(|(_, numbers)| numbers.len()).sum();
    assert_eq!(rows, sessions.len() * 100, "a page for everybody");
    let mut turns = vec![watch.stop(rows * FETCHES, candidate)];

    let watch = Watch::start(candidate);
    for some in pages.chunks(8) {
        candidate.claim(some).await?;
    }
    turns.push(watch.stop(rows, candidate));
    let watch = Watch::start(candidate);
    for some in pages.chunks(8) {
        candidate.acknowledge(some).await?;
    }
    turns.push(watch.stop(rows, candidate));
    let watch = Watch::start(candidate);
    for session in sessions.iter().cycle().take(1000) {
        assert!(candidate.fetch(*session).await?.is_empty(), "acknowledged");
    }
    turns.push(watch.stop(1000, candidate));
    Ok(names.into_iter().zip(turns).collect())
}

/// What is read off before and after.
struct Watch {
    began: Instant,
    ticks: u64,
    pages: u64,
}

impl Watch {
    fn start(candidate: &mut Candidate) -> Self {
        Self { began: Instant::now(), ticks: ticks(), pages: candidate.pages_written() }
    }

    #[expect(clippy::cast_precision_loss, reason = "figures to look at")]
    fn stop(self, things: usize, candidate: &mut Candidate) -> Turn {
        let (time, things) = (self.began.elapsed(), things as f64);
        let cpu = (ticks() - self.ticks) as f64 * 10_000.0 / things;
        let pages = (candidate.pages_written() - self.pages) as f64 / things;
        Turn { rate: things / time.as_secs_f64(), cpu, pages }
    }
}

/// Processor time of this process in hundredths of a second.
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

fn print_turns(candidates: &[(&str, Plan)], turns: &Turns) {
    let names = candidates.iter().map(|(name, _)| *name);
    println!(
        "| a second; ratio; CPU us, pages for each | {} |",
        names.collect::<Vec<_>>().join(" | ")
    );
    println!("|---|{}", "---|".repeat(candidates.len()));
    for ((_, what), all) in turns {
        let cells = all.iter().map(|own| {
            let rate = median(own.iter().map(|turn| turn.rate));
            let ratio = median(own.iter().zip(&all[0]).map(|(own, first)| own.rate / first.rate));
            let cpu = median(own.iter().map(|turn| turn.cpu));
            let pages = median(own.iter().map(|turn| turn.pages));
            format!("{rate:.0}; {ratio:.2}; {cpu:.1}, {pages:.3}")
        });
        println!("| {what} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
