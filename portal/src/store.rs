//! The database: SQLite in WAL mode, one writing connection and several readers, so that a page never waits for an
//! upload and two writers never meet.
//!
//! One file per table or pair of tables; each adds methods to [`Store`]. Queries are written out, checked by the
//! tests, and name their columns. No query is built from text of outside.

use std::path::Path;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

pub mod bundles;
pub mod by_hand;
pub mod codes;
pub mod consents;
pub mod devices;
pub mod erasure;
pub mod failures;
pub mod key_life;
pub mod ledger;
pub mod nonces;
pub mod notices;
pub mod reports;
pub mod requests;
pub mod sessions;
pub mod uploads;
pub mod users;

/// Readers at once; more only queue at the disk.
const READERS: u32 = 4;
/// How long a writer of another process (`enroll-code`, `user add`) may hold the file.
const BUSY: Duration = Duration::from_secs(10);

/// The database.
#[derive(Clone)]
pub struct Store {
    writer: SqlitePool,
    readers: SqlitePool,
}

/// What went wrong in the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A statement failed.
    #[error("the database failed to {doing}")]
    Sql {
        /// What it was asked.
        doing: &'static str,
        /// Why not.
        #[source]
        source: sqlx::Error,
    },
    /// A migration failed.
    #[error(
        "the database could not be brought to this version: restore a backup, or use the program that made it"
    )]
    Migrate(#[source] sqlx::migrate::MigrateError),
}

/// Adds what was tried to an error of the driver.
trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Sql { doing, source })
    }
}

impl Store {
    /// Opens the database, making it when it is missing, and brings it to this version.
    ///
    /// # Errors
    /// When the file cannot be opened or was made by a newer program.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL, because a receipt that was given out must survive a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // What is deleted is overwritten, so that a deletion receipt tells the truth.
            .pragma("secure_delete", "ON")
            .busy_timeout(BUSY);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .doing("open (check its owner and the free space, or restore portal.db from a backup)")?;
        sqlx::migrate!("./migrations").run(&writer).await.map_err(StoreError::Migrate)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await
            .doing("open for reading")?;
        Ok(Self { writer, readers })
    }

    /// Closes all connections, so that the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
