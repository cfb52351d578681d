//! Stories about boxes that go once they were read.

use futures_util::future::join_all;

use super::drop_scene::{ROOM, all_of, file, file_id, new_box, numbers, text};
use super::scene::{Scene, at};
use crate::domain::clock::Timestamp;
use crate::domain::dropbox::message::NewDropMessage;
use crate::domain::dropbox::{BoxNumber, DropBox, Ending, Put, PutOutcome, ReadDrop, Taking};

/// All is taken, and the box is gone with it.
fn last_of(from: BoxNumber) -> ReadDrop {
    let taking = Taking::All { files_until: at(60) };
    ReadDrop { now: at(10), taking, ending: Some(Ending::Now), ..all_of(from) }
}

impl Scene {
    async fn found(&self, n: u8) -> Option<DropBox> {
        self.store.drop_box(&new_box(n).token).await.unwrap()
    }

    async fn put_at(&self, to: BoxNumber, now: Timestamp) -> PutOutcome {
        let put = Put { to, messages: vec![text(9)], now, room: ROOM };
        self.store.put_drop_messages(put).await.unwrap()
    }
}

pub(super) async fn a_box_that_was_read_takes_nothing_and_ends(scene: Scene) {
    let number = scene.drop_box(1).await;
    scene.leave(number, vec![text(1), text(2)]).await;
    let ending = Some(Ending::At(at(60)));
    let read = ReadDrop { now: at(10), ending, ..all_of(number) };
    assert_eq!(numbers(&scene.read_box(read).await), [1, 2]);
    let content = scene.found(1).await.unwrap().content;
    assert_eq!((content.lock_at, content.ends_at), (at(10), at(60)));
    // A writer's clock may be behind the reader's.
    for seconds in [0, 9, 10, 59] {
        assert_eq!(scene.put_at(number, at(seconds)).await, PutOutcome::Locked, "{seconds}");
    }
    assert_eq!(scene.put_at(number, at(60)).await, PutOutcome::Gone);
    let later = ReadDrop { now: at(20), ending: Some(Ending::At(at(70))), ..read };
    assert_eq!(numbers(&scene.read_box(later).await), [1, 2], "as long as it is there");
    assert_eq!(scene.found(1).await.unwrap().content.ends_at, at(60), "no later than before");
}

pub(super) async fn a_box_is_gone_at_once_and_its_files_wait_for_their_readers(scene: Scene) {
    let number = scene.drop_box(1).await;
    scene.open_file(2).await;
    scene.leave(number, vec![text(1), file(2)]).await;
    assert_eq!(numbers(&scene.read_box(last_of(number)).await), [1, 2]);
    assert!(scene.found(1).await.is_none_or(|left| !left.is_live(Timestamp::from_micros(1))));
    assert_eq!(scene.put_at(number, at(0)).await, PutOutcome::Gone);
    while scene.store.forget_drops(at(10), 10).await.unwrap() > 0 {}
    assert!(scene.found(1).await.is_none());
    assert!(scene.files_over(at(59)).await.is_empty());
    assert_eq!(scene.files_over(at(60)).await, [file_id(2)]);
}

pub(super) async fn an_empty_box_is_not_ended(scene: Scene) {
    let number = scene.drop_box(1).await;
    let over = NewDropMessage { ends_at: at(5), ..text(1) };
    for ending in [Ending::Now, Ending::At(at(60))] {
        for after in [0, 1, 1000] {
            let read = ReadDrop { after, ending: Some(ending), ..last_of(number) };
            assert!(scene.read_box(read).await.messages.is_empty());
        }
    }
    scene.leave(number, vec![over]).await;
    assert!(scene.read_box(last_of(number)).await.messages.is_empty());
    assert_eq!(scene.put_at(number, at(10)).await, PutOutcome::Stored(2));
    assert!(scene.found(1).await.unwrap().content == new_box(1));
}

pub(super) async fn a_box_ends_with_its_last_page(scene: Scene) {
    for (n, ending) in [(1, Ending::Now), (2, Ending::At(at(60)))] {
        let number = scene.drop_box(n).await;
        scene.leave(number, vec![text(1), text(2), text(3)]).await;
        let read = ReadDrop { ending: Some(ending), ..last_of(number) };
        let page = scene.read_box(ReadDrop { limit: 2, ..read }).await;
        assert_eq!((numbers(&page), page.more), (vec![1, 2], true));
        assert!(scene.found(n).await.unwrap().content == new_box(n), "there is more");
        // Somebody else removes the rest.
        scene.store.delete_drop_message(number, 3, at(10)).await.unwrap();
        let page = scene.read_box(ReadDrop { after: 2, ..read }).await;
        assert_eq!((numbers(&page), page.more), (Vec::new(), false));
        assert_ne!(scene.found(n).await.map(|left| left.content.ends_at), Some(at(2000)));
        assert_ne!(scene.put_at(number, at(0)).await, PutOutcome::Stored(4));
    }
}

pub(super) async fn a_box_is_not_gone_while_a_message_is_left_in_it(scene: Scene) {
    let number = scene.drop_box(1).await;
    scene.leave(number, vec![text(1), text(2)]).await;
    let page = scene.read_box(ReadDrop { after: 1, ..last_of(number) }).await;
    assert_eq!((numbers(&page), page.more), (vec![2], false));
    assert_eq!(scene.put_at(number, at(10)).await, PutOutcome::Stored(3));
    assert_eq!(numbers(&scene.read_box(last_of(number)).await), [1, 3]);
    assert_eq!(scene.put_at(number, at(10)).await, PutOutcome::Gone);
}

/// Whatever was acknowledged has one reader.
pub(super) async fn nothing_is_lost_between_the_last_read_and_the_end(scene: Scene) {
    let number = scene.drop_box(1).await;
    let put = async |n| {
        let put = Put { to: number, messages: vec![text(n)], now: at(0), room: ROOM };
        match scene.store.put_drop_messages(put).await.unwrap() {
            PutOutcome::Stored(stored) => Some(stored),
            _ => None,
        }
    };
    let read = async |_: u8| numbers(&scene.read_box(last_of(number)).await);
    let (stored, taken) = tokio::join!(join_all((1..=24).map(put)), join_all((1..=8).map(read)));
    let mut taken = taken.concat();
    taken.extend(numbers(&scene.read_box(last_of(number)).await));
    let mut stored: Vec<_> = stored.into_iter().flatten().collect();
    stored.sort_unstable();
    taken.sort_unstable();
    assert_eq!(stored, taken);
}
