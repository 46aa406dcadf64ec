//! What other portals wrote, as PostgreSQL tells it (`LISTEN`): its triggers speak, so that no writer can forget to. News
//! is a hint and never needed: who waits for it looks by itself as well, only less often.

use sqlx::postgres::PgListener;

use super::{Doing, Store, StoreError};

/// Channel of bundles that wait.
const BUNDLES: &str = "assay_bundles";
/// Channel of devices that have something to be told.
const DEVICES: &str = "assay_devices";

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A bundle waits.
    Bundle,
    /// Something changed that this device is told.
    Device(String),
    /// Anything may have: the line was lost for a while, or every device is meant.
    Anything,
}

/// The line on which news comes.
pub struct Line(PgListener);

impl Line {
    /// The next news.
    ///
    /// # Errors
    /// When the line is lost.
    pub async fn next(&mut self) -> Result<News, StoreError> {
        let told = self.0.try_recv().await.doing("hear from other portals")?;
        Ok(match told {
            Some(told) if told.channel() == BUNDLES => News::Bundle,
            Some(told) if !told.payload().is_empty() => News::Device(told.payload().to_owned()),
            _ => News::Anything,
        })
    }
}

impl Store {
    /// Opens the line; none on SQLite, where one portal serves alone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn news(&self) -> Result<Option<Line>, StoreError> {
        const DOING: &str = "listen to other portals";
        let Some(server) = &self.server else { return Ok(None) };
        let mut line = PgListener::connect(server.url()).await.doing(DOING)?;
        line.listen_all([BUNDLES, DEVICES]).await.doing(DOING)?;
        Ok(Some(Line(line)))
    }
}
