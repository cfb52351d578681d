//! What the gateway costs, beside what HTTP and the database cost alone in the same run.
//!
//! Run with `scripts/bench.sh`. Everything is measured in turns, round by round, so that a busy
//! machine slows all of it alike: compare columns of one run, not numbers of two. Requests are
//! sealed and signed before a clock starts; every answer is looked at after it has stopped.

#[path = "gateway/accept.rs"]
mod accept;
#[path = "gateway/arguments.rs"]
mod arguments;
#[path = "gateway/crowd.rs"]
mod crowd;
#[path = "gateway/delivered.rs"]
mod delivered;
#[path = "gateway/drop_boxes.rs"]
mod drop_boxes;
#[path = "gateway/gateway_process.rs"]
mod gateway_process;
#[path = "gateway/growth.rs"]
mod growth;
#[path = "gateway/http_floor.rs"]
mod http_floor;
#[path = "gateway/load.rs"]
mod load;
#[path = "gateway/measure.rs"]
mod measure;
#[path = "gateway/members.rs"]
mod members;
#[path = "gateway/members_crowd.rs"]
mod members_crowd;
#[path = "gateway/members_people.rs"]
mod members_people;
#[path = "gateway/members_signing.rs"]
mod members_signing;
#[path = "gateway/numbers.rs"]
mod numbers;
#[path = "gateway/pace.rs"]
mod pace;
#[path = "gateway/phones.rs"]
mod phones;
#[path = "gateway/postgres_crowd.rs"]
mod postgres_crowd;
#[path = "gateway/postgres_floor.rs"]
mod postgres_floor;
#[path = "gateway/pressure.rs"]
mod pressure;
#[path = "gateway/process.rs"]
mod process;
#[path = "gateway/progress.rs"]
mod progress;
#[path = "gateway/reading.rs"]
mod reading;
#[path = "gateway/requests.rs"]
mod requests;
#[path = "gateway/results.rs"]
mod results;
#[path = "gateway/scene.rs"]
mod scene;
#[path = "gateway/shape.rs"]
mod shape;
#[path = "gateway/sockets.rs"]
mod sockets;
#[path = "gateway/sqlite_crowd.rs"]
mod sqlite_crowd;
#[path = "gateway/sqlite_floor.rs"]
mod sqlite_floor;
#[path = "gateway/sqlite_ids.rs"]
mod sqlite_ids;
#[path = "gateway/sqlite_log.rs"]
mod sqlite_log;
#[path = "gateway/sqlite_rows.rs"]
mod sqlite_rows;
#[path = "gateway/sqlite_settling.rs"]
mod sqlite_settling;
#[path = "gateway/sqlite_used.rs"]
mod sqlite_used;
#[path = "gateway/store.rs"]
mod store;
#[path = "gateway/table.rs"]
mod table;
#[path = "gateway/usage.rs"]
mod usage;

use clap::Parser as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;

use accept::Effort;
use arguments::{Arguments, Part};
use progress::Progress;
use results::Results;
use store::Template;

/// The program's own, so that nothing differs but what is measured.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    raise_file_limit();
    let role = std::env::args().nth(1);
    match role.as_deref() {
        // These are measured, so they get what the program itself gets.
        Some(accept::HTTP_FLOOR) => runtime(Builder::new_multi_thread(), http_floor::serve()),
        Some(gateway_process::ALONE) => {
            runtime(Builder::new_multi_thread(), gateway_process::serve_alone());
        }
        // One thread for all clients: it takes as little as possible from what is measured.
        _ => runtime(Builder::new_current_thread(), run(Arguments::parse())),
    }
}

/// Every connection is an open file, on both of its ends.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    raised.expect("a limit may be raised as far as the system lets it");
}

fn runtime(mut builder: Builder, work: impl Future<Output = ()>) {
    builder.enable_all().build().expect("a runtime").block_on(work);
}

async fn run(arguments: Arguments) {
    if let Some(program) = arguments.program.clone() {
        gateway_process::PROGRAM.set(program).expect("it is set once");
    }
    let folder = match &arguments.folder {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a folder for databases");
    let mut progress = Progress::begin(&arguments);
    let mut results = Results::default();
    for server in arguments.databases() {
        let database = if server.is_some() { "PostgreSQL" } else { "SQLite" };
        let template = Template::make(folder.path(), server).await;
        progress.made(database);
        for part in arguments.parts() {
            let text = match part {
                Part::Accept => accepting(&arguments, &template, database, &mut progress).await,
                Part::Members => members::measure(&template, database, &arguments).await,
                Part::DropBoxes => drop_boxes::measure(&template, &arguments).await,
                _ => measure(&arguments, &template, part).await,
            };
            results.add(database, part, text);
            progress.finished(&arguments, database, part);
        }
    }
    println!("{}", results.text());
    if arguments.write {
        results.write();
    }
}

async fn measure(arguments: &Arguments, template: &Template, part: Part) -> String {
    let (rounds, scale) = (arguments.rounds, arguments.scale);
    match part {
        Part::Accept | Part::Members | Part::DropBoxes => String::new(),
        Part::Read => {
            let messages = numbers::count(200.0 * scale).max(1);
            reading::measure(template, rounds, messages).await
        }
        Part::Sockets => sockets::measure(template, rounds, scale).await,
        Part::Pressure => pressure::measure(template, rounds, scale).await,
        Part::Growth => growth::measure(template, rounds, scale, arguments.size()).await,
        Part::Delivered => delivered::measure(template, arguments.deliveries()).await,
    }
}

async fn accepting(
    arguments: &Arguments,
    template: &Template,
    database: &str,
    progress: &mut Progress,
) -> String {
    let mut all = Vec::new();
    for shape in progress::shapes(arguments) {
        let (rounds, scale) = (arguments.rounds, arguments.scale);
        let effort = Effort { rounds, scale, alone: table::wants_alone(&shape) };
        all.push(accept::measure(template, shape, effort).await);
        progress.measured(arguments, database, &shape);
    }
    let mut tables = vec![table::accepted(&all), table::processors(&all)];
    let mut promises = table::promises(database, &all);
    if phones::is_wanted(arguments) {
        let effort = Effort { rounds: arguments.rounds, scale: arguments.scale, alone: false };
        let compared = phones::measure(template, effort).await;
        progress.measured(arguments, database, &phones::SHAPE);
        tables.push(compared.rows());
        compared.promise(&mut promises);
    }
    tables.push(promises);
    tables.join("\n")
}
