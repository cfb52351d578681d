//! Stories about drop boxes themselves.

use super::drop_letters::letter;
use super::drop_scene::{all_of, file, file_id, new_box, stored, text};
use super::scene::{START, Scene, at};
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::message::NewDropMessage;
use crate::domain::dropbox::{
    AfterReading, BoxToken, CreatedBox, DropId, EmailAddress, Letter, NewDropBox, PutOutcome,
};

pub(super) async fn a_drop_box_is_found_by_its_token(scene: Scene) {
    let one = NewDropBox {
        token: BoxToken::one([1; 8]),
        release_at: Some(at(10)),
        after_reading: AfterReading { messages_go: true, box_goes: false },
        notify: EmailAddress::parse("anna@example.org"),
        ..new_box(1)
    };
    let bare = NewDropBox {
        private_key: None,
        kdf: None,
        secret: None,
        after_reading: AfterReading { messages_go: false, box_goes: true },
        ..new_box(1)
    };
    for new in [one, bare] {
        let made = scene.make_box(new.clone()).await;
        assert!(made.content == new);
        assert!(scene.store.drop_box(&new.token).await.unwrap() == Some(made));
    }
    assert!(scene.store.drop_box(&BoxToken::two([2; 16])).await.unwrap().is_none());
}

pub(super) async fn a_token_belongs_to_its_first_box(scene: Scene) {
    let first = scene.make_box(NewDropBox { ends_at: START, ..new_box(1) }).await;
    let other = NewDropBox { public_key: vec![7], ..new_box(1) };
    let again = scene.store.create_drop_box(other).await.unwrap();
    assert!(again == CreatedBox::Taken(first.clone()));
    assert!(scene.store.drop_box(&first.content.token).await.unwrap() == Some(first));
}

pub(super) async fn a_box_is_made_once_however_many_ask(scene: Scene) {
    let asked = (0..8).map(|_| scene.store.create_drop_box(new_box(1)));
    let made = futures_util::future::join_all(asked).await;
    let new = made.iter().filter(|made| matches!(made, Ok(CreatedBox::New(_)))).count();
    let taken = made.iter().filter(|made| matches!(made, Ok(CreatedBox::Taken(_)))).count();
    assert_eq!((new, taken), (1, 7));
}

/// More than one transaction deletes.
pub(super) async fn a_deleted_box_is_over_at_once_and_leaves_nothing(scene: Scene) {
    let (deleted, other) = (scene.drop_box(1).await, scene.drop_box(2).await);
    for n in [1, 2, 3] {
        scene.open_file(n).await;
    }
    let texts = (0..450_u16).map(|n| {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        NewDropMessage { id: DropId(id), ..text(1) }
    });
    scene.leave(deleted, [file(1)].into_iter().chain(texts).chain([file(3)]).collect()).await;
    scene.leave(other, vec![file(2), text(3)]).await;
    assert!(scene.store.delete_drop_box(deleted, at(50)).await.unwrap());
    assert!(!scene.store.delete_drop_box(deleted, at(50)).await.unwrap());
    let token = new_box(1).token;
    let left = scene.store.drop_box(&token).await.unwrap();
    assert!(left.is_none_or(|left| !left.is_live(Timestamp::from_micros(1))));
    let put = scene.try_to_leave(deleted, vec![text(4)]).await.unwrap();
    assert_eq!(put, PutOutcome::Gone);
    while scene.store.forget_drops(at(50), 100).await.unwrap() > 0 {}
    assert!(scene.store.drop_box(&token).await.unwrap().is_none());
    assert!(scene.numbers_in(deleted).await.is_empty());
    assert_eq!(scene.numbers_in(other).await, [1, 2]);
    assert!(scene.files_over(at(49)).await.is_empty());
    let mut files = [file_id(1), file_id(3)];
    files.sort_unstable();
    assert_eq!(scene.files_over(at(50)).await, files);
}

pub(super) async fn the_next_box_is_another_one(scene: Scene) {
    let first = scene.drop_box(1).await;
    scene.leave(first, vec![text(1)]).await;
    scene.store.delete_drop_box(first, START).await.unwrap();
    let second = scene.drop_box(1).await;
    assert_ne!(first, second);
    assert_eq!(scene.try_to_leave(first, vec![text(1)]).await.unwrap(), PutOutcome::Gone);
    assert!(scene.read_box(all_of(second)).await.messages.is_empty());
}

/// Whatever is in them counts, and they count themselves.
pub(super) async fn all_bytes_are_counted(scene: Scene) {
    let bytes = async || scene.store.drop_bytes().await.unwrap();
    assert_eq!(bytes().await, 0);
    let (one, other) = (scene.drop_box(1).await, scene.drop_box(2).await);
    for n in [1, 2] {
        scene.open_file(n).await;
    }
    scene.leave(one, vec![text(7), file(1)]).await;
    scene.leave(other, vec![text(3)]).await;
    assert_eq!(bytes().await, 2 * 1024 + 10 + 110 + 10);
    let kept = letter(4);
    let with_file = Letter { file: Some(stored(2)), ..letter(5) };
    for letter in [kept, with_file] {
        scene.store.keep_letter(letter).await.unwrap();
    }
    assert_eq!(bytes().await, 4 * 1024 + 10 + 110 + 10 + 10 + 110);
    scene.store.delete_drop_box(one, START).await.unwrap();
    assert_eq!(bytes().await, 3 * 1024 + 10 + 10 + 110);
}
