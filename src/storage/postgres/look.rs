//! Looking at a database without changing anything.

use std::sync::{Arc, Mutex};

use super::fronts::Fronts;
use super::handed_out::HandedOut;
use super::link::Statements;
use super::{PostgresConfig, PostgresStore, connect, migrate};
use crate::storage::batch::Writer;
use crate::storage::open::{OpenError, Progress};

impl PostgresStore {
    /// Opens an existing database to look at it: nothing is made, brought up to date or changed.
    ///
    /// # Errors
    /// When the server cannot be reached, is too old, or its tables belong to a newer or another
    /// program.
    pub async fn look_at(config: &PostgresConfig) -> Result<(Self, Progress), OpenError> {
        let options = connect::options(config)?;
        let (mut connection, _) = connect::connect(&options, config.patience).await?;
        let progress = migrate::progress(&mut connection, &options).await?;
        let pool = connect::onlookers(config, &options);
        let statements = if config.pooler { Statements::Unnamed } else { Statements::Kept };
        let store = Self {
            pool,
            statements,
            fronts: Fronts::default(),
            handed_out: HandedOut::default(),
            writer: Writer::closed(),
            // Nobody who looks around asks for message ids, whose tables may not be there yet.
            memory: Arc::default(),
            era_ids: config.era_ids,
            forgotten: Mutex::default(),
        };
        Ok((store, progress))
    }
}
