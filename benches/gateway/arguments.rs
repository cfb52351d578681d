//! What the person at the shell asks for.

use std::path::PathBuf;

use clap::ValueEnum;

use super::crowd::Size;
use super::store::Server;

/// The parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Accepting messages, beside the floors.
    Accept,
    /// Fetching and acknowledging.
    Read,
    /// Delivery over sockets.
    Sockets,
    /// Half of what is possible, and twice as much.
    Pressure,
    /// Few and many rows and accounts.
    Growth,
    /// Looking into an empty inbox, before and after many deliveries.
    Delivered,
    /// HushNet's members.
    Members,
    /// The key service's drop boxes.
    DropBoxes,
}

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Database {
    /// The embedded one.
    Sqlite,
    /// A server.
    Postgres,
}

/// Measures the gateway beside what HTTP and the database cost alone, in one run
#[derive(Debug, clap::Parser)]
pub struct Arguments {
    /// Write the tables into BENCHMARKS.md too
    #[arg(long)]
    pub write: bool,
    /// Every number of connections, messages and sessions
    #[arg(long)]
    pub full: bool,
    /// Rounds of each measurement
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// How much a round has to do, compared with about a second's work
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,
    /// Rows that wait in the large database of the part `growth`: 10,000,000 with --write, else
    /// 200,000
    #[arg(long)]
    pub rows: Option<usize>,
    /// Accounts in it, and further members of the part `members`: 1,000,000 with --write, else
    /// 50,000
    #[arg(long)]
    pub accounts: Option<usize>,
    /// Deliveries of the parts `delivered` and `members`: 1,000,000 with --write, else 50,000
    #[arg(long)]
    pub deliveries: Option<usize>,
    /// Only these parts
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<Part>,
    /// Only the shape of this name's beginning, such as `16 × 100 × 4`
    #[arg(long)]
    pub shape: Option<String>,
    /// Which databases; both, unless there is no server
    #[arg(long, value_delimiter = ',')]
    pub database: Vec<Database>,
    /// A PostgreSQL server that is there for the benchmark alone: the URL of any database on it
    #[arg(long, requires = "postgres_process")]
    pub postgres: Option<String>,
    /// The server's first process, whose children's work is counted
    #[arg(long)]
    pub postgres_process: Option<u32>,
    /// Another build of the gateway, to be measured in place of this one
    #[arg(long)]
    pub program: Option<PathBuf>,
    /// Where databases are made
    #[arg(long)]
    pub folder: Option<PathBuf>,
    /// `cargo bench` says this to every benchmark
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Arguments {
    /// The parts that are asked for, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part> {
        let wanted = |part: &Part| self.only.is_empty() || self.only.contains(part);
        Part::value_variants().iter().copied().filter(wanted)
    }

    /// How large the large database is.
    pub fn size(&self) -> Size {
        let (rows, accounts) = if self.write { (10_000_000, 1_000_000) } else { (200_000, 50_000) };
        Size { rows: self.rows.unwrap_or(rows), accounts: self.accounts.unwrap_or(accounts) }
    }

    /// How much is delivered before an empty fetch is looked at again.
    pub fn deliveries(&self) -> usize {
        self.deliveries.unwrap_or(if self.write { 1_000_000 } else { 50_000 })
    }

    /// The databases that are asked for: the file, and the server.
    pub fn databases(&self) -> Vec<Option<Server>> {
        let wanted = |one| self.database.is_empty() || self.database.contains(&one);
        let server = self.postgres.clone().zip(self.postgres_process);
        let server = server.map(|(url, process)| Server::of(&url, process));
        let file = wanted(Database::Sqlite).then_some(None);
        file.into_iter().chain(server.filter(|_| wanted(Database::Postgres)).map(Some)).collect()
    }
}
