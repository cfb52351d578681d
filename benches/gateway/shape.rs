//! What is sent: over how many connections, how many messages a request, for how many sessions.

/// How a sender says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A token signed for each request.
    Signed,
    /// One plain API token for all requests.
    Api,
}

/// What is measured in a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub connections: usize,
    /// Messages in a request.
    pub batch: usize,
    /// Sessions that each message is for.
    pub sessions: usize,
    pub credential: Credential,
}

impl Shape {
    pub const fn new(connections: usize, batch: usize, sessions: usize) -> Self {
        Self { connections, batch, sessions, credential: Credential::Api }
    }

    const fn signed(self) -> Self {
        Self { credential: Credential::Signed, ..self }
    }

    /// About a second's work for a gateway on two processors.
    pub fn requests(&self) -> usize {
        let messages = match (self.connections, self.batch, self.sessions) {
            (1, 1, _) => 2000,
            (_, 1, 256) => 3000,
            (_, 1, 100) => 5000,
            (_, 1, _) => 12_000,
            (_, 10, 256) => 4000,
            (_, 10, 100) => 5000,
            (1, 10, _) => 15_000,
            (_, 10, _) => 30_000,
            (_, _, 256) => 5000,
            (_, _, 100) => 10_000,
            _ => 50_000,
        };
        (messages / self.batch).max(1)
    }

    /// In words.
    pub fn name(&self) -> String {
        let Self { connections, batch, sessions, credential } = self;
        let credential = match credential {
            Credential::Signed => "signed",
            Credential::Api => "API token",
        };
        format!("{connections} × {batch} × {sessions}, {credential}")
    }
}

/// The shape of the first promise: large requests.
pub const LARGE: Shape = Shape::new(16, 100, 4);

/// The shape of the second promise: single messages.
pub const SINGLE: Shape = Shape::new(64, 1, 1);

/// The shape of the promise about device rows: a request is for a hundred devices.
pub const DEVICES: Shape = Shape::new(64, 1, 100);

/// The same for those who send more at a time.
pub const MORE_DEVICES: Shape = Shape::new(16, 10, 100);

/// What is measured when nobody asks for more.
pub fn usual() -> Vec<Shape> {
    vec![
        SINGLE,
        SINGLE.signed(),
        LARGE,
        LARGE.signed(),
        Shape::new(1, 1, 1),
        Shape::new(16, 1, 4),
        Shape::new(16, 10, 4),
        DEVICES,
        MORE_DEVICES,
        Shape::new(16, 10, 256),
    ]
}

/// Everything.
pub fn all() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for connections in [1, 16, 64] {
        for batch in [1, 10, 100] {
            for sessions in [1, 4, 256] {
                let shape = Shape::new(connections, batch, sessions);
                shapes.extend([shape, shape.signed()]);
            }
        }
    }
    shapes.extend([DEVICES, MORE_DEVICES]);
    shapes
}
