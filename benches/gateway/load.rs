//! Clients on their connections: prepared requests go out as they are, answers are kept and looked
//! at when the clock has stopped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::pace::Pace;
use super::process::own_cpu;

/// Connections that are kept open.
pub struct Clients(Vec<Connection>);

/// What a load came to.
#[derive(Default)]
pub struct Outcome {
    /// From the first request to the last answer.
    pub seconds: f64,
    /// When each request began, and what it took.
    pub begun: Vec<Instant>,
    pub times: Vec<Duration>,
    /// The answers, in the order of the requests.
    pub answers: Vec<Answer>,
    /// Seconds of processor time that the clients themselves took.
    pub own_cpu: f64,
}

/// A status and a body.
#[derive(Default)]
pub struct Answer {
    pub status: u16,
    /// Whether it says when to come again.
    pub says_when: bool,
    pub body: Vec<u8>,
}

/// One of them.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

struct Task {
    requests: Arc<[Bytes]>,
    next: AtomicUsize,
    /// When they come at a rate and not one after the other.
    pace: Option<Pace>,
}

impl Clients {
    pub async fn connect(address: SocketAddr, count: usize) -> Self {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(Connection::open(address).await);
        }
        Self(connections)
    }

    /// Sends requests, each connection the next one when it has its answer.
    pub async fn run(&mut self, requests: &Arc<[Bytes]>) -> Outcome {
        self.drive(requests, None).await
    }

    /// Sends requests at a rate. What has to wait for a free connection is counted from when it
    /// was due.
    pub async fn run_at(&mut self, requests: &Arc<[Bytes]>, each_second: f64) -> Outcome {
        self.drive(requests, Some(Pace::new(each_second))).await
    }

    async fn drive(&mut self, requests: &Arc<[Bytes]>, pace: Option<Pace>) -> Outcome {
        let (start, before) = (Instant::now(), own_cpu());
        let task = Task { requests: requests.clone(), next: AtomicUsize::new(0), pace };
        let task = Arc::new(task);
        let works = self.0.drain(..).map(|connection| {
            let task = task.clone();
            tokio::spawn(async move { connection.work(&task).await })
        });
        let works: Vec<_> = works.collect();
        let mut done = Vec::with_capacity(requests.len());
        for work in works {
            let (connection, answers) = work.await.expect("the clients do not panic");
            self.0.push(connection);
            done.extend(answers);
        }
        let (seconds, own_cpu) = (start.elapsed().as_secs_f64(), own_cpu() - before);
        done.sort_unstable_by_key(|(place, ..)| *place);
        let mut outcome = Outcome { seconds, own_cpu, ..Outcome::default() };
        for (_, begun, time, answer) in done {
            outcome.begun.push(begun);
            outcome.times.push(time);
            outcome.answers.push(answer);
        }
        outcome
    }
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the program listens");
        stream.set_nodelay(true).expect("a socket that is open");
        Self { stream, buffer: Vec::new() }
    }

    async fn work(mut self, task: &Task) -> (Self, Vec<(usize, Instant, Duration, Answer)>) {
        let mut done = Vec::new();
        loop {
            let place = task.next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = task.requests.get(place) else { return (self, done) };
            let begun = task.wait_for(place).await;
            let answer = self.ask(request).await;
            done.push((place, begun, begun.elapsed(), answer));
        }
    }

    /// Sends a request and reads the answer to its last byte.
    pub async fn ask(&mut self, request: &[u8]) -> Answer {
        let (end, fields) = self.head(request).await;
        let body = match fields.contains("\r\ntransfer-encoding: chunked") {
            true => self.pieces(end + 4).await,
            false => {
                self.rest(end + 4 + content_length(&fields)).await;
                self.buffer[end + 4..].to_vec()
            }
        };
        let says_when = fields.contains("\r\nretry-after:");
        Answer { status: self.status(), says_when, body }
    }

    /// The same for an answer that says how long it is; of its body it keeps that alone.
    pub async fn ask_for_length(&mut self, request: &[u8]) -> (u16, usize) {
        let (end, fields) = self.head(request).await;
        let length = content_length(&fields);
        self.rest(end + 4 + length).await;
        (self.status(), length)
    }

    /// Sends a request; returns where the head of its answer ends, and the head in small letters.
    async fn head(&mut self, request: &[u8]) -> (usize, String) {
        self.stream.write_all(request).await.expect("the program takes requests");
        self.buffer.clear();
        let end = loop {
            self.fill().await;
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
        };
        (end, String::from_utf8_lossy(&self.buffer[..end]).to_ascii_lowercase())
    }

    /// Reads until there are so many bytes.
    async fn rest(&mut self, length: usize) {
        self.buffer.reserve(length.saturating_sub(self.buffer.len()));
        while self.buffer.len() < length {
            self.fill().await;
        }
    }

    fn status(&self) -> u16 {
        let status = std::str::from_utf8(&self.buffer[9..12]).ok().and_then(|it| it.parse().ok());
        status.unwrap_or_default()
    }

    /// A body that comes in pieces, each after a line with its length; none is the end.
    async fn pieces(&mut self, mut start: usize) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                let rest = &self.buffer[start..];
                if let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
                    break line;
                }
                self.fill().await;
            };
            let length = std::str::from_utf8(&self.buffer[start..start + line]).ok();
            let length = length.and_then(|length| usize::from_str_radix(length, 16).ok());
            let length = length.expect("a piece says how long it is");
            start += line + 2;
            while self.buffer.len() < start + length + 2 {
                self.fill().await;
            }
            if length == 0 {
                return body;
            }
            body.extend_from_slice(&self.buffer[start..start + length]);
            start += length + 2;
        }
    }

    async fn fill(&mut self) {
        if self.buffer.spare_capacity_mut().is_empty() {
            self.buffer.reserve(16 * 1024);
        }
        let read = self.stream.read_buf(&mut self.buffer).await.expect("the program answers");
        assert!(read > 0, "the program closed a connection without an answer");
    }
}

impl Task {
    /// Waits until a request is due; returns when its time began.
    async fn wait_for(&self, place: usize) -> Instant {
        let now = Instant::now();
        let Some(pace) = self.pace else { return now };
        let due = pace.due(place);
        if due <= now {
            return due;
        }
        tokio::time::sleep_until(due.into()).await;
        // A timer's own lateness is not the program's.
        Instant::now()
    }
}

fn content_length(head: &str) -> usize {
    // That nothing follows is all that this status says.
    if head.starts_with("http/1.1 204 ") {
        return 0;
    }
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let value = value.and_then(|value| value.trim().parse().ok());
    value.unwrap_or_else(|| panic!("an answer without a length: {head}"))
}
