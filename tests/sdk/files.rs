//! Files through the SDK and the gateway's own store.

use bytes::Bytes;
use sealpost::sdk::client::{File, TransferError};

use crate::harness::TestApp;

#[tokio::test]
async fn a_file_goes_up_travels_in_a_message_and_comes_down() {
    let app = TestApp::start().await;
    let url = format!("http://{}", app.listen().await);
    let (bot, anna) = (app.bot("news").await, app.person("Anna", 1).await);
    let (client, phone) = (bot.client(&app, &url), anna.devices[0].client(&app, &url));
    let picture = Bytes::from(vec![7; 300_000]);
    let attachment = client.upload(&picture, |_| ()).await.unwrap();
    client.send(&anna.user, File::new(attachment, "cat.png", "image/png")).await.unwrap();

    let message = phone.messages().next().await.unwrap().unwrap();
    let mut file = message.file().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cat.png");
    phone.download_to_file(&file.attachment, &path, |_| ()).await.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), picture);

    file.attachment.digest[0] ^= 1;
    let forged = phone.download(&file.attachment, |_| ()).await.unwrap_err();
    assert!(matches!(forged, TransferError::Forged(_)), "{forged:?}");
}
