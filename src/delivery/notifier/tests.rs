//! Carriers that do not do what they should, with a time that the test holds.

use std::collections::HashSet;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::lines::tests::note;
use super::*;

/// Where a device's notifications go, and what becomes of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Habit {
    /// They are taken.
    Good,
    /// Nobody ever answers.
    Silent,
    /// Whoever carries them comes to grief.
    Panics,
}

struct Scripted {
    habits: Vec<(i64, Habit)>,
    asked: UnboundedSender<i64>,
}

#[async_trait]
impl Carrier for Scripted {
    fn host(&self, note: &Note) -> Option<String> {
        let session = note.device.session.0;
        (session % 2 == 1).then(|| format!("{session}.example"))
    }

    async fn carry(&self, note: Note) -> Result<Pushed, Fault> {
        let session = note.device.session.0;
        self.asked.send(session).unwrap();
        let habit = self.habits.iter().find(|(device, _)| *device == session);
        match habit.map_or(Habit::Good, |(_, habit)| *habit) {
            Habit::Good => Ok(Pushed::Taken),
            Habit::Silent => std::future::pending().await,
            Habit::Panics => panic!("a bug"),
        }
    }
}

fn start(habits: Vec<(i64, Habit)>) -> (Arc<Notifier>, UnboundedReceiver<i64>) {
    let notifier = Arc::new(Notifier::new(Arc::new(Hub::default())));
    let (asked, told) = unbounded_channel();
    let carrier = Arc::new(Scripted { habits, asked });
    tokio::spawn(notifier.clone().run(carrier));
    (notifier, told)
}

/// Odd numbers are endpoints.
fn silent_endpoints(count: i64) -> Vec<(i64, Habit)> {
    (0..count).map(|number| (2 * number + 1, Habit::Silent)).collect()
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_never_answer_hold_up_no_service() {
    let silent = silent_endpoints(100);
    let (notifier, mut asked) = start(silent.clone());
    silent.iter().for_each(|(device, _)| notifier.add(note(*device, Some("x"))));
    let begun = Instant::now();
    notifier.add(note(2, Some("x")));
    while asked.recv().await != Some(2) {}
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_seventeenth_endpoint_is_asked_when_sixteen_never_answer() {
    let silent = silent_endpoints(16);
    let (notifier, mut asked) = start(silent.clone());
    silent.iter().for_each(|(device, _)| notifier.add(note(*device, Some("x"))));
    notifier.add(note(1001, Some("x")));
    let begun = Instant::now();
    while asked.recv().await != Some(1001) {}
    assert!(begun.elapsed() <= 2 * PATIENCE + Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_never_answers_is_asked_less_and_less() {
    let (notifier, mut asked) = start(silent_endpoints(1));
    let ended = Instant::now() + Duration::from_secs(3600);
    let mut times = 0;
    notifier.add(note(1, Some("x")));
    while let Ok(Some(_)) = tokio::time::timeout_at(ended, asked.recv()).await {
        times += 1;
        // Messages go on coming.
        (0..100).for_each(|_| notifier.add(note(1, Some("x"))));
    }
    assert!((5..=9).contains(&times), "{times}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_stops_nobody() {
    let panics: Vec<_> = (1..=40).map(|device| (device, Habit::Panics)).collect();
    let (notifier, mut asked) = start(panics.clone());
    panics.iter().for_each(|(device, _)| notifier.add(note(*device, Some("x"))));
    let good = [100, 101];
    good.iter().for_each(|device| notifier.add(note(*device, Some("x"))));
    let mut told = HashSet::new();
    while !good.iter().all(|device| told.contains(device)) {
        told.insert(asked.recv().await.unwrap());
    }
    // The device itself is asked again.
    while asked.recv().await != Some(1) {}
}
