//! The program's own log: on standard error, quiet by default, text or one JSON object a line.

use tracing::Level;
use tracing_subscriber::fmt;

use crate::config::LogFormat;
use crate::context::Context;

/// Starts logging as flags and configuration ask. A second start (in tests) is ignored.
pub(crate) fn start(context: &Context) {
    let level = match context.globals.verbose {
        0 => Level::WARN,
        1 => Level::INFO,
        2 => Level::DEBUG,
        _ => Level::TRACE,
    };
    // A broken configuration is reported by the command that needs it; until then the log is plain text.
    let format = context.settings().map(|s| s.config.log_format).unwrap_or_default();
    let builder = fmt().with_max_level(level).with_writer(std::io::stderr);
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
