//! Stories about messages that come into drop boxes, and are read.

use futures_util::future::join_all;

use super::drop_scene::{ROOM, all_of, file, file_id, new_box, numbers, stored, text};
use super::scene::{START, Scene, at};
use crate::domain::Fault;
use crate::domain::dropbox::message::NewDropMessage;
use crate::domain::dropbox::{
    BoxNumber, DropId, DropMessage, Form, NewDropBox, Put, PutOutcome, ReadDrop, Room, Taking,
};

pub(super) async fn a_message_is_read_as_it_was_left(scene: Scene) {
    let (number, other) = (scene.drop_box(1).await, scene.drop_box(2).await);
    scene.open_file(3).await;
    let old = NewDropMessage { form: Form::Latin, hash: Some("hash".to_owned()), ..text(1) };
    let left = [old, NewDropMessage { form: Form::Utf8, ..text(2) }, file(3), text(4)];
    scene.leave(number, left.to_vec()).await;
    let page = scene.read_box(all_of(number)).await;
    assert_eq!(numbers(&page), [1, 2, 3, 4]);
    assert!(!page.more && page.messages.iter().map(|it| &it.content).eq(&left));
    for (content, number_in_box) in left.into_iter().zip(1..) {
        let id = content.id;
        let found = scene.store.drop_message(number, id).await.unwrap();
        assert!(found == Some(DropMessage { number: number_in_box, content }));
        assert!(scene.store.drop_message(other, id).await.unwrap().is_none());
    }
}

pub(super) async fn messages_are_numbered_as_they_come(scene: Scene) {
    let (one, other) = (scene.drop_box(1).await, scene.drop_box(2).await);
    assert_eq!(scene.leave(one, vec![text(1), text(2)]).await, 1);
    assert_eq!(scene.leave(other, vec![text(9)]).await, 1);
    assert_eq!(scene.leave(one, vec![text(3)]).await, 3);
    scene.store.delete_drop_message(one, 3, START).await.unwrap();
    assert_eq!(scene.leave(one, vec![text(4)]).await, 4, "no number is used twice");
    let page = scene.read_box(all_of(one)).await;
    let ids: Vec<_> = page.messages.iter().map(|message| message.content.id).collect();
    assert_eq!(ids, [DropId([1; 16]), DropId([2; 16]), DropId([4; 16])]);
}

pub(super) async fn messages_left_at_once_have_places_of_their_own(scene: Scene) {
    let number = scene.drop_box(1).await;
    let put = |n| scene.leave(number, vec![text(n), text(n + 100)]);
    let mut firsts = join_all((1..=8).map(put)).await;
    firsts.sort_unstable();
    assert_eq!(firsts, [1, 3, 5, 7, 9, 11, 13, 15]);
    assert_eq!(scene.numbers_in(number).await, (1..=16).collect::<Vec<_>>());
}

pub(super) async fn nothing_is_left_where_nothing_can_be(scene: Scene) {
    let over = scene.make_box(NewDropBox { ends_at: START, ..new_box(1) }).await.number;
    let locked = scene.make_box(NewDropBox { lock_at: START, ..new_box(2) }).await.number;
    let unknown = BoxNumber(over.0 + locked.0 + 1000);
    let full = Room { messages: 0, bytes: 0 };
    for (to, expected) in
        [(over, PutOutcome::Gone), (locked, PutOutcome::Locked), (unknown, PutOutcome::Gone)]
    {
        let put = Put { to, messages: vec![text(1)], now: START, room: full };
        assert_eq!(scene.store.put_drop_messages(put).await.unwrap(), expected);
        assert!(scene.numbers_in(to).await.is_empty());
    }
}

