//! The image and what Compose starts. No container runs where these tests do: what can be said of the
//! files is, and what the image runs is run.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use sealpost::config::Config;
use sealpost::sdk::keystore::Keystore;
use serde_json::Value;

use crate::backup::Server;
use crate::markdown;
use crate::program::Program;
use crate::shell::Shell;

/// What is run of the page, but for the commands of docker.
pub const SECRETS: (&str, &str) = ("docs/installation.md", "## With PostgreSQL, in containers");

/// The instructions of the Dockerfile, each on one line: what it is called, and the rest.
fn instructions() -> Vec<(String, String)> {
    let text = markdown::read("Dockerfile");
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let whole = markdown::commands(&lines.join("\n"));
    let instructions = whole.iter().filter_map(|line| line.split_once(' '));
    instructions.map(|(name, rest)| (name.to_owned(), rest.trim().to_owned())).collect()
}

/// The instructions of the last stage with this name.
fn last_stage(name: &str) -> Vec<String> {
    let all = instructions();
    let from = all.iter().rposition(|(name, _)| name == "FROM").expect("a stage");
    let stage = all[from..].iter().filter(|(one, _)| one == name);
    stage.map(|(_, rest)| rest.clone()).collect()
}

/// The words of an instruction in JSON.
fn words(instruction: &str) -> Vec<String> {
    let start = instruction.find('[').expect("a list in JSON");
    serde_json::from_str(&instruction[start..]).expect("a list in JSON")
}

fn only(name: &str) -> String {
    let mut found = last_stage(name);
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found.remove(0)
}

/// What the image sets for the program.
fn variables() -> Vec<(String, String)> {
    let pairs = only("ENV");
    let pairs = pairs.split(' ').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_image_is_built_from_the_lock_file_and_holds_nothing_that_builds() {
    let all = instructions();
    let stages: Vec<_> = all.iter().filter(|(name, _)| name == "FROM").collect();
    let (build, run) = (&stages[0].1, &stages[stages.len() - 1].1);
    assert_eq!((stages.len(), build.ends_with(" AS build")), (2, true), "{stages:?}");
    let rust = env!("CARGO_PKG_RUST_VERSION");
    assert!(build.starts_with(&format!("rust:{rust}-")), "{build} is not Rust {rust}");
    assert!(!run.contains("rust"), "{run}");
    assert!(
        all.iter()
            .any(|(name, rest)| name == "RUN" && rest.contains("cargo build --release --locked"))
    );
    assert_eq!(
        last_stage("COPY"),
        ["--from=build /source/target/release/sealpost /usr/local/bin/sealpost"]
    );
    let system = |base: &str| base.contains("bookworm");
    assert!(system(build) && system(run), "the program needs the C library that it was built with");
    for (_, script) in all.iter().filter(|(name, _)| name == "RUN") {
        let checked = Command::new("sh").args(["-n", "-c", script]).status();
        assert!(checked.expect("a shell").success(), "{script}");
    }
}

#[test]
fn the_image_runs_the_program_as_nobody_in_particular() {
    let user = only("USER");
    let numbers: Vec<u32> = user.split(':').map(|id| id.parse().expect("a number")).collect();
    assert!(numbers.len() == 2 && numbers.iter().all(|id| *id >= 10_000), "{user}");
    let made = last_stage("RUN").concat();
    assert!(made.contains(&format!("useradd --uid {} --gid {}", numbers[0], numbers[1])), "{made}");
    assert_eq!(only("STOPSIGNAL"), "SIGTERM");
    let variables = variables();
    let of = |name: &str| variables.iter().find(|(one, _)| one == name).expect(name).1.clone();
    assert_eq!(only("VOLUME"), of("SEALPOST_DATA"));
    assert!(made.contains(&format!("--mode 0700 {}", of("SEALPOST_DATA"))), "{made}");
    assert!(of("SEALPOST_LISTEN").ends_with(&format!(":{}", only("EXPOSE"))));
    let secret = |name: &str| {
        ["KEY", "TOKEN", "PASSWORD", "SECRET", "URL"].iter().any(|one| name.contains(one))
    };
    assert!(!variables.iter().any(|(name, _)| secret(name)), "{variables:?}");
}

#[test]
fn the_image_serves_and_its_health_check_tells_whether() {
    let started = [words(&only("ENTRYPOINT")), words(&only("CMD"))].concat();
    assert_eq!(started, ["sealpost", "serve"]);
    let check = words(&only("HEALTHCHECK"));
    assert_eq!(check[0], "sealpost");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data = folder.path().join("data");
    let is_healthy = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sealpost"));
        let command = command.args(&check[1..]).env("SEALPOST_DATA", &data);
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().expect("the program starts").success()
    };
    assert!(!is_healthy(), "nobody serves yet");
    let gateway = Program::serve(&data);
    assert!(is_healthy());
    gateway.stop();
    assert!(!is_healthy(), "nobody serves any more");
}

