//! The gateway as a service: the commands of `docs/installation.md`, and the unit that they install.

use std::collections::BTreeMap;
use std::fs;

use sealpost::config::Config;
use sealpost::sdk::keystore::Keystore;

use crate::markdown;
use crate::program::Program;
use crate::shell::Shell;

/// What is run of the page.
pub const SECTION: (&str, &str) = ("docs/installation.md", "## As a service");

/// Of 100, how much of the machine a service may be exposed to in systemd's own judgement; one without
/// any restriction has 96.
const EXPOSURE: u32 = 20;

/// The settings of a unit; of those that are given more than once, the last.
fn unit() -> BTreeMap<String, String> {
    let text = markdown::read("deploy/sealpost.service");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A machine whose folders are below the shell's.
fn machine() -> Shell {
    let mut shell = Shell::new();
    let root = env!("CARGO_MANIFEST_DIR");
    shell.replace_owner();
    shell.replace("target/release/sealpost", env!("CARGO_BIN_EXE_sealpost"));
    shell.replace(" deploy/", format!(" {root}/deploy/"));
    shell.replace("/usr/local/bin", shell.path("local"));
    shell.replace("/etc/", shell.path("etc/"));
    shell.replace("/var/lib/sealpost", shell.path("data"));
    for folder in ["local", "etc/systemd/system"] {
        fs::create_dir_all(shell.path(folder)).expect("an empty folder");
    }
    // What would change this machine says that it was asked for instead.
    for name in ["cargo", "useradd", "systemctl"] {
        shell.install(name, &format!("echo \"{name} $*\" >>\"$HOME/asked\""));
    }
    shell
}

#[test]
fn every_command_that_installs_the_service_works() {
    let machine = machine();
    let blocks = markdown::commands_below(&markdown::read(SECTION.0), SECTION.1);
    let [install, start, use_it] = blocks.as_slice() else {
        panic!("{} blocks where three were", blocks.len());
    };
    markdown::commands(install).iter().for_each(|command| drop(machine.run(command)));
    assert!(machine.path("local/sealpost").exists());
    // The service brings its folder along, and the operator writes names into the settings.
    let settings = machine.path("etc/sealpost/sealpost.toml");
    let text = machine.translated(&fs::read_to_string(&settings).expect("it was installed"));
    fs::write(&settings, text).expect("a file of ours");
    let settings = settings.to_str().expect("a path in Unicode");
    let data = machine.path("data");
    let gateway = Program::serve_with(&data, "127.0.0.1:0", &[("SEALPOST_CONFIG", settings)]);
    let printed: String = markdown::commands(start).iter().map(|one| machine.run(one)).collect();
    assert!(printed.starts_with("ready\n"), "{printed}");
    assert!(printed.contains("ready, up for"), "{printed}");
    markdown::commands(use_it).iter().for_each(|command| drop(machine.run(command)));
    assert!(Keystore::from_file(machine.path("echo.json")).is_ok());
    let asked = fs::read_to_string(machine.path("asked")).expect("commands that were asked for");
    let asked: Vec<_> = asked.lines().collect();
    assert_eq!(asked[0], "cargo build --release --locked");
    assert!(asked[1].starts_with("useradd --system --home-dir "), "{asked:?}");
    assert_eq!(asked[2..], ["systemctl daemon-reload", "systemctl enable --now sealpost"]);
    gateway.stop();
}

#[test]
fn the_unit_starts_what_was_installed() {
    let unit = unit();
    assert_eq!(
        unit["ExecStart"],
        "/usr/local/bin/sealpost serve --config /etc/sealpost/sealpost.toml"
    );
    assert_eq!((unit["User"].as_str(), unit["StateDirectory"].as_str()), ("sealpost", "sealpost"));
    let settings = markdown::read("deploy/sealpost.toml");
    assert!(settings.contains(&format!("data = \"/var/lib/{}\"", unit["StateDirectory"])));
    let stop: u64 = unit["TimeoutStopSec"].trim_end_matches('s').parse().expect("seconds");
    assert!(stop > Config::default().http.stop_timeout().as_secs() + 10, "{stop} s are too few");
    // The program says nothing to systemd when it is ready.
    assert_eq!(unit["Type"], "exec");
}

#[test]
#[ignore = "needs systemd-analyze, which scripts/test.sh installs"]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let shell = Shell::new();
    let text = markdown::read("deploy/sealpost.service");
    let here = text.replace("/usr/local/bin/sealpost", env!("CARGO_BIN_EXE_sealpost"));
    fs::write(shell.path("sealpost.service"), &here).expect("a writable folder");
    let verified = shell.output("systemd-analyze verify --man=no ./sealpost.service");
    let said = String::from_utf8_lossy(&verified.stderr);
    let about_it: Vec<_> = said.lines().filter(|line| line.contains("sealpost")).collect();
    assert!(verified.status.success() && about_it.is_empty(), "{said}");
    // The same look finds a setting that there is not.
    fs::write(shell.path("sealpost.service"), here.replace("ProtectHome", "ProtectHouse")).unwrap();
    let wrong = shell.output("systemd-analyze verify --man=no ./sealpost.service");
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("ProtectHouse"), "{wrong:?}");
}

#[test]
#[ignore = "needs systemd-analyze, which scripts/test.sh installs"]
fn the_unit_leaves_the_service_little_to_do_harm_with() {
    let shell = Shell::new();
    let text = markdown::read("deploy/sealpost.service");
    fs::write(shell.path("sealpost.service"), text).expect("a writable folder");
    let judged = format!(
        "systemd-analyze security --no-pager --offline=yes --threshold={EXPOSURE} ./sealpost.service"
    );
    shell.run(&judged);
}
