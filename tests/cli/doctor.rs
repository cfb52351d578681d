//! `doctor`: one line for each check, and what to do.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::world::{Done, Place};

#[test]
fn all_is_well_before_the_first_start_and_nothing_is_made() {
    let place = Place::new();
    let out = place.good(&["doctor"]);
    assert!(out.lines().all(|line| line.starts_with("ok ")), "{out}");
    assert!(!place.path("sealpost-data").exists());
}

#[test]
fn all_is_well_with_a_database_and_with_a_running_gateway() {
    let place = Place::new();
    place.good(&["migrate"]);
    assert!(place.good(&["doctor"]).contains("opens, is up to date, and answers"));
    let served = place.serve();
    let out = place.good(&["doctor"]);
    assert!(out.contains(&format!("process {}", served.pid())), "{out}");
    assert!(out.lines().all(|line| line.starts_with("ok ")), "{out}");
}

#[test]
fn a_directory_that_others_may_read_comes_with_its_remedy() {
    let place = Place::new();
    place.good(&["migrate"]);
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(place.path("sealpost-data"), open).unwrap();
    let done = place.run(&["doctor"]);
    assert_eq!(done.code, 1);
    assert!(done.out.contains("-> close it to others: chmod 700"), "{done:?}");
}

#[test]
fn a_file_that_is_no_database_is_found() {
    let place = Place::new();
    place.good(&["migrate"]);
    fs::write(place.path("sealpost-data/sealpost.db"), "no database".repeat(1000)).unwrap();
    let done = place.run(&["doctor"]);
    assert_eq!(done.code, 1);
    assert!(done.out.contains("fail  database"), "{done:?}");
}

#[test]
fn a_setting_that_cannot_be_used_is_named() {
    let place = Place::new();
    let done = Done::of(place.command(&["doctor"]).env("SEALPOST_LISTEN", "nowhere"));
    assert_eq!(done.code, 1);
    assert!(done.out.contains("SEALPOST_LISTEN"), "{done:?}");
}

#[test]
fn a_variable_that_nobody_reads_is_pointed_out() {
    let place = Place::new();
    let done = Done::of(place.command(&["doctor"]).env("SEALPOST_LISTN", "127.0.0.1:1"));
    assert_eq!(done.code, 0);
    assert!(done.out.contains("SEALPOST_LISTN names no setting"), "{done:?}");
}
