use bytes::Bytes;

use super::*;
use crate::domain::clock::Timestamp;
use crate::domain::ids::{AccountNumber, SessionId};
use crate::domain::phone::{Device, DeviceNumber, PasswordHash, PushAddress};
use crate::domain::vault::Sealed;

/// A notification for a device: of an endpoint for odd numbers.
pub(in crate::delivery::notifier) fn note(session: i64, envelope: Option<&'static str>) -> Note {
    let kind = if session % 2 == 1 { PushKind::WebPush } else { PushKind::Gcm };
    let address = PushAddress { kind, address: Sealed(Vec::new()) };
    let device = Device {
        session: SessionNumber(session),
        id: SessionId::from_bytes([1; 16]),
        number: DeviceNumber(1),
        password: PasswordHash(String::new()),
        signalling_key: Sealed(Vec::new()),
        registration: 0,
        fetches: false,
        push: Some(address.clone()),
        name: None,
        created_at: Timestamp::default(),
        last_seen_at: None,
    };
    let envelope = envelope.map(|text| Bytes::from_static(text.as_bytes()));
    Note { account: AccountNumber(1), device, address, envelope }
}

fn message(session: i64, text: &'static str) -> Note {
    note(session, Some(text))
}

fn text(note: &Note) -> &str {
    note.envelope.as_ref().map_or("", |text| std::str::from_utf8(text).unwrap())
}

use Lane::{Endpoints, Services};
use Outcome::{Later, NotBefore, Refused, Settled};

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

#[test]
fn one_of_a_device_is_on_its_way_and_devices_take_turns() {
    let (mut lines, now) = (Lines::default(), Instant::now());
    assert_eq!(lines.add(message(1, "a")), Added::Ready(Endpoints));
    assert_eq!(lines.add(message(1, "b")), Added::Waits);
    assert_eq!(lines.add(message(3, "c")), Added::Ready(Endpoints));
    assert_eq!(lines.add(message(2, "other")), Added::Ready(Services));
    let (first, second) = (lines.take(Endpoints).unwrap(), lines.take(Endpoints).unwrap());
    assert_eq!((text(&first), text(&second)), ("a", "c"));
    assert!(lines.take(Endpoints).is_none());
    assert_eq!(text(&lines.take(Services).unwrap()), "other");
    assert_eq!(lines.add(message(3, "d")), Added::Waits);
    assert_eq!(lines.settle(first, Settled, now), Some(Endpoints));
    let third = lines.take(Endpoints).unwrap();
    assert_eq!(text(&third), "b");
    assert_eq!(lines.settle(third, Settled, now), None);
    assert_eq!(lines.settle(second, Settled, now), Some(Endpoints));
    assert_eq!(lines.waiting, 1);
}

#[test]
fn one_wake_up_says_it_all() {
    let mut lines = Lines::default();
    assert_eq!(lines.add(note(1, None)), Added::Ready(Endpoints));
    assert_eq!(lines.add(note(1, None)), Added::Waits);
    assert_eq!(lines.waiting, 1);
    // The first one is on its way and may have been read already.
    let first = lines.take(Endpoints).unwrap();
    assert_eq!(lines.add(note(1, None)), Added::Waits);
    assert_eq!(lines.settle(first, Settled, Instant::now()), Some(Endpoints));
}

#[test]
fn what_fails_once_is_carried_again_as_it_is() {
    let (mut lines, now) = (Lines::default(), Instant::now());
    lines.add(message(1, "a"));
    lines.add(message(1, "b"));
    let first = lines.take(Endpoints).unwrap();
    assert_eq!(lines.settle(first, Later(None), now), None);
    assert_eq!(lines.due(), Some(now + seconds(1)));
    assert!(lines.release(now).is_none() && lines.take(Endpoints).is_none());
    assert_eq!(lines.release(now + seconds(1)), Some(Some(Endpoints)));
    assert_eq!(text(&lines.take(Endpoints).unwrap()), "a");
}