pub(super) async fn a_box_has_room_for_so_many_messages(scene: Scene) {
    let number = scene.drop_box(1).await;
    let room = Room { messages: 3, bytes: 10_000 };
    let put = async |messages| {
        let put = Put { to: number, messages, now: START, room };
        scene.store.put_drop_messages(put).await.unwrap()
    };
    assert_eq!(put(vec![text(1), text(2)]).await, PutOutcome::Stored(1));
    assert_eq!(
        put(vec![text(3), text(4)]).await,
        PutOutcome::FullOfMessages,
        "all of them or none"
    );
    assert_eq!(put(vec![text(3)]).await, PutOutcome::Stored(3));
    assert_eq!(put(vec![text(4)]).await, PutOutcome::FullOfMessages);
    scene.store.delete_drop_message(number, 2, START).await.unwrap();
    assert_eq!(put(vec![text(4)]).await, PutOutcome::Stored(4));
    let taking = Taking::All { files_until: START };
    scene.read_box(ReadDrop { limit: 1, taking, ..all_of(number) }).await;
    assert_eq!(put(vec![text(5)]).await, PutOutcome::Stored(5));
    assert_eq!(put(vec![text(6)]).await, PutOutcome::FullOfMessages);
    assert_eq!(scene.numbers_in(number).await, [3, 4, 5]);
}

pub(super) async fn a_box_has_room_for_so_many_bytes(scene: Scene) {
    let number = scene.drop_box(1).await;
    let room = Room { messages: 100, bytes: 130 };
    let put = async |messages| {
        let put = Put { to: number, messages, now: START, room };
        scene.store.put_drop_messages(put).await.unwrap()
    };
    for n in [1, 2, 3] {
        scene.open_file(n).await;
    }
    assert_eq!(put(vec![file(1), text(11), text(12)]).await, PutOutcome::Stored(1));
    assert_eq!(put(vec![text(13)]).await, PutOutcome::FullOfBytes);
    scene.read_box(ReadDrop { taking: Taking::Texts, ..all_of(number) }).await;
    assert_eq!(put(vec![file(2)]).await, PutOutcome::FullOfBytes);
    scene.store.delete_drop_message(number, 1, START).await.unwrap();
    assert_eq!(put(vec![file(2)]).await, PutOutcome::Stored(4));
    let taking = Taking::All { files_until: START };
    scene.read_box(ReadDrop { taking, ..all_of(number) }).await;
    assert_eq!(put(vec![file(3), text(13), text(14)]).await, PutOutcome::Stored(5));
}

pub(super) async fn what_is_over_makes_room(scene: Scene) {
    let number = scene.drop_box(1).await;
    let put = async |seconds, messages| {
        let room = Room { messages: 2, bytes: 20 };
        let put = Put { to: number, messages, now: at(seconds), room };
        scene.store.put_drop_messages(put).await.unwrap()
    };
    assert_eq!(put(0, vec![text(1), text(2)]).await, PutOutcome::Stored(1));
    assert_eq!(put(500, vec![text(3)]).await, PutOutcome::FullOfMessages, "until it is forgotten");
    assert_eq!(scene.store.forget_drops(at(500), 1).await.unwrap(), 1);
    assert_eq!(put(500, vec![text(3)]).await, PutOutcome::Stored(3));
    assert_eq!(put(500, vec![text(4)]).await, PutOutcome::FullOfMessages);
}

pub(super) async fn a_message_whose_file_is_gone_is_not_left(scene: Scene) {
    let number = scene.drop_box(1).await;
    for n in [1, 2, 3] {
        scene.open_file(n).await;
    }
    scene.store.end_drop_file(file_id(2)).await.unwrap();
    for gone in [2, 9] {
        let refused = scene.try_to_leave(number, vec![text(7), file(1), file(gone)]).await;
        assert!(matches!(refused, Err(Fault::NotFound { what: "file" })));
    }
    let late = Put { to: number, messages: vec![file(3)], now: at(100), room: ROOM };
    let late = scene.store.put_drop_messages(late).await;
    assert!(matches!(late, Err(Fault::NotFound { what: "file" })));
    assert!(scene.numbers_in(number).await.is_empty());
    assert_eq!(scene.leave(number, vec![text(7)]).await, 1, "nor were numbers drawn");
    let mut over = [file_id(1), file_id(2), file_id(3)];
    over.sort_unstable();
    assert_eq!(scene.files_over(at(100)).await, over, "none was kept any longer");
}

