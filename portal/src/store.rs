//! The database: SQLite or PostgreSQL behind the same statements, which both take.
//!
//! What belongs to a tenant is behind [`Store::of`]: every statement there names the tenant, so a query without one does
//! not compile. [`Store`] itself offers only what stands outside tenants: who logs in, whose key signed a call,
//! redeeming a code, the serial ledger, and what the portal's own jobs look for. One file per table or pair of tables;
//! statements are written out, checked by the tests on both databases, and name their columns. No statement is built
//! from text of outside.
//!
//! SQLite runs in WAL mode with one writing connection and several readers, so that a page never waits for an upload
//! and two writers never meet: `BEGIN IMMEDIATE` puts every transaction in a line.
//!
//! PostgreSQL has one pool and many writers. There a transaction that decides on what it read says with [`Only`] what
//! nobody else may decide on meanwhile, and takes that lock first (`pg_advisory_xact_lock`, gone with the transaction).
//! It runs in `READ COMMITTED`, whatever the server's default: each statement behind the lock sees what the holder
//! before committed, which a snapshot from before the lock would not. So:
//!
//! | transaction | safe on PostgreSQL by |
//! |---|---|
//! | redeem a code | lock on enrolment: codes, keys and serial numbers are looked at in one line |
//! | change a key | locks on enrolment and on the device: the new key may not be enrolled meanwhile |
//! | move a key | locks on both devices |
//! | revoke, unrevoke, end a doubt, hear of a boot | lock on the device |
//! | keep a request (counts the open ones), keep a consent, decide a bundle | lock on the device |
//! | take a bundle that waits (one of a device at a time) | lock on the device; kept and given back by one conditional `UPDATE` |
//! | create an upload (counts the open ones), finish one, queue a brought bundle | lock on the device |
//! | move the offset of an upload, drop one; close a request; start, stop or close a session | one conditional `UPDATE` or `DELETE` |
//! | open a session, spend a nonce | a unique index and `ON CONFLICT` |
//! | keep a report | nothing is decided: at worst a report too many stays until the next |
//! | name a replacement | lock on the tenant's replacements |
//! | keep a user, add a tenant | lock on people |
//! | append to the file of an upload | lock on that upload, held beside the statements of the commit |
//! | everything in the ledger | lock on the ledger |
//! | delete a unit | locks on its devices; its first statement changes their keys, so rows that refer to them wait, and then fail |
//!
//! Locks are taken in one order ([`Only`]'s), so two transactions never wait for each other.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyPool, Executor, Transaction};
use tokio::sync::Semaphore;

pub mod bundles;
pub mod by_hand;
pub mod codes;
pub mod consents;
pub mod devices;
pub mod erasure;
pub mod failures;
pub mod key_life;
pub mod leases;
pub mod ledger;
pub mod news;
pub mod nonces;
pub mod notices;
pub mod place;
pub mod reports;
pub mod requests;
mod schema;
pub mod sessions;
pub mod tenants;
pub mod transfer;
pub mod uploads;
pub mod users;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use place::Place;
pub use tenants::{Tenant, TenantStore};

/// Readers of an SQLite file at once; more only queue at the disk.
const READERS: u32 = 4;
/// Connections to PostgreSQL (judgement: its usual limit is 100, and several portals share it).
const CONNECTIONS: u32 = 16;
/// How long a connection to PostgreSQL is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an SQLite connection is told first. FULL, because a receipt that was given out must survive a power cut; what
/// is deleted is overwritten, so that a deletion receipt tells the truth; a writer of another process (`enroll-code`,
/// `user add`) is waited for.
const WRITER: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON";
const READER: &str = "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON";

/// The database.
#[derive(Clone)]
pub struct Store {
    kind: Kind,
    writer: AnyPool,
    readers: AnyPool,
    /// Where the server is, for the line of news.
    server: Option<place::Server>,
    /// Room for those who hold a connection while they need another one: never all of them do.
    holders: Arc<Semaphore>,
}

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file of ours.
    Sqlite,
    /// A server.
    Postgres,
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

/// Yes or no as both databases keep it: 1 or 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flag(bool);

impl Flag {
    /// Whether it is a yes.
    pub fn is_set(self) -> bool {
        self.0
    }
}

impl From<i64> for Flag {
    fn from(number: i64) -> Self {
        Self(number != 0)
    }
}

