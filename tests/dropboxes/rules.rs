//! Who may do what, how often, and what becomes of a box that was read.

use std::time::Duration;

use sealpost::domain::Fault;
use sealpost::domain::dropbox::depot::{Drop, Stretch};
use sealpost::domain::dropbox::{AfterReading, BoxToken, DropBox, DropBoxPolicy, Room};

use super::{ALL, START, Scene, file, from, letter, one, text, two};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The box goes, its messages need not.
const GOES: AfterReading = AfterReading { messages_go: false, box_goes: true };

impl Scene {
    async fn reads(&self, owned: &DropBox) -> usize {
        self.depot.read(owned, ALL).await.unwrap().messages.len()
    }

    async fn gets(&self, to: &DropBox) {
        self.depot.put(to, from(1), vec![text(10)]).await.unwrap();
    }
}

#[tokio::test]
async fn looking_into_an_empty_box_ends_none() {
    let scene = Scene::new();
    for token in [one(), two()] {
        let owned = scene.make(token, GOES).await.unwrap();
        assert_eq!(scene.reads(&owned).await, 0);
        let beyond = Stretch { after: 99, ..ALL };
        assert!(scene.depot.read(&owned, beyond).await.unwrap().messages.is_empty());
        scene.gets(&owned).await;
        assert_eq!(scene.reads(&owned).await, 1);
    }
}

#[tokio::test]
async fn a_box_of_version_1_that_goes_has_one_reader_and_is_gone_at_once() {
    let scene = Scene::new();
    let owned = scene.make(one(), GOES).await.unwrap();
    let stored = scene.receives(from(1), vec![1; 64]).await.unwrap();
    scene.depot.put(&owned, from(1), vec![text(10), file(stored)]).await.unwrap();
    let (first, second) = tokio::join!(scene.reads(&owned), scene.reads(&owned));
    assert_eq!(first + second, 2);
    assert!(matches!(scene.depot.drop_box(&one()).await, Err(Fault::NotFound { .. })));
    let late = scene.depot.put(&owned, from(1), vec![text(10)]).await;
    assert!(matches!(late, Err(Fault::NotFound { .. })));
    while scene.depot.sweep(100).await.unwrap() {}
    assert!(scene.depot.bytes(stored).await.is_ok());
    scene.clock.advance(Duration::from_secs(60 * 60));
    while scene.depot.sweep(100).await.unwrap() {}
    assert!(matches!(scene.depot.bytes(stored).await, Err(Fault::NotFound { .. })));
}

#[tokio::test]
async fn a_box_of_version_2_that_goes_is_there_for_another_hour() {
    let scene = Scene::new();
    let owned = scene.make(two(), GOES).await.unwrap();
    scene.gets(&owned).await;
    assert_eq!(scene.reads(&owned).await, 1);
    let late = scene.depot.put(&owned, from(1), vec![text(10)]).await;
    assert!(matches!(late, Err(Fault::Forbidden { .. })));
    assert_eq!(scene.reads(&owned).await, 1);
    scene.clock.advance(Duration::from_secs(60 * 60));
    assert!(matches!(scene.depot.drop_box(&two()).await, Err(Fault::NotFound { .. })));
}

#[tokio::test]
async fn who_is_wrong_is_stopped_and_who_is_right_never() {
    let scene = Scene::new();
    let owned = scene.make(two(), AfterReading::default()).await.unwrap();
    let tries = async |is_right: bool, last| {
        scene.depot.owned(&two(), from(last), |_| is_right.then_some(())).await
    };
    for _ in 0..100 {
        assert_eq!(tries(true, 1).await.unwrap().0.number, owned.number);
    }
    for _ in 0..10 {
        assert!(matches!(tries(false, 1).await, Err(Fault::NotFound { .. })));
    }
    assert!(matches!(tries(true, 1).await, Err(Fault::RateLimited { .. })));
    tries(true, 2).await.unwrap();
}

