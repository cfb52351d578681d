//! Stories about other gateways.

use futures_util::future::join_all;

use super::member_scene::{chat_id, introduction, remote_device};
use super::scene::{START, Scene, at, key, user_id};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionNumber;
use crate::domain::messenger::node::NodeId;
use crate::domain::messenger::outbox::{Amount, Letter, NewLetter, Settled};
use crate::domain::ports::KnownNode;

/// What may wait of one sender.
const MOST: Amount = Amount { lines: 2, letters: 3, bytes: 9 };

fn node_id(n: u16) -> NodeId {
    NodeId::parse(&format!("node-{n}.example")).unwrap()
}

fn known(n: u16, api_url: &str, looked_up_at: Timestamp) -> KnownNode {
    let api_url = api_url.to_owned();
    KnownNode { id: node_id(n), api_url, key: key(n), is_strong: false, looked_up_at }
}

fn letter(node: u16, sender: SessionNumber, n: u8) -> NewLetter {
    NewLetter {
        node: node_id(node),
        sender,
        logical: format!("letter {n}"),
        digest: [n; 16],
        body: vec![n; 3],
        at: START,
        expires_at: at(1000),
    }
}

impl Scene {
    /// Two members, the devices of which write letters.
    async fn writers(&self) -> (SessionNumber, SessionNumber) {
        let (ann, ben) = (self.member(1).await, self.member(2).await);
        (ann.devices[0].session, ben.devices[0].session)
    }

    async fn put(&self, letter: NewLetter) {
        self.store.put_letter(letter, MOST).await.unwrap();
    }

    async fn is_refused(&self, letter: NewLetter, most: Amount) -> bool {
        let refused = self.store.put_letter(letter, most).await;
        matches!(refused, Err(Fault::Deferred { .. }))
    }

    /// What is due then, held for a minute, by what it is.
    async fn due(&self, seconds: u64) -> Vec<Letter> {
        let mut due = self.store.due_lines(at(seconds), at(seconds + 60), 10).await.unwrap();
        due.sort_by_key(|line| (line.node.clone(), line.sender));
        let mut letters = Vec::new();
        for line in due {
            letters.push(self.store.first_letter(&line).await.unwrap().unwrap());
        }
        letters
    }

    async fn due_ids(&self, seconds: u64) -> Vec<String> {
        self.due(seconds).await.into_iter().map(|letter| letter.logical).collect()
    }

    async fn settle(&self, letter: &Letter, settled: Settled) {
        self.store.settle_letter(letter, settled).await.unwrap();
    }
}

pub(super) async fn the_first_key_of_a_gateway_stays(scene: Scene) {
    let store = &scene.store;
    assert_eq!(store.node(&node_id(1)).await.unwrap(), None);
    let first = known(1, "https://one", at(1));
    assert_eq!(store.note_node(first.clone()).await.unwrap(), first);
    store.note_strong_node(&node_id(1)).await.unwrap();
    let later = KnownNode { key: key(2), ..known(1, "https://two", at(2)) };
    let kept = KnownNode { is_strong: true, key: key(1), ..later.clone() };
    assert_eq!(store.note_node(later).await.unwrap(), kept);
    assert_eq!(store.node(&node_id(1)).await.unwrap(), Some(kept));
    let strong = KnownNode { is_strong: true, ..known(3, "https://three", at(1)) };
    store.note_node(known(3, "https://three", at(1))).await.unwrap();
    assert_eq!(store.note_node(strong.clone()).await.unwrap(), strong, "it said so later");
    store.note_strong_node(&node_id(2)).await.unwrap();
    assert_eq!(store.node(&node_id(2)).await.unwrap(), None);
}

