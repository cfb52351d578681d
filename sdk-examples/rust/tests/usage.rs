//! Each program says how it is called. That they do what they say is tested beside a gateway, in
//! `tests/examples.rs` of the server, which finds them where this test has them built.

use std::process::Command;

const PROGRAMS: [(&str, &str); 7] = [
    (env!("CARGO_BIN_EXE_vectors"), "vectors DIR"),
    (env!("CARGO_BIN_EXE_echo_bot"), "echo_bot KEYSTORE"),
    (env!("CARGO_BIN_EXE_broadcast"), "broadcast KEYSTORE PEOPLE TEXT"),
    (env!("CARGO_BIN_EXE_group_bot"), "group_bot KEYSTORE NAME USER..."),
    (env!("CARGO_BIN_EXE_session_refresh"), "session_refresh KEYSTORE USER"),
    (env!("CARGO_BIN_EXE_conversation_refresh"), "conversation_refresh KEYSTORE CONVERSATION"),
    (env!("CARGO_BIN_EXE_drop_box"), "drop_box GATEWAY | drop_box LINK [TEXT]"),
];

#[test]
fn every_program_says_how_it_is_called() -> Result<(), std::io::Error> {
    for (program, usage) in PROGRAMS {
        let called = Command::new(program).output()?;
        let said = String::from_utf8_lossy(&called.stderr).into_owned();
        assert!(!called.status.success(), "{program} does without arguments");
        assert!(said.contains(&format!("usage: {usage}")), "{said}");
    }
    Ok(())
}