/// A text as both databases can keep it: PostgreSQL has no NUL in a text.
fn kept(text: &str) -> Cow<'_, str> {
    match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{FFFD}")),
        false => Cow::Borrowed(text),
    }
}

/// Whether a text of outside can name something here. PostgreSQL would refuse to look for one with NUL in it.
fn can_be(text: &str) -> bool {
    !text.contains('\0')
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

/// What nobody else may decide on while a transaction does. Locks are taken in the order of this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Only<'a> {
    /// Tenants, people and their passwords.
    People,
    /// Codes, and which key is whose.
    Enrolment,
    /// Everything of one device.
    Device(&'a str),
    /// The file of one upload.
    Upload(&'a str),
    /// Replacements of one tenant.
    Replacements(&'a str),
    /// The serial ledger.
    Ledger,
}

impl Only<'_> {
    /// What the lock is called on the server.
    fn name(&self) -> String {
        match self {
            Self::People => "assay people".to_owned(),
            Self::Enrolment => "assay enrolment".to_owned(),
            Self::Device(id) => format!("assay device {id}"),
            Self::Upload(id) => format!("assay upload {id}"),
            Self::Replacements(tenant) => format!("assay replacements {tenant}"),
            Self::Ledger => "assay ledger".to_owned(),
        }
    }
}

impl Store {
    /// Opens the database, making it when it is missing, and brings it to this version.
    ///
    /// # Errors
    /// When it cannot be opened or was made by a newer program.
    pub async fn open(place: &Place) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        match place {
            Place::Sqlite(path) => Self::open_file(path).await,
            Place::Postgres(server) => {
                let pool = AnyPoolOptions::new()
                    .max_connections(CONNECTIONS)
                    .acquire_timeout(PATIENCE)
                    .connect_with(options(server.url())?)
                    .await
                    .doing("open (check `database` in the configuration, and that the server answers)")?;
                let migrator = sqlx::migrate!("./migrations/postgres");
                migrator.run(&pool).await.map_err(StoreError::Migrate)?;
                let server = Some(server.clone());
                let holders = Arc::new(Semaphore::new(CONNECTIONS as usize / 2));
                Ok(Self { kind: Kind::Postgres, writer: pool.clone(), readers: pool, server, holders })
            }
        }
    }

    async fn open_file(path: &Path) -> Result<Self, StoreError> {
        let connect = |mode, first: &'static str, most| {
            let pool = AnyPoolOptions::new().max_connections(most).after_connect(move |connection, _| {
                Box::pin(async move { connection.execute(first).await.map(drop) })
            });
            options(&place::file_url(path, mode)).map(|options| pool.connect_with(options))
        };
        let writer = connect("rwc", WRITER, 1)?
            .await
            .doing("open (check its owner and the free space, or restore portal.db from a backup)")?;
        let migrator = sqlx::migrate!("./migrations/sqlite");
        // Two programs may start at once on a new file. Each step is a transaction, so who comes second fails in one, and
        // finds it done when it looks again.
        let mut tries = migrator.iter().count();
        while let Err(error) = migrator.run(&writer).await {
            tries = tries.checked_sub(1).ok_or(StoreError::Migrate(error))?;
        }
        let readers = connect("ro", READER, READERS)?.await.doing("open for reading")?;
        Ok(Self { kind: Kind::Sqlite, writer, readers, server: None, holders: Arc::new(Semaphore::new(1)) })
    }

    /// Which database it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A transaction that decides on what it reads. Nobody else decides on the same until it ends.
    pub(crate) async fn begin(&self, only: &[Only<'_>]) -> Result<Transaction<'static, Any>, sqlx::Error> {
        if self.kind == Kind::Sqlite {
            return self.writer.begin_with("BEGIN IMMEDIATE").await;
        }
        let mut tx = self.writer.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
        let mut only = only.to_vec();
        only.sort();
        for one in only {
            sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
                .bind(one.name())
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx)
    }

    /// One look at everything, as it is now.
    async fn snapshot(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self.kind {
            Kind::Sqlite => self.readers.begin().await,
            Kind::Postgres => {
                self.readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await
            }
        }
    }

    /// Closes all connections, so that the write-ahead log of SQLite is folded into the file.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

fn options(url: &str) -> Result<AnyConnectOptions, StoreError> {
    url.parse().doing("understand where it is (check `database` in the configuration)")
}
