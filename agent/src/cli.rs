//! The command line: what may be typed. Parsing does nothing but parse; clap's errors become exit code 64.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;
use clap::error::ErrorKind;

use crate::commands::Command;

/// Exit code of a command line that does not parse (BSD's EX_USAGE).
const USAGE: u8 = 64;

/// The exit codes, word for word in every help.
macro_rules! exit_codes {
    () => {
        "Exit codes: 0 healthy or done, 1 any defect or attention, 2 cannot tell, 3 failed, 64 wrong usage."
    };
}
pub(crate) use exit_codes;

/// What is wrong with the hardware of this NAS, on what evidence, and what to do about it.
#[derive(Parser)]
#[command(
    name = "assay",
    version,
    disable_help_subcommand = true,
    after_help = concat!("Start with `assay check`: it reads, says what it found and sends nothing.\n", exit_codes!())
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command has.
#[derive(clap::Args)]
pub(crate) struct Globals {
    /// Configuration file, instead of the usual place
    #[arg(long, global = true, value_name = "FILE", help_heading = "Everywhere")]
    pub(crate) config: Option<PathBuf>,
    /// Keep identity, spool and configuration below this folder [env: ASSAY_STATE_DIR]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Say more on standard error; twice for details
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Everywhere")]
    pub(crate) verbose: u8,
    /// Form of the log on standard error: text or json
    #[arg(long, global = true, value_name = "FORMAT", value_parser = ["text", "json"], help_heading = "Everywhere")]
    pub(crate) log_format: Option<String>,
}

/// Parses the arguments; the error is an exit code, its message already said.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, u8> {
    Cli::try_parse_from(arguments).map_err(|error| {
        let code = match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
            _ => USAGE,
        };
        // A reader of the help that went away is no failure.
        let _ = error.print();
        code
    })
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound_and_every_help_says_the_exit_codes() {
        let command = Cli::command();
        command.clone().debug_assert();
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(exit_codes!()), "{}: {help:?}", sub.get_name());
            assert!(help.lines().count() >= 2, "{} says what comes next", sub.get_name());
            assert!(sub.get_about().is_some(), "{} says what it does", sub.get_name());
        }
    }

    #[test]
    fn wrong_usage_is_64() {
        let code = |line: &str| parse(line.split(' ').map(OsString::from)).err();
        assert_eq!(code("assay check --nonsense"), Some(64));
        assert_eq!(code("assay nonsense"), Some(64));
        assert_eq!(code("assay --version"), Some(0));
        assert_eq!(code("assay check"), None);
    }
}
