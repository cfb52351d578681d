//! Where the time of a load goes: processors, what is read and written, and what everybody waited
//! for.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::query_scalar;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::numbers::float;
use super::postgres_floor::open;
use super::process::{Process, children, own_cpu, transferred};
use super::store::Copy;

/// What a load took; bytes and seconds.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    pub gateway: f64,
    pub server: f64,
    pub clients: f64,
    /// Seconds that processors had nothing to do, and those of them in which somebody waited for
    /// the disk.
    pub idle: f64,
    pub disk_wait: f64,
    /// What the gateway and the server asked the system for because they did not have it at hand,
    /// and how much of that the system had to get from the disk.
    pub read: f64,
    pub read_from_disk: f64,
    /// What they wrote, and how much of that went to the log.
    pub written: f64,
    pub log: f64,
}

/// A reading of everything at one moment.
struct Reading {
    usage: Usage,
    log: Log,
}

/// How to find out what goes to the log.
enum Log {
    /// The server says how long its log is.
    Server(f64),
    /// The log of a file begins anew now and then, so somebody has to keep an eye on it.
    File(oneshot::Sender<()>, JoinHandle<u64>),
}

/// Between a start and an end.
pub struct Meter<'a> {
    process: &'a Process,
    copy: &'a Copy,
    start: Reading,
}

impl<'a> Meter<'a> {
    /// Starts.
    pub async fn start(process: &'a Process, copy: &'a Copy) -> Self {
        let log = match copy.url() {
            Some(url) => Log::Server(server_log(&url).await),
            None => watch(copy.database()),
        };
        let usage = reading(process, copy);
        Self { process, copy, start: Reading { usage, log } }
    }

    /// Ends; what was taken since the start.
    pub async fn stop(self) -> Usage {
        let (now, before) = (reading(self.process, self.copy), self.start.usage);
        let log = match self.start.log {
            Log::Server(before) => {
                server_log(&self.copy.url().expect("a server has a URL")).await - before
            }
            Log::File(stop, watch) => {
                // It is there as long as nobody told it to stop.
                let _ = stop.send(());
                let pages = watch.await.expect("the watch does not panic");
                float(usize::try_from(pages).expect("a small number")) * 4096.0
            }
        };
        // A process of the server's may have ended with its part.
        let since = |of: fn(&Usage) -> f64| (of(&now) - of(&before)).max(0.0);
        Usage {
            gateway: since(|it| it.gateway),
            server: since(|it| it.server),
            clients: since(|it| it.clients),
            idle: since(|it| it.idle),
            disk_wait: since(|it| it.disk_wait),
            read: since(|it| it.read),
            read_from_disk: since(|it| it.read_from_disk),
            written: since(|it| it.written),
            log,
        }
    }
}

fn reading(process: &Process, copy: &Copy) -> Usage {
    let mut all = vec![process.id()];
    all.extend(copy.server_process().into_iter().flat_map(children));
    let sum = |name| all.iter().map(|process| transferred(*process, name)).sum();
    let (idle, disk_wait) = machine();
    Usage {
        gateway: process.cpu(),
        server: copy.server_cpu(),
        clients: own_cpu(),
        idle,
        disk_wait,
        read: sum("rchar"),
        read_from_disk: sum("read_bytes"),
        written: sum("write_bytes"),
        log: 0.0,
    }
}

/// Seconds in which the processors had nothing to do, and those in which somebody waited for the
/// disk meanwhile.
fn machine() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let field = |place| line.split_whitespace().nth(place)?.parse::<f64>().ok();
    let seconds = |place| field(place).unwrap_or_default() / super::process::TICKS;
    let (idle, disk_wait) = (seconds(4), seconds(5));
    (idle + disk_wait, disk_wait)
}

async fn server_log(url: &str) -> f64 {
    let place = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8";
    let place = query_scalar(place).fetch_one(&mut open(url).await).await;
    place.expect("the server knows its log")
}

/// How often the log of a file is looked at. What goes to its end between the last look and a new
/// beginning is missed.
const LOOK: Duration = Duration::from_millis(20);

fn watch(database: PathBuf) -> Log {
    let (stop, mut stopped) = oneshot::channel();
    let mut before = log_place(&database);
    let watch = tokio::spawn(async move {
        let mut pages = 0;
        loop {
            let end = tokio::time::timeout_at((Instant::now() + LOOK).into(), &mut stopped).await;
            let now = log_place(&database);
            let begun_anew = now.0 != before.0;
            pages += if begun_anew { now.1 } else { now.1.saturating_sub(before.1) };
            before = now;
            if end.is_ok() {
                return pages;
            }
        }
    });
    Log::File(stop, watch)
}

/// How often the log of a file was begun, and how many pages it holds: both from the files that
/// SQLite keeps beside the database, whose formats it documents.
fn log_place(database: &Path) -> (u32, u64) {
    let beside = |suffix| PathBuf::from(format!("{}{suffix}", database.display()));
    let begun = number_at(&beside("-wal"), 12).map_or(0, u32::from_be_bytes);
    let pages = number_at(&beside("-shm"), 16).map_or(0, u32::from_ne_bytes);
    (begun, pages.into())
}

fn number_at(file: &Path, place: u64) -> Option<[u8; 4]> {
    let mut file = File::open(file).ok()?;
    file.seek(SeekFrom::Start(place)).ok()?;
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes).ok()?;
    Some(bytes)
}
