//! The page's own modules over the vectors of version 2, in the browser.

use serde_json::{Value, json};

use super::Stage;

const VECTORS: &str = include_str!("../../vectors/keyservice_v2.json");
/// A function of the vectors: which came out differently, which were passed over, and how many
/// were checked.
const CHECK: &str = include_str!("vectors.js");

#[tokio::test]
#[ignore = "needs Chromium, which scripts/test.sh installs"]
async fn the_pages_modules_agree_with_the_vectors() {
    let stage = Stage::open().await;
    let (_visitor, page) = stage.person_at("/keyservice").await;
    let vectors: Value = serde_json::from_str(VECTORS).unwrap();
    let found = page.applies(CHECK, &vectors).await;
    assert_eq!(found["different"], json!([]));
    // Argon2id cannot be had here, and a page is at the path where it is.
    let passed_over = json!([
        "passphrases 0",
        "passphrases 1",
        "boxes 2: the key pair of the first with another kdf",
        "private_keys_refused 0: another passphrase",
        "letter_links_refused 8",
        "letter_links_refused 9",
        "share_links_refused 3",
        "share_links_refused 4",
    ]);
    assert_eq!(found["passedOver"], passed_over);
    let lists = vectors.as_object().unwrap().values().filter_map(Value::as_array);
    let all: usize = lists.map(Vec::len).sum();
    assert_eq!(found["checked"], all - passed_over.as_array().unwrap().len());
}