pub(super) async fn a_box_is_read_in_pages(scene: Scene) {
    let number = scene.drop_box(1).await;
    scene.open_file(4).await;
    scene.leave(number, vec![text(1), text(2), text(3), file(4), text(5)]).await;
    let read = all_of(number);
    for (read, expected, more) in [
        (read, &[1, 2, 3, 4, 5][..], false),
        (ReadDrop { limit: 5, ..read }, &[1, 2, 3, 4, 5], false),
        (ReadDrop { limit: 4, ..read }, &[1, 2, 3, 4], true),
        (ReadDrop { after: 2, limit: 2, ..read }, &[3, 4], true),
        (ReadDrop { after: 4, ..read }, &[5], false),
        (ReadDrop { after: 5, ..read }, &[], false),
        (ReadDrop { bytes: 0, ..read }, &[1], true),
        (ReadDrop { bytes: 10, ..read }, &[1], true),
        (ReadDrop { bytes: 11, ..read }, &[1, 2], true),
        (ReadDrop { bytes: 40, ..read }, &[1, 2, 3, 4], true),
        (ReadDrop { bytes: 41, ..read }, &[1, 2, 3, 4, 5], false),
        (ReadDrop { after: 4, bytes: 0, ..read }, &[5], false),
    ] {
        let page = scene.read_box(read).await;
        assert_eq!((numbers(&page).as_slice(), page.more), (expected, more), "{read:?}");
    }
}

pub(super) async fn a_message_that_is_over_is_not_read(scene: Scene) {
    let number = scene.drop_box(1).await;
    let short = |n| NewDropMessage { ends_at: at(10), ..text(n) };
    scene.leave(number, vec![short(1), text(2), short(3), text(4), short(5)]).await;
    let read = ReadDrop { now: at(10), ..all_of(number) };
    assert_eq!(numbers(&scene.read_box(ReadDrop { now: at(9), ..read }).await), [1, 2, 3, 4, 5]);
    let page = scene.read_box(ReadDrop { limit: 2, ..read }).await;
    assert_eq!((numbers(&page), page.more), (vec![2, 4], false));
    let page = scene.read_box(ReadDrop { limit: 1, ..read }).await;
    assert_eq!((numbers(&page), page.more), (vec![2], true));
    // Whoever asks for one by its id looks at the time.
    assert!(scene.store.drop_message(number, DropId([1; 16])).await.unwrap().is_some());
}

pub(super) async fn a_message_is_deleted_once(scene: Scene) {
    let (number, other) = (scene.drop_box(1).await, scene.drop_box(2).await);
    scene.open_file(2).await;
    scene.leave(number, vec![text(1), file(2)]).await;
    scene.leave(other, vec![text(3)]).await;
    assert!(scene.store.delete_drop_message(number, 2, at(20)).await.unwrap());
    assert!(!scene.store.delete_drop_message(number, 2, at(20)).await.unwrap());
    assert!(!scene.store.delete_drop_message(other, 2, at(20)).await.unwrap());
    assert_eq!((scene.numbers_in(number).await, scene.numbers_in(other).await), (vec![1], vec![1]));
    assert!(scene.files_over(at(19)).await.is_empty());
    assert_eq!(scene.files_over(at(20)).await, [stored(2).id]);
}

pub(super) async fn a_message_that_gets_an_earlier_end_goes_then_with_its_file(scene: Scene) {
    let number = scene.drop_box(1).await;
    scene.open_file(2).await;
    scene.leave(number, vec![text(1), file(2)]).await;
    for (message, ends_at) in [(2, at(20)), (2, at(30)), (9, at(1))] {
        scene.store.end_drop_message(number, message, ends_at).await.unwrap();
    }
    let read = |now| ReadDrop { now, ..all_of(number) };
    assert_eq!(numbers(&scene.read_box(read(at(19))).await), [1, 2]);
    assert_eq!(numbers(&scene.read_box(read(at(20))).await), [1]);
    scene.store.forget_drops(at(20), 10).await.unwrap();
    assert_eq!(scene.numbers_in(number).await, [1]);
    assert_eq!(scene.files_over(at(20)).await, [stored(2).id]);
}
