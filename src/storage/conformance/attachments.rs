//! Stories about attachments: what is known of them, not their bytes.

use std::time::Duration;

use super::scene::{START, Scene, at, conflict};
use crate::domain::Fault;
use crate::domain::account::Account;
use crate::domain::attachment::{
    Allowance, Attachment, Content, Finished, Kept, NewAttachment, Upload,
};
use crate::domain::ids::AttachmentId;

fn attachment_id(n: u8) -> AttachmentId {
    AttachmentId::from_bytes([n.wrapping_mul(179); 16])
}

fn content(n: u8) -> Content {
    Content { length: u64::from(n) * 100, digest: [n; 32] }
}

/// Open for a minute.
async fn open(scene: &Scene, owner: &Account, n: u8) -> Attachment {
    let new = new(owner, n);
    scene.store.open_attachment(new, 10).await.unwrap()
}

fn new(owner: &Account, n: u8) -> NewAttachment {
    let (created_at, expires_at) = (at(u64::from(n)), at(60 + u64::from(n)));
    NewAttachment { id: attachment_id(n), owner: owner.number, created_at, expires_at }
}

/// Kept for an hour, in an account that may have 1000 bytes.
fn upload(n: u8) -> Upload {
    let (now, expires_at) = (at(30), at(3600 + u64::from(n)));
    let allowance = Allowance { files: 10, bytes: Some(1000) };
    Upload { id: attachment_id(n), content: content(n), now, expires_at, allowance }
}

pub(super) async fn an_attachment_is_found_as_it_was_made(scene: Scene) {
    let owner = scene.account(1).await;
    let made = open(&scene, &owner, 1).await;
    assert_eq!((made.id, made.owner, made.content), (attachment_id(1), owner.number, None));
    assert_eq!((made.created_at, made.expires_at), (at(1), at(61)));
    assert_eq!(scene.store.attachment(made.id).await.unwrap(), Some(made));
    assert_eq!(scene.store.attachment(attachment_id(2)).await.unwrap(), None);
}

pub(super) async fn an_upload_is_noted_once(scene: Scene) {
    let owner = scene.account(1).await;
    open(&scene, &owner, 1).await;
    let Finished::Kept(kept) = scene.store.finish_attachment(upload(1)).await.unwrap() else {
        panic!("there is room")
    };
    assert_eq!((kept.content, kept.expires_at), (Some(content(1)), at(3601)));
    let other = Upload { content: content(2), expires_at: at(9), ..upload(1) };
    assert_eq!(scene.store.finish_attachment(other).await.unwrap(), Finished::Kept(kept));
    assert_eq!(scene.store.attachment(kept.id).await.unwrap(), Some(kept));
    let unknown = scene.store.finish_attachment(upload(3)).await;
    assert!(matches!(unknown, Err(Fault::NotFound { what: "attachment" })));
}

pub(super) async fn an_account_has_room_for_so_many_bytes(scene: Scene) {
    let (owner, other) = (scene.account(1).await, scene.account(2).await);
    for n in [4, 6, 1] {
        open(&scene, &owner, n).await;
    }
    open(&scene, &other, 9).await;
    for n in [4, 6, 9] {
        let finished = scene.store.finish_attachment(upload(n)).await.unwrap();
        assert!(matches!(finished, Finished::Kept(_)), "{finished:?}");
    }
    let kept = Kept { files: 2, bytes: 1000 };
    assert_eq!(scene.store.attachments_kept(owner.number, 10).await.unwrap(), kept);
    let refused = scene.store.finish_attachment(upload(1)).await.unwrap();
    assert!(matches!(refused, Finished::NoRoom(it) if (it.actual, it.limit) == (1100, 1000)));
    // What was refused is over, so that its bytes can be removed.
    let allowance = Allowance { files: 10, bytes: None };
    let again = scene.store.finish_attachment(Upload { allowance, ..upload(1) }).await;
    assert!(matches!(again, Err(Fault::NotFound { what: "attachment" })));
    let ended = scene.store.end_attachments(START, 10).await.unwrap();
    assert_eq!(ended, [attachment_id(1)]);
}

pub(super) async fn an_account_has_room_for_so_many_files(scene: Scene) {
    let owner = scene.account(1).await;
    let allowance = Allowance { files: 2, bytes: None };
    for n in [1, 2, 3] {
        open(&scene, &owner, n).await;
    }
    for n in [1, 2] {
        let finished = scene.store.finish_attachment(Upload { allowance, ..upload(n) }).await;
        assert!(matches!(finished, Ok(Finished::Kept(_))), "{finished:?}");
    }
    let counted = scene.store.attachments_kept(owner.number, 1).await.unwrap();
    assert_eq!(counted.files, 1, "no further than asked");
    let refused = scene.store.finish_attachment(Upload { allowance, ..upload(3) }).await.unwrap();
    assert!(matches!(refused, Finished::NoRoom(it) if (it.actual, it.limit) == (3, 2)));
    let ended = scene.store.end_attachments(START, 10).await.unwrap();
    assert_eq!(ended, [attachment_id(3)]);
}

pub(super) async fn only_so_many_uploads_may_be_to_come(scene: Scene) {
    let (owner, other) = (scene.account(1).await, scene.account(2).await);
    for n in [1, 2] {
        scene.store.open_attachment(new(&owner, n), 2).await.unwrap();
    }
    let refused = scene.store.open_attachment(new(&owner, 3), 2).await;
    assert_eq!(conflict(refused).as_deref(), Some("attachments"));
    scene.store.open_attachment(new(&other, 4), 2).await.unwrap();
    scene.store.finish_attachment(upload(1)).await.unwrap();
    scene.store.open_attachment(new(&owner, 3), 2).await.unwrap();
}

pub(super) async fn what_is_over_ends_in_small_steps_and_cannot_be_uploaded(scene: Scene) {
    let owner = scene.account(1).await;
    for n in 1..=4 {
        open(&scene, &owner, n).await;
    }
    scene.store.finish_attachment(upload(4)).await.unwrap();
    assert!(scene.store.end_attachments(at(60), 10).await.unwrap().is_empty());
    let now = at(64).plus(Duration::from_secs(1));
    let ended = scene.store.end_attachments(now, 2).await.unwrap();
    assert_eq!(ended.len(), 2);
    for id in &ended {
        let late = Upload { id: *id, ..upload(1) };
        let late = scene.store.finish_attachment(late).await;
        assert!(matches!(late, Err(Fault::NotFound { what: "attachment" })));
    }
    // A step that broke off comes again, until it is forgotten.
    let mut again = scene.store.end_attachments(START, 10).await.unwrap();
    again.sort_unstable();
    let mut expected = ended.clone();
    expected.sort_unstable();
    assert_eq!(again, expected);
    scene.store.forget_attachments((1..=4).map(attachment_id).collect()).await.unwrap();
    assert!(scene.store.end_attachments(START, 10).await.unwrap().is_empty());
    assert_eq!(scene.store.end_attachments(now, 10).await.unwrap().len(), 1);
    assert!(scene.store.attachment(attachment_id(4)).await.unwrap().is_some());
}

pub(super) async fn attachments_on_file_are_told_from_strays(scene: Scene) {
    let owner = scene.account(1).await;
    open(&scene, &owner, 1).await;
    open(&scene, &owner, 2).await;
    let asked = [attachment_id(2), attachment_id(7), attachment_id(2)];
    let found = scene.store.attachments_among(&asked).await.unwrap();
    assert!(found.contains(&attachment_id(2)) && !found.contains(&attachment_id(7)));
    assert!(scene.store.attachments_among(&[]).await.unwrap().is_empty());
}
