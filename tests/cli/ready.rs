//! `ready`: what a health check asks.

use super::world::Place;

#[test]
fn without_a_gateway_nothing_is_ready_and_nothing_is_made() {
    let place = Place::new();
    let done = place.run(&["ready"]);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    assert!(done.err.contains("no gateway serves the data directory"), "{done:?}");
    assert!(!place.path("sealpost-data").exists());
}

#[test]
fn a_gateway_is_ready_until_it_stops() {
    let place = Place::new();
    let served = place.serve();
    assert_eq!(place.good(&["ready"]), "ready\n");
    served.stop("TERM");
    assert_eq!(place.run(&["ready"]).code, 1);
}

#[test]
fn a_gateway_that_was_killed_is_not_ready() {
    let place = Place::new();
    place.serve().stop("KILL");
    let done = place.run(&["ready"]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("nobody answers at"), "{done:?}");
}