#[test]
fn a_device_that_is_not_reached_is_held_for_longer_and_longer_and_woken_once() {
    let (mut lines, mut now) = (Lines::default(), Instant::now());
    lines.add(message(1, "a"));
    lines.add(message(1, "b"));
    for pause in [30, 60, 120, 240, 480, 960, 1920, 3600] {
        let carried = lines.take(Endpoints).unwrap();
        assert_eq!(lines.settle(carried, Refused, now), None);
        assert_eq!(lines.due(), Some(now + seconds(pause)));
        assert_eq!(lines.add(message(1, "more")), Added::Waits);
        assert_eq!(lines.waiting, 0, "one wake-up, which is not counted");
        now += seconds(pause);
        assert_eq!(lines.release(now), Some(Some(Endpoints)));
    }
    let wake = lines.take(Endpoints).unwrap();
    assert!(wake.envelope.is_none());
    lines.settle(wake, Settled, now);
    assert!(lines.by_device.is_empty() && lines.held.is_empty());
}

#[test]
fn in_the_end_a_device_is_given_up_until_there_is_something_new() {
    let (mut lines, mut now) = (Lines::default(), Instant::now());
    lines.add(message(1, "a"));
    for failures in 1..=MOST_FAILURES {
        let carried = lines.take(Endpoints).unwrap();
        lines.settle(carried, Later(None), now);
        now = lines.due().unwrap();
        let stands = if failures == MOST_FAILURES { None } else { Some(Endpoints) };
        assert_eq!(lines.release(now), Some(stands));
    }
    assert!(lines.by_device.is_empty() && lines.held.is_empty());
    assert_eq!(lines.add(message(1, "b")), Added::Ready(Endpoints));
}

#[test]
fn a_device_that_is_elsewhere_now_is_asked_there_at_once() {
    let (mut lines, now) = (Lines::default(), Instant::now());
    lines.add(message(1, "a"));
    let carried = lines.take(Endpoints).unwrap();
    lines.settle(carried, Refused, now);
    let mut moved = message(1, "b");
    moved.address.address = Sealed(vec![1]);
    assert_eq!(lines.add(moved), Added::Ready(Endpoints));
    assert!(lines.held.is_empty());
    assert_eq!(text(&lines.take(Endpoints).unwrap()), "b");
}

#[test]
fn a_service_may_ask_for_a_longer_pause_but_not_for_any() {
    let (mut lines, now) = (Lines::default(), Instant::now());
    for (device, asked, given) in [(1, 600, 600), (3, 100_000, 3600)] {
        lines.add(message(device, "a"));
        let carried = lines.take(Endpoints).unwrap();
        lines.settle(carried, Later(Some(seconds(asked))), now);
        assert!(lines.held.contains(&(now + seconds(given), SessionNumber(device))));
    }
}

#[test]
fn waiting_for_a_host_is_no_failure() {
    let (mut lines, now) = (Lines::default(), Instant::now());
    lines.add(message(1, "a"));
    for _ in 0..2 * MOST_FAILURES {
        let carried = lines.take(Endpoints).unwrap();
        lines.settle(carried, NotBefore(now + seconds(60)), now);
        assert_eq!(lines.release(now + seconds(60)), Some(Some(Endpoints)));
    }
}

#[test]
fn there_is_an_end_to_what_waits() {
    let mut lines = Lines::default();
    for _ in 0..MOST_OF_A_DEVICE {
        assert_ne!(lines.add(message(0, "x")), Added::Dropped);
    }
    assert_eq!(lines.add(message(0, "x")), Added::Dropped);
    for device in 1.. {
        if lines.waiting == MOST {
            assert_eq!(lines.add(message(device, "x")), Added::Dropped);
            return;
        }
        assert!(matches!(lines.add(message(device, "x")), Added::Ready(_)));
    }
}

#[test]
fn there_is_an_end_to_who_is_held() {
    let (mut lines, now) = (Lines::default(), Instant::now());
    for device in 0..=i64::try_from(MOST).unwrap() {
        let Added::Ready(lane) = lines.add(message(device, "x")) else { panic!("no room") };
        let carried = lines.take(lane).unwrap();
        lines.settle(carried, Refused, now);
    }
    assert_eq!((lines.held.len(), lines.by_device.len(), lines.waiting), (MOST, MOST, 0));
}