pub(super) async fn a_number_of_a_gateway_is_claimed_once(scene: Scene) {
    let claim = async |node, nonce: &str| {
        scene.store.claim_nonce(&node_id(node), nonce.to_owned(), at(60)).await.unwrap()
    };
    let claimed = join_all((0..16).map(|_| claim(1, "one"))).await;
    assert_eq!(claimed.iter().filter(|is_first| **is_first).count(), 1);
    assert!(claim(2, "one").await && claim(1, "two").await);
    assert_eq!(scene.store.forget_nonces(at(59), 9).await.unwrap(), 0);
    assert_eq!(scene.store.forget_nonces(at(60), 2).await.unwrap(), 2);
    assert_eq!(scene.store.forget_nonces(at(60), 2).await.unwrap(), 1);
    assert!(claim(1, "one").await);
}

pub(super) async fn who_comes_to_nothing_elsewhere_is_forgotten(scene: Scene) {
    const DAY: u64 = 24 * 3600;
    let ann = scene.member(1).await;
    let mut guests = Vec::new();
    for n in 10..13 {
        guests.push(scene.store.note_remote_device(remote_device(n)).await.unwrap());
    }
    scene.introduce(introduction(&guests[1].device, &ann.devices[0], 1)).await.unwrap();
    let (ann, friend) = (ann.account, guests[2].member.account);
    scene.store.ensure_chat(chat_id(1), friend, ann, at(1)).await.unwrap();
    let forget = async |seconds| scene.store.forget_guests(at(seconds), 9).await.unwrap();
    assert_eq!(forget(DAY - 1).await, []);
    assert_eq!(forget(DAY).await, [user_id(10)]);
    let is_known = async |n| scene.store.member(user_id(n)).await.unwrap().is_some();
    assert_eq!((is_known(10).await, is_known(11).await, is_known(12).await), (false, true, true));
    scene.store.forget_introductions(at(2000), 9).await.unwrap();
    assert_eq!(forget(2 * DAY).await, [user_id(11)]);
    assert_eq!(forget(9 * DAY).await, []);
    let again = scene.store.note_remote_device(remote_device(10)).await.unwrap();
    assert_eq!((again.member.user, again.member.devices.len()), (user_id(10), 1));
    assert!(is_known(1).await && is_known(12).await);
}

pub(super) async fn letters_leave_in_the_order_of_their_line(scene: Scene) {
    let (ann, ben) = scene.writers().await;
    for n in 1..=2 {
        scene.put(letter(1, ann, n)).await;
        scene.put(letter(1, ann, n)).await;
    }
    scene.put(letter(1, ben, 8)).await;
    scene.put(letter(2, ann, 9)).await;
    let due = scene.due(0).await;
    let ids: Vec<_> = due.iter().map(|letter| letter.logical.as_str()).collect();
    assert_eq!(ids, ["letter 1", "letter 8", "letter 9"]);
    assert_eq!((due[0].body.as_slice(), due[0].attempts), (&[1; 3][..], 0));
    assert_eq!(scene.due_ids(59).await, [""; 0], "they are held");
    scene.settle(&due[0], Settled::Done { at: at(1) }).await;
    assert_eq!(scene.due_ids(1).await, ["letter 2"]);
    scene.settle(&due[0], Settled::Done { at: at(2) }).await;
    assert_eq!(scene.due_ids(2).await, [""; 0], "it was gone");
    scene.settle(&due[1], Settled::Done { at: at(2) }).await;
    assert!(scene.store.first_letter(&due[1].line()).await.unwrap().is_none());
}

pub(super) async fn a_letter_that_was_put_off_holds_its_line_up(scene: Scene) {
    let (ann, _) = scene.writers().await;
    scene.put(letter(1, ann, 1)).await;
    scene.put(letter(1, ann, 2)).await;
    let due = scene.due(0).await;
    scene.settle(&due[0], Settled::Again { at: at(20) }).await;
    assert_eq!(scene.due_ids(19).await, [""; 0]);
    let due = scene.due(20).await;
    assert_eq!((due[0].logical.as_str(), due[0].attempts), ("letter 1", 1));
    scene.settle(&due[0], Settled::Done { at: at(21) }).await;
    let due = scene.due(21).await;
    assert_eq!((due[0].logical.as_str(), due[0].attempts), ("letter 2", 0));
}

