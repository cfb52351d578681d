//! Whether anybody may listen on this node.

/// Why nobody may, if that is so.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Door {
    /// This node is shutting down.
    pub(super) closed: bool,
    /// Others are to serve whoever would listen, for now.
    pub(super) away: bool,
}

impl Door {
    /// Whether nobody may listen.
    pub(super) fn is_shut(self) -> bool {
        self.closed || self.away
    }
}
