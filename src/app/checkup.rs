//! What `sealpost doctor` looks at: the data directory, the disk, the clock, the database.
//!
//! Every look leaves things as they are.

mod database;
mod exposed;

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::directory::{self, Holder};
use super::listeners;
use super::{Config, settings};
use crate::admin::client::AdminClient;
use crate::admin::types::Status;
use crate::domain::clock::{Clock, SystemClock, Timestamp};
use crate::http::fault_log::chain;
use crate::http::tls::Tls;

/// Below this the database may soon be unable to grow.
const LOW_DISK: u64 = 1 << 30;

/// Below this it is about to fail.
const NO_DISK: u64 = 100 << 20;

/// 2026-01-01: no clock that is right shows less, since this program was written later.
const WRITTEN_AT: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// How far the clock may be behind the database's last change.
const BEHIND: Duration = Duration::from_secs(60);

const CLOCK_ADVICE: &str = "set the clock, best by NTP: tokens and leases depend on it";

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub subject: &'static str,
    /// How it is.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it; empty when all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, and deserves a look.
    Warn,
    /// It does not work.
    Fail,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        })
    }
}

impl Finding {
    /// All is well.
    pub fn ok(subject: &'static str, found: impl Into<String>) -> Self {
        Self { subject, state: State::Ok, found: found.into(), advice: String::new() }
    }

    /// It works; here is what deserves a look.
    pub fn warn(
        subject: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { subject, state: State::Warn, found: found.into(), advice: advice.into() }
    }

    /// It does not work; here is what to do.
    pub fn fail(
        subject: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self { subject, state: State::Fail, found: found.into(), advice: advice.into() }
    }
}

/// Looks at everything that these settings name.
pub async fn examine(config: &Config) -> Vec<Finding> {
    let data = config.storage.data.as_path();
    let mut findings =
        vec![data_directory(data), disk(data), attachments(config, data), clock(config)];
    findings.extend(drop_box_files(config, data));
    findings.extend(certificate(config));
    findings.extend(exposed::look(config));
    findings.extend(gateway(config).await);
    findings
}

fn data_directory(data: &Path) -> Finding {
    const SUBJECT: &str = "data directory";
    let name = data.display();
    let metadata = match fs::metadata(data) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::ok(SUBJECT, format!("{name} does not exist yet; `serve` makes it"));
        }
        Err(error) => {
            return Finding::fail(SUBJECT, format!("{name}: {error}"), "make it readable");
        }
    };
    if !metadata.is_dir() {
        return Finding::fail(SUBJECT, format!("{name} is no directory"), "set --data to one");
    }
    if let Err(error) = tempfile::tempfile_in(data) {
        let advice = format!("let this user write in it: chown \"$USER\" {name}");
        return Finding::fail(SUBJECT, format!("{name} cannot be written: {error}"), advice);
    }
    let mode = metadata.permissions().mode() & 0o777;
    let found = format!("{name}, mode {mode:o}");
    let advice = format!("close it to others: chmod 700 {name}");
    match mode {
        mode if mode & 0o007 != 0 => Finding::fail(SUBJECT, found, advice),
        mode if mode & 0o070 != 0 => Finding::warn(SUBJECT, found, advice),
        _ => Finding::ok(SUBJECT, found),
    }
}

fn disk(data: &Path) -> Finding {
    const SUBJECT: &str = "disk";
    let place = nearest_existing(data);
    let statistics = match rustix::fs::statvfs(&place) {
        Ok(statistics) => statistics,
        Err(error) => {
            let found = format!("{}: {error}", place.display());
            return Finding::warn(SUBJECT, found, "check by hand how much room is left");
        }
    };
    let free = statistics.f_bavail.saturating_mul(statistics.f_frsize);
    let found = format!("{} MiB free for {}", free >> 20, data.display());
    match free {
        free if free < NO_DISK => {
            Finding::fail(SUBJECT, found, "make room, or set --data to another disk")
        }
        free if free < LOW_DISK => Finding::warn(SUBJECT, found, "make room soon"),
        _ => Finding::ok(SUBJECT, found),
    }
}

