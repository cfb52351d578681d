//! What an empty fetch costs on the first day, and after many messages were delivered.
//!
//! The messages are written by hand, as floor (b) does it; everything after that is real: readers
//! fetch them page by page from the gateway and acknowledge each page, and the gateway's sweeper and
//! the server's vacuum remove what they remove. The first day has a twentieth of the deliveries, so
//! that logs and caches have begun their work on both sides.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::gateway_process::Gateway;
use super::load::Connection;
use super::numbers::{float, percentile};
use super::reading::{CONNECTIONS, DEVICES, PEOPLE, data, drain, tokens};
use super::requests::{FloorMessage, Prepared, http};
use super::shape::Shape;
use super::store::{Copy, Template};
use super::table::bound;

/// Messages that are written at a time.
const AT_ONCE: usize = 16_384;

/// How much less is delivered on the first day.
const LESS: usize = 20;

/// How long the sweeper and the vacuum have.
const PATIENCE: Duration = Duration::from_secs(180);

/// Turns of each side, and fetches for each device in a turn. The first turn is not counted: it
/// warms what is remembered of the tokens.
const TURNS: usize = 17;
const FETCHES: usize = 2;

/// A gateway and its database.
struct Side {
    gateway: Gateway,
    copy: Copy,
    /// How much it has delivered, and how long that took.
    delivered: usize,
    seconds: f64,
}

/// What fetches that found nothing took.
#[derive(Default)]
struct Empty {
    times: Vec<Duration>,
    cpu: f64,
}

/// Measures empty fetches before and after so many deliveries.
pub async fn measure(template: &Template, deliveries: usize) -> String {
    let tokens = tokens(template);
    let copy = template.other_copy(0).await;
    let fresh = Side::after(template, copy, &tokens, deliveries / LESS).await;
    fresh.swept().await;
    let used = Side::after(template, template.copy().await, &tokens, deliveries).await;
    let at_once = compare(&fresh, &used, &tokens).await;
    let left = used.swept().await;
    let later = compare(&fresh, &used, &tokens).await;
    let stored = used.copy.stored().await;
    assert_eq!(stored.slots, 0, "what was acknowledged is gone");
    let (first_day, delivered, seconds) = (fresh.delivered, used.delivered, used.seconds);
    fresh.gateway.process.stop();
    used.gateway.process.stop();

    let mut text = format!(
        "### After {delivered} deliveries\n\n{} devices fetched and acknowledged so many messages \
         in {seconds:.0} s. Then empty fetches, in turns with a gateway on its first day, which has \
         delivered {first_day}: at once, when the sweeper's work is counted too, and later, when the \
         sweeper and the server's vacuum had had their time. {left} of the messages were left then. \
         CPU in seconds for 1,000 fetches, PostgreSQL's own processes included.\n\n\
         | | first day, p50 ms | p99 | CPU | then, p50 ms | p99 | CPU |\n\
         |---|---:|---:|---:|---:|---:|---:|\n",
        tokens.len(),
    );
    row(&mut text, "at once", &at_once);
    row(&mut text, "later", &later);
    text += "\n| | measured | promised | |\n|---|---:|---:|---|\n";
    let [before, after] = &later;
    let middle = |it: &Empty| percentile(&it.times, 50);
    bound(&mut text, "time of an empty fetch later", middle(after) / middle(before), 1.2);
    bound(&mut text, "CPU of an empty fetch later", after.cpu / before.cpu, 1.2);
    text
}

fn row(text: &mut String, when: &str, sides: &[Empty; 2]) {
    let cells = sides.iter().map(|it| {
        let cpu = it.cpu / float(it.times.len()) * 1e3;
        format!("{:.3} | {:.3} | {cpu:.4}", percentile(&it.times, 50), percentile(&it.times, 99))
    });
    *text += &format!("| {when} | {} |\n", cells.collect::<Vec<_>>().join(" | "));
}

impl Side {
    /// A gateway that has delivered so much.
    async fn after(template: &Template, copy: Copy, tokens: &[String], deliveries: usize) -> Self {
        let messages = stock(template, &copy, deliveries).await;
        let gateway = Gateway::serve(&copy);
        let start = Instant::now();
        let delivered = drain(gateway.process.address(), tokens).await.rows;
        assert_eq!(delivered, messages * DEVICES, "each message comes once to each device");
        Self { gateway, copy, delivered, seconds: start.elapsed().as_secs_f64() }
    }

    /// Waits until the sweeper has removed what was read, and the server has cleaned up behind it;
    /// says how many messages are left.
    async fn swept(&self) -> i64 {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = self.copy.stored().await.payloads;
            if (left == 0 && self.copy.is_vacuumed().await) || Instant::now() > end {
                return left;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn cpu(&self) -> f64 {
        self.gateway.process.cpu() + self.copy.server_cpu()
    }
}

/// Puts messages into the inboxes of all readers; says how many.
async fn stock(template: &Template, copy: &Copy, deliveries: usize) -> usize {
    let shape = Shape::new(1, PEOPLE, DEVICES);
    let pattern = Prepared::new_for(&template.scene, &shape, 16, 29, PEOPLE).rows;
    let messages = deliveries.div_ceil(DEVICES).next_multiple_of(PEOPLE);
    let mut numbered = (0_u64..).zip(pattern.iter().cycle()).take(messages).map(renamed);
    let mut written = 0;
    while written < messages {
        let rows: Vec<_> = numbered.by_ref().take(AT_ONCE).collect();
        written += rows.len();
        copy.floor(&Arc::new(rows), 1000, CONNECTIONS).await;
    }
    rustix::fs::sync();
    messages
}

/// The same message under an id of its own.
fn renamed((number, message): (u64, &FloorMessage)) -> FloorMessage {
    let mut message_id = message.message_id;
    message_id[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    message_id[6] = 0x40 | message_id[6] & 0x0f;
    message_id[8] = 0x80 | message_id[8] & 0x3f;
    message_id[12..].copy_from_slice(&number.to_be_bytes()[4..]);
    FloorMessage { message_id, ..message.clone() }
}

/// Fetches that find nothing, in turns from both gateways.
async fn compare(fresh: &Side, used: &Side, tokens: &[String]) -> [Empty; 2] {
    let requests: Vec<_> = tokens.iter().map(|token| http("GET", "/inbox", token, b"")).collect();
    let sides = [fresh, used];
    let mut connections = [
        Connection::open(fresh.gateway.process.address()).await,
        Connection::open(used.gateway.process.address()).await,
    ];
    let mut found = [Empty::default(), Empty::default()];
    for turn in 0..TURNS {
        for ((side, connection), empty) in sides.iter().zip(&mut connections).zip(&mut found) {
            let before = side.cpu();
            let mut times = Vec::new();
            for request in requests.iter().cycle().take(requests.len() * FETCHES) {
                let start = Instant::now();
                let answer = connection.ask(request).await;
                times.push(start.elapsed());
                assert!(data(&answer).is_empty(), "nothing waits");
            }
            if turn > 0 {
                empty.cpu += side.cpu() - before;
                empty.times.extend(times);
            }
        }
    }
    found
}
