//! `assay config show`: the effective configuration, and who said each value.

use std::fmt::Write as _;

use crate::cli::exit_codes;
use crate::config::SETTINGS;
use crate::context::Context;
use crate::output;

/// The effective configuration
#[derive(clap::Args)]
#[command(after_help = concat!("Next: `assay config show`.\n", exit_codes!()))]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Print every setting with its value and who said it
    #[command(after_help = concat!(
        "Later ones win: built in, file, environment, flags. Next: put `key = value` below its [section] in the file.\n",
        exit_codes!()
    ))]
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Prints the configuration.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let Action::Show { json } = args.action;
    let settings = context.settings()?;
    let rows = SETTINGS.iter().zip(&settings.effective);
    let file = context.config_file();
    if json {
        let rows: Vec<_> = rows
            .map(|(setting, effective)| {
                serde_json::json!({
                    "name": setting.name,
                    "value": effective.text,
                    "origin": effective.origin.to_string(),
                    "environment": setting.env,
                    "about": setting.about,
                })
            })
            .collect();
        output::print_json(
            &serde_json::json!({ "file": file, "file_exists": file.is_file(), "settings": rows }),
        )?;
        return Ok(0);
    }
    let state = if file.is_file() { "" } else { " (not there; built-in values apply)" };
    let mut text = format!("# file: {}{state}\n", file.display());
    for (setting, effective) in rows {
        let value = if effective.text.is_empty() { "(not set)" } else { effective.text.as_str() };
        let _ = writeln!(
            text,
            "{:<30} {value}\n{:<30} # {}; {} [env: {}]",
            setting.name, "", effective.origin, setting.about, setting.env
        );
    }
    output::print(text)?;
    Ok(0)
}
