//! The demo, which says how to try it and serves the page when it is kept.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

fn demo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sealpost"));
    command.arg("demo").args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
fn the_demo_ends_by_saying_how_to_try_it() {
    let told = demo(&[]).output().unwrap();
    let story = String::from_utf8(told.stdout).unwrap();
    assert!(told.status.success(), "{story}");
    assert!(story.trim_end().ends_with("cargo run --release -- demo --keep"), "{story}");
}

#[tokio::test]
async fn a_demo_that_is_kept_says_where_the_page_is_and_serves_it() {
    let mut child = demo(&["--keep"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let page = lines.find_map(|line| {
        let word = line.split_whitespace().next().filter(|word| word.ends_with("/try"));
        word.map(ToOwned::to_owned)
    });
    let http = super::http(Vec::new());
    let answer = http.get(page.expect("an address that ends with /try")).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert!(answer.text().await.unwrap().contains("<title>Try it"));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
}
