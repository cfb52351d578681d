//! `session_refresh`: a device that is signed in between two texts is met once, and gets the second.

use sealpost::sdk::keystore::Keystore;

use super::Language;
use super::stage::{Stage, play};

/// What is said before somebody presses Enter, and after; and what is said on the way.
const FIRST: &str = "Before anything has changed";
const SECOND: &str = "After a device has come";
pub const STORY: [&str; 3] = ["delivered", "stale: 1 session -> 2 sessions", "delivered"];

/// What the table has for it.
pub const IN_THE_TABLE: &str = "1 session -> 2 sessions";

/// Runs the command, and says what was done.
pub fn meets_a_new_device(language: &Language) -> String {
    let stage = Stage::open();
    let phone = stage.person("anna", 1).remove(0);
    let user = phone.user_id;
    let mut command = stage.start(language, &stage.url(), "session_refresh", &[&user.to_string()]);
    assert_eq!(command.line(), STORY[0]);
    let tablet = Stage::sign_in(&stage.data(), user);
    command.enter();
    assert_eq!(command.end_well(), STORY[1..]);
    play(both_have_read(&stage, phone, tablet));
    stage.close();
    IN_THE_TABLE.to_owned()
}

/// Insists that the phone has both texts, and the tablet the second.
pub async fn both_have_read(stage: &Stage, phone: Keystore, tablet: Keystore) {
    stage.finds(&[phone], &[FIRST, SECOND]).await;
    stage.finds(&[tablet], &[SECOND]).await;
}