#[tokio::test]
async fn a_full_box_says_of_what_it_is_full() {
    let room = Room { messages: 2, bytes: 25 };
    let scene = Scene::with(DropBoxPolicy { room, ..DropBoxPolicy::default() });
    let owned = scene.make(two(), AfterReading::default()).await.unwrap();
    let refused = async |drops: Vec<Drop>| {
        scene.depot.put(&owned, from(1), drops).await.map(drop).unwrap_err().to_string()
    };
    let bytes = "this drop box is full: the number of bytes in it is 26, the limit is 25";
    assert_eq!(refused(vec![text(30)]).await, bytes);
    scene.gets(&owned).await;
    scene.gets(&owned).await;
    let messages = "this drop box is full: the number of messages in it is 3, the limit is 2";
    assert_eq!(refused(vec![text(10)]).await, messages);
}

#[tokio::test]
async fn all_boxes_together_have_so_much_room() {
    let scene = Scene::with(DropBoxPolicy { total_bytes: 4096, ..DropBoxPolicy::default() });
    let owned = scene.make(two(), AfterReading::default()).await.unwrap();
    scene.depot.put(&owned, from(1), vec![text(2048)]).await.unwrap();
    let full =
        "all drop boxes here are full: the number of bytes in them is 4097, the limit is 4096";
    let refused = [
        scene.depot.put(&owned, from(1), vec![text(1025)]).await.map(drop),
        scene.receives(from(1), vec![1; 2048]).await.map(drop),
        scene.depot.leave_letter(letter()).await.map(drop),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().to_string(), full);
    }
    scene.make(one(), AfterReading::default()).await.unwrap();
    let third = scene.make(BoxToken::two([3; 16]), AfterReading::default()).await;
    assert_eq!(third.map(drop).unwrap_err().to_string(), full);
    scene.depot.delete_box(&owned).await.unwrap();
    scene.depot.sweep(100).await.unwrap();
    scene.clock.advance(Duration::from_secs(5 * 60));
    scene.depot.sweep(100).await.unwrap();
    scene.depot.leave_letter(letter()).await.unwrap();
}

#[tokio::test]
async fn a_file_that_breaks_off_takes_no_room() {
    let scene = Scene::with(DropBoxPolicy { total_bytes: 4096, ..DropBoxPolicy::default() });
    for _ in 0..3 {
        assert!(scene.receives(from(1), vec![1; 5000]).await.is_err());
    }
    scene.receives(from(1), vec![1; 4096]).await.unwrap();
}

#[tokio::test]
async fn one_network_leaves_so_many_bytes_in_a_minute() {
    let policy = DropBoxPolicy { bytes_per_minute_for_network: 4096, ..DropBoxPolicy::default() };
    let scene = Scene::with(policy);
    let owned = scene.make(two(), AfterReading::default()).await.unwrap();
    scene.receives(from(1), vec![1; 3072]).await.unwrap();
    scene.depot.put(&owned, from(1), vec![text(1024)]).await.unwrap();
    let refused = scene.receives(from(1), vec![1; 1]).await;
    assert!(matches!(refused, Err(Fault::RateLimited { .. })), "{refused:?}");
    let refused = scene.depot.put(&owned, from(1), vec![text(10)]).await;
    assert!(matches!(refused, Err(Fault::RateLimited { .. })));
    scene.receives(from(2), vec![1; 4096]).await.unwrap();
    scene.receives(None, vec![1; 10 * 4096]).await.unwrap();
}

#[test]
fn a_box_locks_no_further_from_now_than_it_may() {
    let scene = Scene::new();
    let furthest = START.plus(3660 * DAY);
    let after = furthest.plus(Duration::from_micros(1));
    scene.depot.times(Some(furthest), Some(furthest)).unwrap();
    let late = scene.depot.times(Some(furthest), None).unwrap();
    assert_eq!(late.lock_at, furthest.plus(30 * DAY), "open for as long as any");
    for (release_at, lock_at, field) in [
        (Some(after), None, "releasedate"),
        (None, Some(after), "lockdate"),
        (None, Some(START), "lockdate"),
    ] {
        let refused = scene.depot.times(release_at, lock_at).unwrap_err().to_string();
        assert!(refused.starts_with(&format!("{field}: ")), "{refused}");
    }
}
