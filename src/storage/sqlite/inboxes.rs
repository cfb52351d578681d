//! What the steps of a transaction share about inboxes.

use super::connection::WriterConnection;
use super::fresh::Draft;
use super::rooms::Rooms;
use crate::domain::inbox::Intake;
use crate::storage::error::StoreError;

/// What a transaction knows of inboxes, and changes.
pub(super) struct Inboxes {
    pub rooms: Rooms,
    pub rows: Draft,
}

impl Inboxes {
    /// Finds out how much room there is for these messages.
    pub(super) fn look<'m>(
        &mut self,
        connection: &WriterConnection,
        messages: impl Iterator<Item = Intake<'m>>,
    ) -> Result<(), StoreError> {
        self.rooms.look(connection, &self.rows, messages)
    }

    /// Makes room in the inboxes that took more than there was room for, and leaves gap markers.
    pub(super) async fn trim(
        &mut self,
        connection: &mut WriterConnection,
    ) -> Result<(), StoreError> {
        self.rooms.trim(connection, &mut self.rows).await
    }
}