#[test]
fn the_build_sees_what_it_needs_and_no_more() {
    let ignored = markdown::read(".dockerignore");
    let lines: Vec<_> =
        ignored.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(lines[0], "*", "everything stays outside at first");
    let seen: Vec<_> =
        lines[1..].iter().map(|line| line.strip_prefix('!').expect("an exception")).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    for path in &seen {
        let to = folder.path().join(path);
        fs::create_dir_all(to.parent().expect("a folder")).expect("a writable folder");
        let copied = Command::new("cp").arg("-r").arg(root.join(path)).arg(&to).status();
        assert!(copied.expect("cp starts").success(), "{path}");
    }
    // What cargo reads before it builds: members, targets, versions.
    let read = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(folder.path())
        .output()
        .expect("cargo starts");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    // And nothing that is anybody's own.
    for name in ["secrets", "echo.json", "sealpost-data", ".git", "target", "tests/vectors"] {
        assert!(!seen.iter().any(|path| name.starts_with(path)), "{name} would get into the image");
    }
}

/// `compose.yaml` as JSON, read by somebody else's parser.
fn compose() -> Value {
    let python = std::env::var("SEALPOST_INTEROP_PYTHON").expect(
        "scripts/test.sh sets SEALPOST_INTEROP_PYTHON, a Python with PyYAML; run that, or set it",
    );
    let program =
        "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("compose.yaml");
    let read =
        Command::new(python).args(["-c", program]).arg(file).output().expect("Python starts");
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    serde_json::from_slice(&read.stdout).expect("JSON")
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
#[ignore = "needs a Python with PyYAML, which scripts/test.sh prepares"]
fn what_compose_starts_is_healthy_private_and_not_root() {
    let compose = compose();
    let (gateway, database) = (&compose["services"]["gateway"], &compose["services"]["database"]);
    // The gateway is the image of this folder, with its user and its health check.
    assert_eq!((gateway["build"].as_str(), gateway.get("user")), (Some("."), None));
    assert!(gateway.get("healthcheck").is_none());
    assert_eq!(gateway["depends_on"]["database"]["condition"], "service_healthy");
    assert!(database["image"].as_str().expect("an image").starts_with("postgres:17"));
    assert_eq!(database["user"], "postgres");
    assert_eq!(texts(&database["healthcheck"]["test"])[..2], ["CMD", "pg_isready"]);
    for service in [gateway, database] {
        assert_eq!(service["read_only"], true);
        assert_eq!(texts(&service["cap_drop"]), ["ALL"]);
        assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"]);
        assert!(
            ["mem_limit", "cpus", "pids_limit"].iter().all(|limit| service.get(limit).is_some())
        );
        let [volume] = texts(&service["volumes"])[..] else { panic!("one volume: {service}") };
        let (volume, _) = volume.split_once(':').expect("a volume with a name");
        assert!(compose["volumes"].get(volume).is_some(), "{volume}");
        let environment = service["environment"].to_string();
        assert!(
            !environment.contains("postgres://") && !environment.contains("PASSWORD\""),
            "{environment}"
        );
        for secret in texts(&service["secrets"]) {
            assert!(
                environment.contains(&format!("/run/secrets/{secret}")),
                "{secret} is not read"
            );
            let file = compose["secrets"][secret]["file"].as_str().expect("a file");
            assert!(file.starts_with("secrets/"), "{file}");
        }
    }
    let kept = texts(&gateway["volumes"])[0].split_once(':').expect("a place").1;
    assert_eq!(kept, only("VOLUME"));
}

#[test]
#[ignore = "needs a Python with PyYAML, which scripts/test.sh prepares"]
fn from_outside_one_reaches_the_gateway_alone_and_by_its_proxy() {
    let compose = compose();
    let (gateway, database) = (&compose["services"]["gateway"], &compose["services"]["database"]);
    assert_eq!(texts(&gateway["ports"]), ["127.0.0.1:8080:8080"]);
    assert!(database.get("ports").is_none());
    assert_eq!(texts(&database["networks"]), ["back"]);
    assert_eq!(compose["networks"]["back"]["internal"], true);
    let front = &compose["networks"]["front"]["ipam"]["config"][0];
    assert_eq!(gateway["environment"]["SEALPOST_HTTP__TRUSTED_PROXIES"], front["gateway"]);
    let grace = gateway["stop_grace_period"].as_str().expect("a time").trim_end_matches('s');
    let grace: u64 = grace.parse().expect("seconds");
    assert!(grace > Config::default().http.stop_timeout().as_secs() + 10, "{grace} s are too few");
    // The manual recommends the same to whoever has a server already.
    let manual = markdown::read("docs/operation.md");
    for setting in texts(&database["command"]).iter().filter(|word| word.contains('=')) {
        let (name, value) = setting.split_once('=').expect("a setting");
        let line = manual.lines().find(|line| line.starts_with(&format!("{name} = ")));
        let line = line.unwrap_or_else(|| panic!("docs/operation.md says nothing of {name}"));
        assert!(
            name == "shared_buffers" || line.starts_with(&format!("{name} = {value}")),
            "{line}"
        );
    }
}

#[test]
fn the_commands_make_secrets_that_the_gateway_reads() {
    let shell = Shell::new();
    let blocks = markdown::commands_below(&markdown::read(SECRETS.0), SECRETS.1);
    markdown::commands(&blocks[0]).iter().for_each(|command| drop(shell.run(command)));
    let mode =
        |name: &str| fs::metadata(shell.path(name)).expect(name).permissions().mode() & 0o777;
    assert_eq!(mode("secrets"), 0o700);
    assert_eq!((mode("secrets/database_password"), mode("secrets/sealpost.toml")), (0o644, 0o644));
    let password = fs::read_to_string(shell.path("secrets/database_password")).expect("a password");
    let password = password.trim();
    assert!(password.len() == 64 && password.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let settings = fs::read_to_string(shell.path("secrets/sealpost.toml")).expect("settings");
    assert!(settings.contains(&format!(":{password}@database/sealpost\"")));
    // Nobody of that name is here: the settings are good, and the database is not to be found.
    let looked = shell.output("sealpost doctor --config secrets/sealpost.toml --data data");
    let looked = String::from_utf8_lossy(&looked.stdout).into_owned();
    assert!(looked.starts_with("ok    configuration   readable"), "{looked}");
    assert!(looked.contains("sealpost on database") && !looked.contains(password), "{looked}");
}

/// Stands in for docker: what is to run within a container is run here, and for the rest it says that
/// it was asked.
const DOCKER: &str = "case \"$*\" in
'compose exec --no-TTY '*) shift 4; exec \"$@\" ;;
'compose cp '*) exec cp -a \"$3\" \"$4\" ;;
'exec sealpost '*) shift 2; exec \"$@\" ;;
*) echo \"$*\" >>\"$HOME/asked\" ;;
esac";

