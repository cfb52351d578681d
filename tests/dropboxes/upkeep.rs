//! What is over goes, whatever stands in the way of some of it.

use std::time::Duration;

use sealpost::domain::Fault;
use sealpost::domain::dropbox::depot::NewLetter;
use sealpost::domain::dropbox::{AfterReading, DropId, Version};
use sealpost::domain::ids::AttachmentId;

use super::{ALL, Scene, file, from, letter, text, two};

/// Longer than a letter waits, and a file without a message.
const LONG: Duration = Duration::from_secs(90 * 24 * 60 * 60);

#[tokio::test]
async fn a_file_that_cannot_be_removed_stops_nothing_else() {
    let scene = Scene::new();
    let left: DropId = scene.depot.leave_letter(letter()).await.unwrap().id;
    for _ in 0..6 {
        let stored = scene.receives(from(1), vec![1; 10]).await.unwrap();
        scene.disk.stuck.lock().unwrap().insert(stored.id);
    }
    for _ in 0..6 {
        scene.receives(from(1), vec![1; 10]).await.unwrap();
    }
    scene.clock.advance(LONG);
    // As few at a time as there are files in the way.
    for _ in 0..10 {
        let swept = scene.depot.sweep(6).await;
        assert!(matches!(swept, Err(Fault::Unavailable { .. })), "{swept:?}");
    }
    assert_eq!(scene.disk.files.lock().unwrap().len(), 6);
    let store = &scene.depot.gateway().store;
    assert_eq!(store.drop_bytes().await.unwrap(), 0, "the letter {left} is gone");
    scene.disk.stuck.lock().unwrap().clear();
    while scene.depot.sweep(6).await.unwrap() {}
    assert!(scene.disk.files.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_stray_that_cannot_be_removed_stays_alone() {
    let scene = Scene::new();
    let strays = [1, 2, 3].map(|n| AttachmentId::from_bytes([n; 16]));
    scene.disk.files.lock().unwrap().extend(strays.map(|id| (id, Vec::new())));
    scene.disk.stuck.lock().unwrap().insert(strays[0]);
    assert!(scene.depot.remove_strays(0).await.is_err());
    let left: Vec<_> = scene.disk.files.lock().unwrap().keys().copied().collect();
    assert_eq!(left, strays[..1]);
}

#[tokio::test]
async fn letting_go_of_a_file_that_something_keeps_does_nothing() {
    let scene = Scene::new();
    let owned = scene.make(two(), AfterReading::default()).await.unwrap();
    let mut files = Vec::new();
    for _ in 0..3 {
        files.push(scene.receives(from(1), vec![1; 10]).await.unwrap());
    }
    scene.depot.put(&owned, from(1), vec![text(10), file(files[0])]).await.unwrap();
    let with_file = NewLetter { version: Version::One, file: Some(files[1]), ..letter() };
    scene.depot.leave_letter(with_file).await.unwrap();
    for stored in &files {
        scene.depot.abandon(*stored).await.unwrap();
    }
    while scene.depot.sweep(100).await.unwrap() {}
    assert!(scene.depot.bytes(files[0]).await.is_ok());
    assert!(scene.depot.bytes(files[1]).await.is_ok());
    assert!(scene.depot.bytes(files[2]).await.is_err());
    assert_eq!(scene.depot.read(&owned, ALL).await.unwrap().messages.len(), 2);
}

#[tokio::test]
async fn a_large_box_is_swept_in_small_steps_and_at_once() {
    let scene = Scene::new();
    let owned = scene.make(two(), AfterReading::default()).await.unwrap();
    for _ in 0..9 {
        let drops = (0..10).map(|_| text(10)).collect();
        scene.depot.put(&owned, from(1), drops).await.unwrap();
    }
    scene.clock.advance(LONG);
    assert!(scene.depot.sweep(60).await.unwrap(), "there is more");
    assert!(!scene.depot.sweep(60).await.unwrap());
    assert_eq!(scene.depot.gateway().store.drop_bytes().await.unwrap(), 0);
}