fn attachments(config: &Config, data: &Path) -> Finding {
    let largest = ("attachments.max_bytes", config.attachments.max_bytes);
    files("attachments", config, &data.join("blobs"), largest)
}

/// The same for drop boxes, where there are any.
fn drop_box_files(config: &Config, data: &Path) -> Option<Finding> {
    let settings = &config.dialects.keyservice;
    let largest = ("dialects.keyservice.file_bytes", settings.file_bytes);
    let look = || files("drop box files", config, &data.join("dropbox-files"), largest);
    settings.enabled.then(look)
}

/// The files for TLS, where there are any.
fn certificate(config: &Config) -> Option<Finding> {
    const SUBJECT: &str = "certificate";
    let files = listeners::tls_files(&config.http)?;
    let found = files.certificate.display().to_string();
    Some(match Tls::open(files) {
        Ok(_) => Finding::ok(SUBJECT, format!("{found} and its key can be used")),
        Err(error) => {
            let advice = "set http.tls_certificate and http.tls_key to PEM files of one pair that \
                          this user may read";
            Finding::fail(SUBJECT, chain(&error), advice)
        }
    })
}

/// A folder of files: whether there is room in it for the largest one, and whether it can be
/// written.
fn files(
    subject: &'static str,
    config: &Config,
    folder: &Path,
    (setting, largest): (&'static str, u64),
) -> Finding {
    let name = folder.display();
    if !folder.exists() {
        return Finding::ok(subject, format!("{name} does not exist yet; `serve` makes it"));
    }
    if let Err(error) = tempfile::tempfile_in(folder) {
        let advice = format!("let this user write in it: chown -R \"$USER\" {name}");
        return Finding::fail(subject, format!("{name} cannot be written: {error}"), advice);
    }
    let free = rustix::fs::statvfs(folder)
        .map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
        .unwrap_or(u64::MAX);
    let keep_free = config.attachments.keep_free_bytes;
    let room = free.saturating_sub(keep_free);
    if room < largest {
        let found = format!(
            "{name} has room for {} MiB beside the {} MiB that are kept free, and one file may \
             have {} MiB",
            room >> 20,
            keep_free >> 20,
            largest >> 20
        );
        return Finding::warn(subject, found, format!("make room, or lower {setting}"));
    }
    Finding::ok(subject, format!("{name} can be written"))
}

/// The path itself or its closest parent that exists.
fn nearest_existing(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = absolute.ancestors().find(|ancestor| ancestor.exists());
    existing.unwrap_or(Path::new("/")).to_owned()
}

fn clock(config: &Config) -> Finding {
    // A server's files, and its clock, are its own.
    let file = (!config.database.is_server()).then_some(&config.storage.data);
    clock_finding(SystemClock.now(), file.and_then(|data| last_change(data)))
}

fn clock_finding(now: Timestamp, last_change: Option<Timestamp>) -> Finding {
    const SUBJECT: &str = "clock";
    if now < WRITTEN_AT {
        return Finding::fail(
            SUBJECT,
            format!("{now} lies before this program was written"),
            CLOCK_ADVICE,
        );
    }
    match last_change {
        Some(change) if now.plus(BEHIND) < change => {
            let found = format!("{now} lies before the database's last change at {change}");
            Finding::fail(SUBJECT, found, CLOCK_ADVICE)
        }
        _ => Finding::ok(SUBJECT, now.to_string()),
    }
}

/// When the database was written to for the last time.
fn last_change(data: &Path) -> Option<Timestamp> {
    let changed = |name: &str| fs::metadata(data.join(name)).and_then(|file| file.modified()).ok();
    let last = changed("sealpost.db").into_iter().chain(changed("sealpost.db-wal")).max()?;
    let since = last.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_micros(i64::try_from(since.as_micros()).ok()?))
}

