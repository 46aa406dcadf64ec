//! `assay-portal serve`: logging, then the server.

use tracing_subscriber::filter::LevelFilter;

use crate::config::Settings;
use crate::server;

/// Serves until told to stop.
///
/// # Errors
/// When something that is needed cannot be opened.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(LevelFilter::INFO);
    if settings.log_json {
        log.json().init();
    } else {
        log.with_ansi(false).init();
    }
    server::serve(settings).await
}
