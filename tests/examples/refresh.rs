//! `session_refresh`: a device that is signed in between two texts is met once, and gets the second.

use super::Language;
use super::stage::{Stage, play};

/// Runs the command, and says what was done.
pub fn meets_a_new_device(language: &Language) -> String {
    let stage = Stage::open();
    let phone = stage.person("anna", 1);
    let user = phone[0].user_id;
    let mut command = stage.start(language, &stage.url(), "session_refresh", &[&user.to_string()]);
    assert_eq!(command.line(), "delivered");
    let tablet = Stage::sign_in(&stage.data(), user);
    command.enter();
    assert_eq!(command.end_well(), ["stale: 1 session -> 2 sessions", "delivered"]);
    play(async {
        let both = [FIRST, SECOND];
        stage.finds(&phone, &both).await;
        stage.finds(&[tablet], &both[1..]).await;
    });
    stage.close();
    "1 session -> 2 sessions".to_owned()
}

/// What the command says before Enter, and after.
const FIRST: &str = "Before anything has changed";
const SECOND: &str = "After a device has come";
