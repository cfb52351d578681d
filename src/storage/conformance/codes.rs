//! Stories about codes.

use futures_util::future::join_all;

use super::phone_scene::{
    DAY, code_try, code_use, is_forbidden, new_code, new_device, new_phone, number, sealed,
};
use super::scene::{START, Scene, at};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::phone::{CodePurpose, NewCode, NewPhone, OutboxCode, PendingCode, Transport};

/// How often a code may be tried.
const MOST: u32 = 3;

impl Scene {
    async fn try_code(&self, n: u16, now: Timestamp) -> Option<PendingCode> {
        self.store.try_code(code_try(CodePurpose::Register, n, now, MOST)).await.unwrap()
    }

    async fn put_code(&self, n: u16, code: u16) {
        self.store.put_code(new_code(CodePurpose::Register, n, code)).await.unwrap();
    }
}

pub(super) async fn a_code_is_tried_so_often(scene: Scene) {
    scene.put_code(1, 7).await;
    for attempts in 1..=MOST {
        let tried = scene.try_code(1, START).await;
        assert_eq!(tried, Some(PendingCode { code: sealed(7), attempts }));
    }
    for _ in 0..2 {
        assert_eq!(scene.try_code(1, START).await, None);
    }
    assert_eq!(scene.try_code(2, START).await, None, "another number");
    let other = scene.store.try_code(code_try(CodePurpose::Link, 1, START, MOST)).await.unwrap();
    assert_eq!(other, None, "another purpose");
}

pub(super) async fn a_code_ends_with_its_time(scene: Scene) {
    scene.put_code(1, 7).await;
    assert!(scene.try_code(1, at(899)).await.is_some());
    assert_eq!(scene.try_code(1, at(900)).await, None);
}

pub(super) async fn a_new_code_takes_the_place_of_the_old_one(scene: Scene) {
    scene.put_code(1, 7).await;
    scene.store.put_code(new_code(CodePurpose::Link, 1, 9)).await.unwrap();
    for _ in 0..MOST {
        scene.try_code(1, START).await;
    }
    scene.put_code(1, 8).await;
    let tried = scene.try_code(1, START).await;
    assert_eq!(tried, Some(PendingCode { code: sealed(8), attempts: 1 }));
    let other = scene.store.try_code(code_try(CodePurpose::Link, 1, START, MOST)).await.unwrap();
    assert_eq!(other, Some(PendingCode { code: sealed(9), attempts: 1 }));
}

pub(super) async fn tries_at_once_are_all_counted(scene: Scene) {
    scene.put_code(1, 7).await;
    let tried = join_all((0..16).map(|_| scene.try_code(1, START))).await;
    let mut attempts: Vec<u32> = tried.into_iter().flatten().map(|it| it.attempts).collect();
    attempts.sort_unstable();
    assert_eq!(attempts, [1, 2, 3]);
}

pub(super) async fn the_operator_sees_what_there_is_to_hand_over(scene: Scene) {
    let waiting = |n: u16, transport, seconds| NewCode {
        outbox: Some(transport),
        created_at: at(seconds),
        expires_at: at(seconds + 100),
        ..new_code(CodePurpose::Register, n, n)
    };
    scene.store.put_code(waiting(1, Transport::Voice, 20)).await.unwrap();
    scene.store.put_code(waiting(2, Transport::Sms, 10)).await.unwrap();
    scene.store.put_code(waiting(3, Transport::Sms, 30)).await.unwrap();
    scene.put_code(4, 4).await;
    let listed = |n: u16, transport, seconds| OutboxCode {
        number: number(n),
        transport,
        code: sealed(n),
        created_at: at(seconds),
        expires_at: at(seconds + 100),
    };
    let [second, first, third] = [
        listed(1, Transport::Voice, 20),
        listed(2, Transport::Sms, 10),
        listed(3, Transport::Sms, 30),
    ];
    let all = scene.store.outbox(at(50), 10).await.unwrap();
    assert_eq!(all, [first.clone(), second.clone(), third.clone()]);
    assert_eq!(scene.store.outbox(at(50), 2).await.unwrap(), [first, second.clone()]);
    assert_eq!(scene.store.outbox(at(110), 10).await.unwrap(), [second, third], "still good");
}

pub(super) async fn old_codes_are_forgotten_a_few_at_a_time(scene: Scene) {
    for n in 1..=5 {
        scene.put_code(n, n).await;
    }
    let mut later = new_code(CodePurpose::Register, 6, 6);
    (later.expires_at, later.window.ends_at) = (at(901), at(DAY + 1));
    scene.store.put_code(later).await.unwrap();
    assert_eq!(scene.store.forget_codes(at(899), 10).await.unwrap(), 0);
    // As long as their window lasts, what was counted is kept.
    assert_eq!(scene.store.forget_codes(at(DAY - 1), 10).await.unwrap(), 0);
    for expected in [2, 2, 1, 0] {
        assert_eq!(scene.store.forget_codes(at(DAY), 2).await.unwrap(), expected);
    }
    assert!(scene.try_code(6, at(900)).await.is_some());
}

