//! Stories about what is over in drop boxes: files, messages, and boxes.

use super::drop_letters::letter;
use super::drop_scene::{all_of, file, file_id, new_box, numbers, stored, text};
use super::scene::{START, Scene, at};
use crate::domain::Fault;
use crate::domain::dropbox::message::NewDropMessage;
use crate::domain::dropbox::{Letter, NewDropBox, ReadDrop};

pub(super) async fn a_file_is_over_unless_a_message_keeps_it(scene: Scene) {
    let number = scene.drop_box(1).await;
    for n in [1, 2, 3] {
        scene.open_file(n).await;
    }
    scene.leave(number, vec![file(1)]).await;
    assert!(scene.files_over(at(99)).await.is_empty());
    scene.store.end_drop_file(file_id(2)).await.unwrap();
    assert_eq!(scene.files_over(START).await, [file_id(2)]);
    let mut over = [file_id(2), file_id(3)];
    over.sort_unstable();
    assert_eq!(scene.files_over(at(499)).await, over);
    assert_eq!(scene.files_over(at(500)).await.len(), 3);
}

/// Whoever lets go of it may not know that its message was stored.
pub(super) async fn a_file_that_was_kept_is_not_let_go_of(scene: Scene) {
    let number = scene.drop_box(1).await;
    for n in [1, 2, 3] {
        scene.open_file(n).await;
    }
    scene.leave(number, vec![file(1)]).await;
    let with_file = Letter { file: Some(stored(2)), ..letter(2) };
    scene.store.keep_letter(with_file).await.unwrap();
    for n in [1, 2, 3] {
        scene.store.end_drop_file(file_id(n)).await.unwrap();
    }
    assert_eq!(scene.files_over(at(499)).await, [file_id(3)]);
}

pub(super) async fn a_file_that_is_being_removed_is_over_for_good(scene: Scene) {
    let number = scene.drop_box(1).await;
    for n in [1, 2, 3] {
        scene.open_file(n).await;
    }
    let first = scene.store.over_drop_files(at(100), 1).await.unwrap();
    assert_eq!(first.len(), 1, "no more than asked for");
    let n = (1..=3).find(|n| file_id(*n) == first[0]).unwrap();
    let refused = scene.try_to_leave(number, vec![file(n)]).await;
    assert!(matches!(refused, Err(Fault::NotFound { what: "file" })));
    // A step that broke off comes again, until it is forgotten.
    assert_eq!(scene.files_over(START).await, first);
    scene.store.forget_drop_files((1..=3).map(file_id).collect()).await.unwrap();
    assert!(scene.files_over(START).await.is_empty());
    assert_eq!(scene.files_over(at(100)).await.len(), 2, "the others are on file");
}

pub(super) async fn files_of_drop_boxes_are_told_from_strays(scene: Scene) {
    for n in [1, 2] {
        scene.open_file(n).await;
    }
    scene.store.end_drop_file(file_id(2)).await.unwrap();
    let asked = [file_id(2), file_id(7), file_id(1)];
    let mut found = scene.store.drop_files_among(&asked).await.unwrap();
    found.sort_unstable();
    let mut expected = [file_id(1), file_id(2)];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert!(scene.store.drop_files_among(&[]).await.unwrap().is_empty());
    scene.store.forget_drop_files(asked.to_vec()).await.unwrap();
    assert_eq!(scene.store.drop_files_among(&asked).await.unwrap(), [file_id(1)]);
}

pub(super) async fn messages_that_are_over_are_forgotten_in_small_steps(scene: Scene) {
    let (one, other) = (scene.drop_box(1).await, scene.drop_box(2).await);
    scene.open_file(3).await;
    let short = |message| NewDropMessage { ends_at: at(10), ..message };
    scene.leave(one, vec![short(text(1)), text(2), short(file(3))]).await;
    scene.leave(other, vec![short(text(4)), text(5)]).await;
    assert_eq!(scene.store.forget_drops(at(9), 10).await.unwrap(), 0);
    assert_eq!(scene.store.forget_drops(at(10), 2).await.unwrap(), 2);
    assert_eq!(scene.store.forget_drops(at(10), 2).await.unwrap(), 1);
    assert_eq!(scene.store.forget_drops(at(10), 2).await.unwrap(), 0);
    assert_eq!((scene.numbers_in(one).await, scene.numbers_in(other).await), (vec![2], vec![2]));
    assert_eq!(scene.files_over(at(10)).await, [file_id(3)]);
}

pub(super) async fn a_box_that_is_over_is_emptied_before_it_goes(scene: Scene) {
    let over = scene.make_box(NewDropBox { ends_at: at(20), ..new_box(1) }).await.number;
    let empty = scene.make_box(NewDropBox { ends_at: at(21), ..new_box(2) }).await.number;
    let live = scene.drop_box(3).await;
    scene.open_file(4).await;
    scene.leave(over, vec![text(1), text(2), text(3), file(4), text(5)]).await;
    scene.leave(live, vec![text(9)]).await;
    let token = new_box(1).token;
    for (limit, forgotten, left) in [(2, 2, 3), (2, 2, 1), (1, 1, 0)] {
        assert_eq!(scene.store.forget_drops(at(21), limit).await.unwrap(), forgotten);
        let read = ReadDrop { now: at(21), ..all_of(over) };
        assert_eq!(numbers(&scene.read_box(read).await).len(), left);
        assert!(scene.store.drop_box(&token).await.unwrap().is_some(), "it goes last");
    }
    assert_eq!(scene.store.forget_drops(at(21), 10).await.unwrap(), 2);
    assert!(scene.store.drop_box(&token).await.unwrap().is_none());
    assert!(scene.store.drop_box(&new_box(2).token).await.unwrap().is_none());
    assert!(!scene.store.delete_drop_box(empty, START).await.unwrap());
    assert_eq!(scene.store.forget_drops(at(21), 10).await.unwrap(), 0);
    assert_eq!(scene.numbers_in(live).await, [1]);
    assert_eq!(scene.files_over(at(21)).await, [file_id(4)]);
}
