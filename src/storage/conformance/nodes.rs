//! Stories about other gateways.

use futures_util::future::join_all;

use super::scene::{START, Scene, at, key};
use crate::domain::Fault;
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionNumber;
use crate::domain::messenger::node::NodeId;
use crate::domain::messenger::outbox::{Letter, NewLetter, Settled};
use crate::domain::ports::KnownNode;

/// Letters that may wait in one line.
const MOST: u32 = 3;

fn node_id(n: u16) -> NodeId {
    NodeId::parse(&format!("node-{n}.example")).unwrap()
}

fn known(n: u16, api_url: &str, looked_up_at: Timestamp) -> KnownNode {
    let api_url = api_url.to_owned();
    KnownNode { id: node_id(n), api_url, key: key(n), is_strong: false, looked_up_at }
}

fn letter(node: u16, sender: i64, n: u8) -> NewLetter {
    NewLetter {
        node: node_id(node),
        sender: SessionNumber(sender),
        logical: format!("letter {n}"),
        digest: [n; 16],
        body: vec![n; 3],
        at: START,
        expires_at: at(1000),
    }
}

impl Scene {
    async fn put(&self, letter: NewLetter) {
        self.store.put_letter(letter, MOST).await.unwrap();
    }

    /// What is due then, held for a minute, by what it is.
    async fn due(&self, seconds: u64) -> Vec<Letter> {
        let mut due = self.store.due_letters(at(seconds), at(seconds + 60), 10).await.unwrap();
        due.sort_by_key(|letter| (letter.node.clone(), letter.sender));
        due
    }

    async fn due_ids(&self, seconds: u64) -> Vec<String> {
        self.due(seconds).await.into_iter().map(|letter| letter.logical).collect()
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

pub(super) async fn letters_leave_in_the_order_of_their_line(scene: Scene) {
    for n in 1..=2 {
        scene.put(letter(1, 1, n)).await;
        scene.put(letter(1, 1, n)).await;
    }
    scene.put(letter(1, 2, 8)).await;
    scene.put(letter(2, 1, 9)).await;
    let due = scene.due(0).await;
    let ids: Vec<_> = due.iter().map(|letter| letter.logical.as_str()).collect();
    assert_eq!(ids, ["letter 1", "letter 8", "letter 9"]);
    assert_eq!((due[0].body.as_slice(), due[0].attempts), (&[1; 3][..], 0));
    assert_eq!(scene.due_ids(59).await, [""; 0], "they are held");
    scene.store.settle_letter(&due[0], Settled::Done { at: at(1) }).await.unwrap();
    assert_eq!(scene.due_ids(1).await, ["letter 2"]);
    scene.store.settle_letter(&due[0], Settled::Done { at: at(2) }).await.unwrap();
    assert_eq!(scene.due_ids(2).await, [""; 0], "it was gone");
}

pub(super) async fn a_letter_that_was_put_off_holds_its_line_up(scene: Scene) {
    scene.put(letter(1, 1, 1)).await;
    scene.put(letter(1, 1, 2)).await;
    let due = scene.due(0).await;
    scene.store.settle_letter(&due[0], Settled::Again { at: at(20) }).await.unwrap();
    assert_eq!(scene.due_ids(19).await, [""; 0]);
    let due = scene.due(20).await;
    assert_eq!((due[0].logical.as_str(), due[0].attempts), ("letter 1", 1));
    scene.store.settle_letter(&due[0], Settled::Done { at: at(21) }).await.unwrap();
    let due = scene.due(21).await;
    assert_eq!((due[0].logical.as_str(), due[0].attempts), ("letter 2", 0));
}

pub(super) async fn only_so_many_letters_wait_in_a_line(scene: Scene) {
    for n in 1..=3 {
        scene.put(letter(1, 1, n)).await;
    }
    let refused = scene.store.put_letter(letter(1, 1, 4), MOST).await.unwrap_err();
    assert!(matches!(refused, Fault::Deferred { .. }), "{refused:?}");
    scene.put(letter(1, 1, 3)).await;
    scene.put(letter(1, 2, 4)).await;
}

pub(super) async fn letters_put_at_once_have_places_of_their_own(scene: Scene) {
    join_all((0..16).map(|n| scene.store.put_letter(letter(1, 1, n), 100))).await;
    for round in 0..16 {
        let due = scene.due(round * 100).await;
        assert_eq!(due.len(), 1);
        let done = Settled::Done { at: at(round * 100) };
        scene.store.settle_letter(&due[0], done).await.unwrap();
    }
    assert_eq!(scene.due_ids(9000).await, [""; 0]);
}