pub(super) async fn all_lines_for_a_gateway_are_put_off(scene: Scene) {
    let (ann, ben) = scene.writers().await;
    scene.put(letter(1, ann, 1)).await;
    scene.put(letter(1, ben, 2)).await;
    scene.put(letter(2, ben, 3)).await;
    scene.store.put_off_lines(&node_id(1), at(20)).await.unwrap();
    assert_eq!(scene.due_ids(19).await, ["letter 3"]);
    assert_eq!(scene.due_ids(20).await, ["letter 1", "letter 2"]);
}

pub(super) async fn only_so_much_waits_of_one_sender(scene: Scene) {
    let (ann, ben) = scene.writers().await;
    scene.put(letter(1, ann, 1)).await;
    assert!(scene.is_refused(letter(1, ann, 2), Amount { letters: 1, ..MOST }).await);
    assert!(scene.is_refused(letter(1, ann, 2), Amount { bytes: 5, ..MOST }).await);
    assert!(scene.is_refused(letter(2, ann, 2), Amount { lines: 1, ..MOST }).await);
    scene.put(letter(1, ann, 2)).await;
    scene.put(letter(2, ann, 3)).await;
    assert!(scene.is_refused(letter(1, ann, 4), MOST).await);
    scene.put(letter(2, ann, 3)).await;
    scene.put(letter(1, ben, 4)).await;
    let due = scene.due(0).await;
    scene.settle(&due[0], Settled::Done { at: at(1) }).await;
    scene.put(letter(1, ann, 4)).await;
    assert!(scene.is_refused(letter(1, ann, 5), MOST).await);
}

pub(super) async fn letters_are_forgotten_when_their_time_is_over(scene: Scene) {
    let (ann, ben) = scene.writers().await;
    scene.put(letter(1, ann, 1)).await;
    scene.put(letter(1, ann, 2)).await;
    scene.put(NewLetter { expires_at: at(2000), ..letter(1, ann, 3) }).await;
    scene.put(letter(2, ben, 4)).await;
    let forget = async |seconds, limit| scene.store.forget_letters(at(seconds), limit).await;
    assert_eq!(forget(999, 9).await.unwrap(), 0);
    assert_eq!(forget(1000, 2).await.unwrap(), 2);
    assert_eq!(forget(1000, 9).await.unwrap(), 1);
    assert_eq!(scene.due_ids(1000).await, ["letter 3"]);
    scene.put(NewLetter { expires_at: at(2000), ..letter(1, ann, 5) }).await;
    scene.put(NewLetter { expires_at: at(2000), ..letter(2, ann, 6) }).await;
    assert!(scene.is_refused(letter(2, ann, 7), MOST).await);
}

pub(super) async fn letters_end_with_their_device(scene: Scene) {
    let (ann, ben) = scene.writers().await;
    scene.put(letter(1, ann, 1)).await;
    scene.put(letter(1, ben, 2)).await;
    let (first, second) = (scene.known_member(1).await, scene.known_member(2).await);
    let device = first.devices[0].id;
    scene.enrol(1, 3).await;
    scene.store.end_member_device(first.account, device, at(1)).await.unwrap();
    assert_eq!(scene.due_ids(1).await, ["letter 2"]);
    let late = scene.store.put_letter(letter(1, ann, 3), MOST).await;
    assert!(matches!(late, Err(Fault::NotFound { what: "device" })), "{late:?}");
    scene.store.delete_member(second.account, at(2)).await.unwrap();
    assert_eq!(scene.due_ids(100).await, [""; 0]);
}

pub(super) async fn letters_put_at_once_have_places_of_their_own(scene: Scene) {
    let (ann, _) = scene.writers().await;
    let most = Amount { letters: 12, bytes: 1000, ..MOST };
    let put = join_all((0..16).map(|n| scene.store.put_letter(letter(1, ann, n), most))).await;
    assert_eq!(put.iter().filter(|put| put.is_ok()).count(), 12);
    for round in 0..12 {
        let due = scene.due(round * 100).await;
        assert_eq!(due.len(), 1);
        scene.settle(&due[0], Settled::Done { at: at(round * 100) }).await;
    }
    assert_eq!(scene.due_ids(9000).await, [""; 0]);
}
