//! A box from its making to what was left in it.

use std::path::PathBuf;

use tempfile::TempDir;

use super::{PASSPHRASE, Stage, makes_box, sends_text};

const TEXT: &str = "Liebe Ada,\nder Schlüssel liegt unter 鉢 🪴 <b>links</b>.\n";

/// 10 MB that no page could guess, and that end within a chunk.
fn large() -> Vec<u8> {
    let mut state = 0x9E37_79B9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..10_000_000).map(|_| next()).collect()
}

fn file(folder: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn what_a_stranger_leaves_by_the_link_its_owner_reads_byte_for_byte() {
    let stage = Stage::open().await;
    let owner = stage.owner().await;
    let stranger = stage.visits(&stage.visitor().await, &owner.link).await;
    stranger.reads("#box-status", "belong together").await;
    let (folder, bytes) = (tempfile::tempdir().unwrap(), large());
    let path = file(&folder, "plan für Ada.bin", &bytes);
    stranger.chooses("#write-files", &[&path]).await;
    sends_text(&stranger, TEXT).await;
    stranger.reads("#write-sent", "plan für Ada.bin").await;

    owner.opens_the_box(PASSPHRASE).await;
    owner.page.reads("#read-form .status", "2 messages").await;
    assert_eq!(owner.page.text("#read-messages .text:not([hidden])").await, TEXT);
    owner.page.reads("#read-messages .name", "plan für Ada.bin (10 MB)").await;
    owner.page.presses("#read-messages .save:not([hidden])").await;
    let saved = owner.visitor.downloaded("plan für Ada.bin").await;
    assert!(saved == bytes, "{} bytes came back, or others", saved.len());
    stage.insists_on_peace(&stranger);
    stage.insists_on_peace(&owner.page);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn files_at_the_edges_of_chunks_come_back_whole() {
    let stage = Stage::open().await;
    let owner = stage.owner().await;
    let folder = tempfile::tempdir().unwrap();
    let sizes = [0, 1, 65_536, 65_537, 131_072];
    let bytes = |size: usize| vec![u8::try_from(size % 251).unwrap(); size];
    let paths = sizes.map(|size| file(&folder, &format!("{size}.bin"), &bytes(size)));
    owner.page.chooses("#write-files", &paths.each_ref().map(PathBuf::as_path)).await;
    owner.page.presses("#write-form button").await;
    owner.page.reads("#write-form .status", "Sent.").await;
    owner.opens_the_box(PASSPHRASE).await;
    owner.page.reads("#read-form .status", "5 messages").await;
    for size in sizes {
        let press = "(name) => [...document.querySelectorAll('#read-messages > li')]\
                     .find((item) => item.innerText.includes(name)).querySelector('.save').click()";
        let name = format!("{size}.bin");
        owner.page.applies(press, &name.clone().into()).await;
        assert!(owner.visitor.downloaded(&name).await == bytes(size), "{name}");
    }
    stage.insists_on_peace(&owner.page);
}

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn neither_passphrase_nor_text_goes_to_the_gateway() {
    let stage = Stage::open().await;
    let (_visitor, page) = stage.person_at("/keyservice").await;
    let listen = "{ window.sent = []; const real = window.fetch.bind(window); \
                  window.fetch = (url, options) => { \
                  window.sent.push(url, String(options.body), ...options.headers.values()); \
                  return real(url, options); }; }";
    page.evaluates(listen).await;
    makes_box(&page, "eight words or so").await;
    page.presses("#created-go").await;
    page.sees("!document.getElementById('box-parts').hidden").await;
    sends_text(&page, "under the flowerpot").await;
    page.fills("#read-passphrase", "eight words or so").await;
    page.presses("#read-form button").await;
    page.reads("#read-messages .text", "under the flowerpot").await;
    let sent = page.evaluates("window.sent.join('\\n')").await;
    let sent = sent.as_str().unwrap();
    assert!(sent.contains("authdigest"), "nothing was seen: {sent}");
    for secret in ["eight words", "flowerpot"] {
        assert!(!sent.contains(secret), "{secret} was sent");
    }
}
