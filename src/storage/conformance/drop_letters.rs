//! Stories about letters, which go when they are read.

use futures_util::future::join_all;

use super::drop_scene::{file_id, stored};
use super::scene::{START, Scene, at};
use crate::domain::Fault;
use crate::domain::dropbox::letter::TakeLetter;
use crate::domain::dropbox::{DropId, Form, Letter, SecretDigest, Version};

/// A letter that is over at 500 seconds.
pub(super) fn letter(n: u8) -> Letter {
    Letter {
        id: DropId([n; 16]),
        version: Version::Two,
        secret: SecretDigest::of(&[n]),
        form: Form::Sealed,
        data: vec![n; 10],
        file: None,
        created_at: START,
        ends_at: at(500),
    }
}

fn take(n: u8) -> TakeLetter {
    TakeLetter {
        id: DropId([n; 16]),
        version: Version::Two,
        secret: SecretDigest::of(&[n]),
        now: START,
        file_until: at(60),
    }
}

pub(super) async fn a_letter_is_taken_by_its_secret_alone(scene: Scene) {
    let store = &scene.store;
    let old = Letter { version: Version::One, form: Form::Latin, ..letter(2) };
    for kept in [letter(1), old.clone()] {
        store.keep_letter(kept).await.unwrap();
    }
    for wrong in [
        TakeLetter { secret: SecretDigest::of(b"wrong"), ..take(1) },
        TakeLetter { version: Version::One, ..take(1) },
        TakeLetter { id: DropId([3; 16]), ..take(1) },
    ] {
        assert!(store.take_letter(wrong).await.unwrap().is_none());
    }
    assert!(store.take_letter(take(1)).await.unwrap() == Some(letter(1)));
    assert!(store.take_letter(take(1)).await.unwrap().is_none());
    let taken = store.take_letter(TakeLetter { version: Version::One, ..take(2) }).await;
    assert!(taken.unwrap() == Some(old));
}

pub(super) async fn one_of_many_gets_a_letter(scene: Scene) {
    scene.store.keep_letter(letter(1)).await.unwrap();
    let taken = join_all((0..8).map(|_| scene.store.take_letter(take(1)))).await;
    assert_eq!(taken.iter().filter(|taken| matches!(taken, Ok(Some(_)))).count(), 1);
    assert!(taken.iter().all(Result::is_ok));
}

pub(super) async fn a_letter_that_is_over_is_not_taken(scene: Scene) {
    scene.store.keep_letter(letter(1)).await.unwrap();
    let late = TakeLetter { now: at(500), ..take(1) };
    assert!(scene.store.take_letter(late).await.unwrap().is_none());
    let in_time = TakeLetter { now: at(499), ..take(1) };
    assert!(scene.store.take_letter(in_time).await.unwrap().is_some());
}

pub(super) async fn the_file_of_a_letter_is_kept_with_it(scene: Scene) {
    for n in [1, 2] {
        scene.open_file(n).await;
        let kept = Letter { form: Form::File, file: Some(stored(n)), ..letter(n) };
        scene.store.keep_letter(kept).await.unwrap();
    }
    assert!(scene.files_over(at(499)).await.is_empty());
    let taken = scene.store.take_letter(take(1)).await.unwrap().unwrap();
    assert_eq!(taken.file, Some(stored(1)));
    assert!(scene.files_over(at(59)).await.is_empty());
    assert_eq!(scene.files_over(at(60)).await, [file_id(1)]);
}

pub(super) async fn a_letter_whose_file_is_gone_is_not_kept(scene: Scene) {
    let lost = Letter { file: Some(stored(1)), ..letter(1) };
    let refused = scene.store.keep_letter(lost).await;
    assert!(matches!(refused, Err(Fault::NotFound { what: "file" })));
    assert!(scene.store.take_letter(take(1)).await.unwrap().is_none());
}

pub(super) async fn letters_that_are_over_are_forgotten(scene: Scene) {
    scene.open_file(1).await;
    let with_file = Letter { file: Some(stored(1)), ..letter(1) };
    let later = Letter { ends_at: at(501), ..letter(3) };
    for kept in [with_file, letter(2), later] {
        scene.store.keep_letter(kept).await.unwrap();
    }
    assert_eq!(scene.store.forget_drops(at(499), 10).await.unwrap(), 0);
    assert_eq!(scene.store.forget_drops(at(500), 1).await.unwrap(), 1);
    assert_eq!(scene.store.forget_drops(at(500), 10).await.unwrap(), 1);
    assert_eq!(scene.store.forget_drops(at(500), 10).await.unwrap(), 0);
    assert_eq!(scene.files_over(at(500)).await, [file_id(1)]);
    assert!(scene.store.take_letter(take(3)).await.unwrap().is_some());
}
