//! Sockets whose clients are gone leave nothing open. `scripts/prove.sh hushnet` drops two thousand.

use std::io::Write as _;
use std::time::{Duration, Instant};

use axum::http::Method;
use serde_json::Value;

use super::running::Running;
use crate::sockets::raise_file_limit;

/// Connections to the database, which come when there is something to do.
const OTHERS: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hn57_sockets_that_are_dropped_give_their_files_back() {
    let count = std::env::var("SEALPOST_HUSHNET_SOCKETS").ok();
    let count = count.map_or(100, |text| text.parse().expect("SEALPOST_HUSHNET_SOCKETS"));
    raise_file_limit(count as u64 + 500);
    let gateway = Running::start();
    let process = gateway.program.process_id();
    let mut member = gateway.member("anna").await;
    assert_eq!(member.ask(Method::GET, "/chats", &Value::Null).await.0, 200);
    let before = open_files(process);
    let mut sockets = Vec::new();
    for _ in 0..count {
        sockets.push(member.listen().await);
    }
    let open = open_files(process);
    assert!(open >= before + count, "{open} files are open, and {before} before");
    let dropped = Instant::now();
    drop(sockets);
    loop {
        let left = open_files(process);
        let took = dropped.elapsed();
        if left <= before + OTHERS {
            let _ = writeln!(
                std::io::stderr(),
                "{count} sockets: {before} files before, {open} with them, {left} after {took:.1?}"
            );
            break;
        }
        assert!(took < Duration::from_secs(60), "{left} files are open, and {before} before");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    gateway.program.stop();
}

/// How many files a process has open.
fn open_files(process: u32) -> usize {
    std::fs::read_dir(format!("/proc/{process}/fd")).expect("a running process").count()
}
