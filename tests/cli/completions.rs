//! `completions`: a script for each shell that knows every command.

use std::process::Command;

use super::world::Place;

#[test]
fn each_shell_gets_a_script_that_knows_the_commands() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.good(&["completions", shell]);
        for word in ["broadcast", "set-aside", "completions", "keystore"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
    }
}

#[test]
fn bash_completes_with_it() {
    let place = Place::new();
    let script = place.good(&["completions", "bash"]);
    std::fs::write(place.path("sealpost.bash"), script).unwrap();
    let ask = "source ./sealpost.bash; COMP_WORDS=(sealpost bot br); COMP_CWORD=2; \
               _sealpost sealpost br bot; echo \"${COMPREPLY[*]}\"";
    let output = Command::new("bash")
        .args(["--norc", "-c", ask])
        .current_dir(place.path("."))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "broadcast", "{output:?}");
}
