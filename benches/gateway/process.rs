//! A program that is measured from outside: how much processor time and memory it took.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// What a program says when it is ready, before its address.
pub const READY: &str = "sealpost listening on http://";

/// Ticks of `/proc` in a second, on every system that we measure on.
pub const TICKS: f64 = 100.0;

/// A program of ours that listens somewhere.
pub struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts a program and waits until it says where it listens; what it complains about goes
    /// into `log`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let errors = fs::File::options().create(true).append(true).open(log);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors.expect("a file for the log"))
            .spawn()
            .expect("the program starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("the output is piped");
        BufReader::new(output).read_line(&mut line).expect("the program says something");
        let address = line.trim_end().strip_prefix(READY).and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| {
            let log = fs::read_to_string(log).unwrap_or_default();
            panic!("the program said {line:?} where its address was expected; its log:\n{log}")
        });
        Self { child, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Seconds of processor time that it has taken.
    pub fn cpu(&self) -> f64 {
        cpu_of(self.id())
    }

    /// The most memory that it had, in MiB.
    pub fn peak_memory(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        kilobytes.unwrap_or_default() / 1024.0
    }

    /// Asks it to end, and insists that it does so in good order.
    pub fn stop(mut self) {
        let process = i32::try_from(self.id()).ok().and_then(Pid::from_raw);
        let process = process.expect("a process has a number above 0");
        kill_process(process, Signal::TERM).expect("the child is there until it is waited for");
        let status = self.child.wait().expect("the child was started here");
        assert!(status.success(), "the program ended with {status}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // After a failure; a program that was stopped is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Seconds of processor time that a process has taken; 0 when there is none.
pub fn cpu_of(process: u32) -> f64 {
    ticks(process, &[13, 14])
}

/// The same of this process.
pub fn own_cpu() -> f64 {
    cpu_of(std::process::id())
}

/// The same of a process, of its children, and of those of them that have ended.
pub fn cpu_of_family(parent: u32) -> f64 {
    ticks(parent, &[13, 14, 15, 16]) + children(parent).into_iter().map(cpu_of).sum::<f64>()
}

/// The processes that a process has started.
pub fn children(parent: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
    let children = children.unwrap_or_default();
    children.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// A count of bytes from `/proc/…/io`, by its name in proc(5); 0 when there is none.
pub fn transferred(process: u32, name: &str) -> f64 {
    let counts = fs::read_to_string(format!("/proc/{process}/io")).unwrap_or_default();
    let count = counts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    count.and_then(|count| count.trim().parse().ok()).unwrap_or_default()
}

/// The sum of some fields of `/proc/…/stat`, counted from 0 as proc(5) counts from 1.
fn ticks(process: u32, fields: &[usize]) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name in brackets may hold anything; the third field comes after it.
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0.0 };
    let values: Vec<&str> = rest.split_whitespace().collect();
    let field = |place: &usize| values.get(place - 2)?.parse::<f64>().ok();
    fields.iter().filter_map(field).sum::<f64>() / TICKS
}
