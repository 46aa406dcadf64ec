//! `assay unmask`: what a stand-in of this device's bundles stands for. Asks the device's own table; sends nothing.

use crate::cli::exit_codes;
use crate::context::Context;
use crate::trouble::refuse;
use crate::{output, stand_ins};

/// Say what a stand-in in this device's bundles stands for, such as host-7k3m9q2x
#[derive(clap::Args)]
#[command(after_help = concat!(
    "Works on this device only, and only for names, paths and addresses: a [redacted:…] was a secret and is not kept.\n\
     Next: `assay show FILE --diff-raw` shows every replaced line of a bundle beside what it was.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The stand-ins
    #[arg(required = true, value_name = "TOKEN")]
    tokens: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Looks each one up.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let Some(folder) = &context.paths.memory_dir else {
        return Err(refuse(
            "no data volume is mounted, and the table of stand-ins is on it",
            "unlock or mount the data volume and call again",
        ));
    };
    let table = stand_ins::load(folder)?;
    if let Some(token) = args.tokens.iter().find(|token| !table.contains_key(*token)) {
        return Err(refuse(
            format!("{token:?} is no stand-in that this device made"),
            "check the spelling; a bundle of another device, or one made before the table was begun, has its own",
        ));
    }
    let found: Vec<(&String, &String)> =
        args.tokens.iter().filter_map(|token| table.get_key_value(token)).collect();
    match args.json {
        true => output::print_json(&found.into_iter().collect::<std::collections::BTreeMap<_, _>>())?,
        false => {
            let line = |(with, what): (&String, &String)| {
                format!("{with} = {}\n", assay_diagnosis::text::escaped(what))
            };
            output::print(found.into_iter().map(line).collect::<String>())?;
        }
    }
    Ok(0)
}