/// The seconds after which somebody may come again.
fn wait<T: std::fmt::Debug>(outcome: Result<T, Fault>) -> u64 {
    match outcome {
        Err(Fault::RateLimited { retry_after, .. }) => retry_after.as_secs(),
        other => panic!("not limited: {other:?}"),
    }
}

/// One of three that may be made in a day.
fn of_three(n: u16, code: u16, seconds: u64) -> NewCode {
    let mut new = new_code(CodePurpose::Register, n, code);
    (new.created_at, new.expires_at) = (at(seconds), at(seconds + 900));
    (new.window.ends_at, new.window.most) = (at(seconds + DAY), 3);
    new
}

pub(super) async fn codes_of_a_day_are_counted_together(scene: Scene) {
    for (code, seconds) in [(1, 0), (2, 10), (3, 20)] {
        scene.store.put_code(of_three(1, code, seconds)).await.unwrap();
    }
    assert_eq!(wait(scene.store.put_code(of_three(1, 4, 100)).await), DAY - 100);
    assert_eq!(scene.try_code(1, at(100)).await.unwrap().code, sealed(3), "nothing was changed");
    scene.store.put_code(new_code(CodePurpose::Link, 1, 5)).await.unwrap();
    scene.store.put_code(of_three(2, 6, 100)).await.unwrap();

    for code in 1..=3 {
        scene.store.put_code(of_three(1, code, DAY)).await.unwrap();
    }
    assert_eq!(wait(scene.store.put_code(of_three(1, 4, DAY + 10)).await), DAY - 10);
}

pub(super) async fn tries_of_a_day_are_counted_together(scene: Scene) {
    let attempt = |seconds: u64| {
        let mut attempt = code_try(CodePurpose::Register, 1, at(seconds), MOST);
        attempt.window.most = 5;
        scene.store.try_code(attempt)
    };
    scene.store.put_code(of_three(1, 7, 0)).await.unwrap();
    for _ in 0..MOST {
        assert!(attempt(1).await.unwrap().is_some());
    }
    assert_eq!(attempt(1).await.unwrap(), None);
    scene.store.put_code(of_three(1, 8, 2)).await.unwrap();
    for attempts in 1..=2 {
        assert_eq!(attempt(3).await.unwrap().unwrap().attempts, attempts);
    }
    assert_eq!(wait(attempt(4).await), DAY - 4);
    scene.store.put_code(of_three(1, 9, DAY - 1)).await.unwrap();
    assert_eq!(wait(attempt(DAY - 1).await), 1, "with another code too");

    // The code outlives the window and begins another one.
    for _ in 0..MOST {
        assert!(attempt(DAY).await.unwrap().is_some());
    }
    for code in [10, 11] {
        scene.store.put_code(of_three(1, code, DAY + 1)).await.unwrap();
    }
    assert_eq!(wait(scene.store.put_code(of_three(1, 12, DAY + 1)).await), DAY - 1);
    for _ in 0..2 {
        assert!(attempt(DAY + 2).await.unwrap().is_some());
    }
    assert_eq!(wait(attempt(DAY + 2).await), DAY - 2);
}

pub(super) async fn who_proved_a_number_begins_anew(scene: Scene) {
    for code in 1..=3 {
        scene.store.put_code(of_three(1, code, 0)).await.unwrap();
    }
    let code = Some(code_use(CodePurpose::Register, 1, 3));
    let new = NewPhone { device: new_device(1), code, ..new_phone(1) };
    assert!(!is_forbidden(&scene.store.register_phone(new).await));
    for code in 4..=6 {
        scene.store.put_code(of_three(1, code, 1)).await.unwrap();
    }
}

pub(super) async fn the_operator_is_told_of_the_code_on_file_alone(scene: Scene) {
    scene.put_code(1, 7).await;
    for (code, waiting) in [(6, 0), (7, 1)] {
        let code = code_use(CodePurpose::Register, 1, code);
        scene.store.hand_over(code, Transport::Voice).await.unwrap();
        let outbox = scene.store.outbox(START, 10).await.unwrap();
        assert_eq!(outbox.len(), waiting);
        assert!(outbox.iter().all(|it| it.transport == Transport::Voice));
    }
    scene.put_code(1, 8).await;
    assert_eq!(scene.store.outbox(START, 10).await.unwrap(), []);
}