/// The running gateway, or the database when none runs.
async fn gateway(config: &Config) -> Vec<Finding> {
    let data = &config.storage.data;
    if directory::is_held(data) {
        return running(&directory::read_holder(data)).await;
    }
    let idle = Finding::ok("gateway", "none runs on this data directory");
    let file = data.join("sealpost.db");
    let mut findings = match (config.database.is_server(), file.exists()) {
        (true, true) => vec![Finding::warn(
            "database",
            format!("{} is left alone: database.url names a server", file.display()),
            "if messages wait in it, leave database.url out; nothing is moved from one to the other",
        )],
        (false, false) => {
            return vec![Finding::ok("database", "there is none yet; `serve` makes it"), idle];
        }
        _ => Vec::new(),
    };
    findings.extend(database::at_rest(&settings::database(config, file)).await);
    findings.push(idle);
    findings
}

async fn running(holder: &Holder) -> Vec<Finding> {
    const SUBJECT: &str = "gateway";
    let pid = holder.pid;
    let Some(socket) = &holder.admin_socket else {
        let found = format!("process {pid} works on the data directory");
        return vec![Finding::warn(SUBJECT, found, "try again when it is done")];
    };
    let client = AdminClient::Socket(socket.clone());
    let advice = "look into its log; if it does not recover, restart it";
    let status = match client.get::<Status>("/admin/v1/status").await {
        Ok(status) => status,
        Err(error) => {
            let found = format!("process {pid}: {}", chain(&error));
            return vec![Finding::fail(SUBJECT, found, advice)];
        }
    };
    let ready = client.get::<serde_json::Value>("/readyz").await;
    let gateway = match ready {
        Ok(_) => Finding::ok(SUBJECT, described(pid, &status)),
        Err(error) => {
            let found = format!("process {pid} is not ready: {}", chain(&error));
            Finding::fail(SUBJECT, found, advice)
        }
    };
    let mut findings = database::at_work(&client, &status).await;
    findings.push(gateway);
    findings
}

fn described(pid: u32, status: &Status) -> String {
    let Status { version, uptime_seconds, address, sockets, .. } = status;
    let address = address.as_deref().unwrap_or("no address");
    format!(
        "process {pid}, version {version}, on {address}, ready, up for {uptime_seconds} s, \
         {sockets} sockets open"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_before_this_program_is_wrong() {
        let finding = clock_finding(Timestamp::from_micros(0), None);
        assert_eq!(finding.state, State::Fail);
        assert!(!finding.advice.is_empty());
    }

    #[test]
    fn a_clock_behind_the_database_is_wrong_after_a_minute() {
        let change = WRITTEN_AT.plus(Duration::from_secs(3600));
        let at = |behind| clock_finding(change.minus(Duration::from_secs(behind)), Some(change));
        assert_eq!(at(59).state, State::Ok);
        assert_eq!(at(61).state, State::Fail);
    }

    #[test]
    fn an_open_directory_comes_with_the_command_that_closes_it() -> Result<(), io::Error> {
        let directory = tempfile::tempdir()?;
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        let finding = data_directory(directory.path());
        assert_eq!(finding.state, State::Fail);
        assert!(finding.advice.contains("chmod 700"), "{finding:?}");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700))?;
        assert_eq!(data_directory(directory.path()).state, State::Ok);
        Ok(())
    }

    #[test]
    fn a_disk_without_room_for_an_attachment_deserves_a_look() -> Result<(), io::Error> {
        let data = tempfile::tempdir()?;
        let mut config = Config::default();
        config.attachments.keep_free_bytes = 0;
        config.attachments.max_bytes = 1;
        assert!(attachments(&config, data.path()).found.contains("does not exist yet"));
        fs::create_dir(data.path().join("blobs"))?;
        assert_eq!(attachments(&config, data.path()).state, State::Ok);
        config.attachments.keep_free_bytes = 1 << 50;
        assert_eq!(attachments(&config, data.path()).state, State::Warn);
        Ok(())
    }

    #[test]
    fn room_is_looked_for_where_the_directory_will_be() -> Result<(), io::Error> {
        let parent = tempfile::tempdir()?;
        assert_eq!(nearest_existing(&parent.path().join("a/b")), parent.path());
        assert_ne!(disk(&parent.path().join("a/b")).found, "");
        Ok(())
    }
}
