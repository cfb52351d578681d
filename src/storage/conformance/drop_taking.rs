//! Stories about messages that go when they are read.

use futures_util::future::join_all;

use super::drop_scene::{all_of, file, file_id, numbers, text};
use super::scene::{Scene, at};
use crate::domain::dropbox::message::NewDropMessage;
use crate::domain::dropbox::{ReadDrop, Taking};

pub(super) async fn what_is_read_stays_unless_it_is_taken(scene: Scene) {
    let number = scene.drop_box(1).await;
    scene.leave(number, vec![text(1), text(2)]).await;
    for _ in 0..2 {
        assert_eq!(scene.numbers_in(number).await, [1, 2]);
    }
}

pub(super) async fn texts_are_taken_and_files_stay(scene: Scene) {
    let number = scene.drop_box(1).await;
    scene.open_file(2).await;
    scene.leave(number, vec![text(1), file(2), text(3)]).await;
    let read = ReadDrop { taking: Taking::Texts, ..all_of(number) };
    assert_eq!(numbers(&scene.read_box(read).await), [1, 2, 3]);
    assert_eq!(numbers(&scene.read_box(read).await), [2]);
    assert!(scene.files_over(at(499)).await.is_empty());
}

pub(super) async fn all_is_taken_and_files_wait_for_their_readers(scene: Scene) {
    let number = scene.drop_box(1).await;
    scene.open_file(2).await;
    scene.leave(number, vec![text(1), file(2), text(3)]).await;
    let taking = Taking::All { files_until: at(60) };
    let page = scene.read_box(ReadDrop { taking, ..all_of(number) }).await;
    assert_eq!((numbers(&page), page.more), (vec![1, 2, 3], false));
    assert!(scene.numbers_in(number).await.is_empty());
    assert!(scene.files_over(at(59)).await.is_empty());
    assert_eq!(scene.files_over(at(60)).await, [file_id(2)]);
}

pub(super) async fn nothing_is_taken_that_is_not_handed_out(scene: Scene) {
    let number = scene.drop_box(1).await;
    let over = NewDropMessage { ends_at: at(10), ..text(3) };
    scene.leave(number, vec![text(1), text(2), over, text(4), text(5)]).await;
    let taking = Taking::All { files_until: at(60) };
    let read = ReadDrop { after: 1, now: at(10), limit: 2, taking, ..all_of(number) };
    let page = scene.read_box(read).await;
    assert_eq!((numbers(&page), page.more), (vec![2, 4], true));
    assert_eq!(scene.numbers_in(number).await, [1, 3, 5]);
    let unknown = ReadDrop { from: crate::domain::dropbox::BoxNumber(number.0 + 1000), ..read };
    assert!(scene.read_box(unknown).await.messages.is_empty());
}

pub(super) async fn parallel_readers_get_each_message_once(scene: Scene) {
    let number = scene.drop_box(1).await;
    scene.leave(number, (1..=80).map(text).collect()).await;
    let read = async || {
        let mut taken = Vec::new();
        loop {
            let read = ReadDrop { limit: 3, taking: Taking::Texts, ..all_of(number) };
            let page = scene.read_box(read).await;
            taken.extend(numbers(&page));
            if !page.more {
                return taken;
            }
        }
    };
    let taken = join_all((0..8).map(|_| read())).await;
    assert!(taken.iter().all(|own| own.is_sorted()));
    let mut all = taken.concat();
    all.sort_unstable();
    assert_eq!(all, (1..=80).collect::<Vec<_>>());
}
