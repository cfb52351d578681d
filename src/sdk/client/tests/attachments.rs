//! Files up and down.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::world::{Fault, World};
use crate::attachment::{decrypt, encrypted_length};
use crate::client::{Attachment, Content};
use crate::client::{Bot, File, TransferError};

fn picture(length: usize) -> Bytes {
    (0..length).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

async fn uploaded(bot: &Bot, length: usize) -> Attachment {
    bot.upload(&picture(length), |_| ()).await.unwrap()
}

#[tokio::test]
async fn a_file_goes_up_in_pieces_and_is_one_attachment() {
    let world = World::new().await;
    let done = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&done);
    let file = picture(200_001);
    let attachment = world
        .bot()
        .upload(&file, move |progress| {
            assert_eq!(progress.total, 200_001);
            assert!(seen.swap(progress.done, Ordering::SeqCst) < progress.done);
        })
        .await
        .unwrap();
    assert_eq!((done.load(Ordering::SeqCst), attachment.size), (200_001, 200_001));
    let state = world.state();
    let stored = &state.blobs[&attachment.id];
    assert_eq!(stored.len() as u64, encrypted_length(200_001));
    assert_eq!(decrypt(stored, &attachment.key, &attachment.digest).unwrap(), file);
}

#[tokio::test]
async fn a_file_that_was_uploaded_comes_down_again() {
    let world = World::new().await;
    let bot = world.bot();
    for length in [0, 15, 16, 17, 100_000] {
        let attachment = uploaded(&bot, length).await;
        assert_eq!(bot.download(&attachment, |_| ()).await.unwrap(), picture(length));
    }
}

#[tokio::test]
async fn an_upload_that_broke_off_begins_again_under_another_key() {
    let world = World::new().await;
    world.fault(
        "/attachments",
        Fault::Answer { status: 503, headers: Vec::new(), body: String::new() },
    );
    let bot = world.bot();
    let first = {
        // The address of the first attachment is not known before, so its failure is arranged here.
        let mut state = world.state();
        let next = state.fresh();
        state.next_number -= 1;
        crate::ids::AttachmentId::from_bytes(next)
    };
    let path: &'static str = Box::leak(format!("/blobs/{first}").into_boxed_str());
    world.fault(path, Fault::HangUp);
    let attachment = uploaded(&bot, 70_000).await;
    assert_ne!(attachment.id, first);
    assert_eq!(bot.download(&attachment, |_| ()).await.unwrap(), picture(70_000));
}

#[tokio::test]
async fn a_forged_file_is_refused_and_nothing_of_it_is_left() {
    let world = World::new().await;
    let bot = world.bot();
    let attachment = uploaded(&bot, 70_000).await;
    world.state().blobs.get_mut(&attachment.id).unwrap()[69_990] ^= 1;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cat.png");
    let error = bot.download_to_file(&attachment, &path, |_| ()).await.unwrap_err();
    assert!(matches!(error, TransferError::Forged(_)), "{error:?}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    assert!(bot.download(&attachment, |_| ()).await.is_err());
}

#[tokio::test]
async fn a_good_file_takes_its_name_at_the_end() {
    let world = World::new().await;
    let bot = world.bot();
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("source");
    std::fs::write(&source, picture(70_000)).unwrap();
    let attachment = bot.upload(Path::new(&source), |_| ()).await.unwrap();
    let path = directory.path().join("copy");
    bot.download_to_file(&attachment, &path, |_| ()).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), picture(70_000));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn more_than_was_announced_is_not_taken() {
    let world = World::new().await;
    let bot = world.bot();
    let mut attachment = uploaded(&bot, 70_000).await;
    attachment.size = 100;
    let error = bot.download(&attachment, |_| ()).await.unwrap_err();
    assert!(matches!(error, TransferError::Forged(_)), "{error:?}");
    attachment.size = u64::MAX;
    let error = bot.download(&attachment, |_| ()).await.unwrap_err();
    assert!(matches!(error, TransferError::TooLarge { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_travels_inside_a_message() {
    let world = World::new().await;
    let alice = world.account(1);
    let bot = world.bot();
    let attachment = uploaded(&bot, 10).await;
    let content = Content::from(File::new(attachment, "cat.png", "image/png"));
    let text = String::from_utf8(content.bytes().to_vec()).unwrap();
    let mut item = world.sealed(alice, 1, &text);
    item["category"] = "ENCRYPTED_DATA".into();
    world.deliver(vec![item]);
    let file = bot.messages().next().await.unwrap().unwrap().file().unwrap();
    assert_eq!((file.name.as_str(), file.mime_type.as_str()), ("cat.png", "image/png"));
    assert_eq!(bot.download(&file.attachment, |_| ()).await.unwrap(), picture(10));
}
