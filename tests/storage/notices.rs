//! What a large change of a large group costs: a measurement, which asserts nothing about time. It
//! runs where the ignored tests are included.

use std::time::Instant;

use bytes::Bytes;
use sealpost::domain::conversation::Role;
use sealpost::domain::conversation::change::{Change, Changed, Edits};
use sealpost::domain::conversation::group::NewGroup;
use sealpost::domain::conversation::notice::{Notice, Notices};
use sealpost::domain::ids::{AccountNumber, CodeId, ConversationId};
use sealpost::domain::session::Session;
use sealpost::storage::conformance::scene::{START, Scene, at, message_id};

use super::Folder;

/// Accounts with two devices each.
async fn people(scene: &Scene, numbers: std::ops::Range<u16>) -> Vec<Session> {
    let mut devices = Vec::new();
    for n in numbers {
        let account = scene.account(n).await;
        devices.push(scene.session(&account, 2 * n).await);
        devices.push(scene.session(&account, 2 * n + 1).await);
    }
    devices
}

fn notices(from: &Session, list: Vec<Notice>) -> Notices {
    Notices {
        sender: from.account,
        sender_session: from.number,
        quota: Scene::quota(10_000, START),
        at: START,
        expires_at: at(1_000_000),
        list,
    }
}

fn accounts(devices: &[Session]) -> Vec<AccountNumber> {
    devices.iter().step_by(2).map(|device| device.account).collect()
}

#[tokio::test]
#[ignore = "a measurement"]
async fn adding_a_hundred_people_to_a_group() {
    let folder = Folder::new();
    let scene = Scene::new(folder.sqlite().await);
    let owner = scene.device(1).await;
    let (members, newcomers) = (people(&scene, 2..157).await, people(&scene, 200..300).await);
    let readers = people(&scene, 300..400).await;
    let readers: Vec<&Session> = readers.iter().collect();
    let mut batch = Vec::new();
    for n in 1..=1000 {
        batch.push(scene.message(&owner, &readers, n).await);
        if batch.len() == 100 {
            scene.store.accept(std::mem::take(&mut batch)).await.unwrap();
        }
    }
    let id = ConversationId::from_bytes([5; 16]);
    let group = NewGroup {
        id,
        creator: owner.account,
        name: String::new(),
        announcement: String::new(),
        code: CodeId::from_bytes([1; 16]),
        participants: std::iter::once(owner.account)
            .chain(accounts(&members))
            .map(|it| (it, Role::Member))
            .collect(),
        notices: notices(&owner, Vec::new()),
    };
    scene.store.create_group(group).await.unwrap();
    let found = scene.store.fresh_conversations(&[id]).await.unwrap().remove(0);
    let accept = async |n| {
        let message = scene.message(&owner, &readers, n).await;
        let begin = Instant::now();
        scene.accept(message).await;
        begin.elapsed()
    };
    let (_, before) = (accept(2000).await, accept(2001).await);
    let everybody: Vec<_> = std::iter::once(owner.account).chain(accounts(&members)).collect();
    let news = accounts(&newcomers).into_iter().enumerate().map(|(place, new)| Notice {
        message_id: message_id(3000 + u16::try_from(place).unwrap()),
        body: Bytes::from(vec![b'x'; 150]),
        readers: everybody.iter().copied().chain([new]).collect(),
    });
    let add = accounts(&newcomers).into_iter().map(|it| (it, Role::Member)).collect();
    let change = Change {
        conversation: found.number,
        id,
        generation: found.generation,
        edits: Edits { add, ..Edits::default() },
        notices: notices(&owner, news.collect()),
    };
    let begin = Instant::now();
    let changed = scene.store.change_conversation(change).await.unwrap();
    let took = begin.elapsed();
    let Changed::Made(woken) = changed else { panic!("{changed:?}") };
    let (first, second) = (accept(2002).await, accept(2003).await);
    eprintln!(
        "ADD of 100: {took:?}, {} sessions; accept before {before:?}, after {first:?}, then {second:?}",
        woken.len()
    );
}