#[test]
#[ignore = "needs a PostgreSQL server, which scripts/test.sh starts"]
fn what_the_commands_run_within_containers_works() {
    let (server, mut shell) = (Server::of_the_tests(), Shell::new());
    let (database, restored) = (server.name("contained"), server.name("contained_restored"));
    server.runs(&format!("CREATE DATABASE {database}"));
    server.set_in(&mut shell);
    shell.install("docker", DOCKER);
    shell.set("SEALPOST_DATA", shell.path("data").to_str().expect("a path in Unicode"));
    shell.replace("sealpost_restored", &restored);
    shell.replace("custom sealpost >", format!("custom {database} >"));
    shell.replace("gateway:/var/lib/sealpost", shell.path("data"));
    let url = server.url("contained");
    let settings = [("SEALPOST_DATABASE__URL", url.as_str())];
    let gateway = Program::serve_with(&shell.path("data"), "127.0.0.1:0", &settings);
    let page = markdown::read(SECRETS.0);
    let sections = [SECRETS.1, "## In a container alone"];
    let blocks = sections.map(|heading| markdown::commands_below(&page, heading)).concat();
    for block in blocks.iter().filter(|block| block.starts_with("docker ")) {
        markdown::commands(block).iter().for_each(|command| drop(shell.run(command)));
        if block.contains("gateway.example") {
            let bot = Keystore::from_file(shell.path("echo.json")).expect("a keystore");
            assert_eq!(bot.base_url.as_deref(), Some("https://gateway.example"));
        }
    }
    assert!(shell.path("gateway-data/blobs").exists());
    let accounts = format!("psql --tuples-only --no-align --dbname={restored}");
    let accounts = format!("{accounts} --command='SELECT count(*) FROM accounts'");
    assert_eq!(shell.run(&accounts).trim(), "1", "the bot of before the backup");
    let asked = fs::read_to_string(shell.path("asked")).expect("commands that were asked for");
    let expected = [
        "compose up --detach --build --wait",
        "compose stop gateway",
        "build --tag sealpost .",
        "run --detach --name sealpost --publish 127.0.0.1:8080:8080 --volume \
         sealpost:/var/lib/sealpost --read-only --tmpfs /tmp sealpost",
    ];
    assert_eq!(asked.lines().collect::<Vec<_>>(), expected);
    gateway.stop();
    [database, restored].iter().for_each(|name| server.runs(&format!("DROP DATABASE {name}")));
}
