//! What a gateway costs before anybody uses it.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::program::Program;

/// From the start of the process to the line that says it is ready.
const READY_WITHIN: Duration = Duration::from_secs(1);

/// Memory that an idle gateway has for itself, in KiB. Pages of the program's own file are not among
/// it: they can be had again at any time, and a build without optimisation has twice as many.
const IDLE_MEMORY: u64 = 20 * 1024;

#[test]
fn a_gateway_is_ready_within_a_second_and_idles_in_little_memory() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = |number: u32| {
        let data = folder.path().join(number.to_string());
        let before = Instant::now();
        let gateway = Program::serve(&data);
        let took = before.elapsed();
        // It serves, and does not only say that it is about to.
        ask(gateway.address());
        let memory = own_memory(gateway.process_id());
        gateway.stop();
        (took, memory)
    };
    // Other tests run beside this one, so the best of some starts counts.
    let starts: Vec<_> = (0..5).map(start).collect();
    let fastest = starts.iter().map(|(took, _)| *took).min().expect("some starts");
    let smallest = starts.iter().map(|(_, memory)| *memory).min().expect("some starts");
    assert!(fastest < READY_WITHIN, "ready after {fastest:?} at best");
    assert!(smallest < IDLE_MEMORY, "{smallest} KiB at best");
}

fn ask(address: SocketAddr) {
    let mut connection = TcpStream::connect(address).expect("a gateway that listens");
    let request = "GET /healthz HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).expect("a gateway that reads");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("a gateway that answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Resident memory of a process that no file holds, in KiB, as Linux counts it.
fn own_memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    kib.expect("Linux says how much memory a process has")
}
