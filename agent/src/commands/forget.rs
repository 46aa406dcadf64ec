//! `assay forget`: has the portal delete everything of this device, and keeps its signed receipt.

use std::path::PathBuf;

use assay_bundle::deletion::DeletionReceipt;
use assay_bundle::units::Bytes;

use crate::cli::exit_codes;
use crate::context::Context;
use crate::leave::{self, Left};
use crate::trouble::NextStep;
use crate::{clock, output, revoked, runtime};

/// Have the portal delete everything of this device, and keep its signed receipt
#[derive(clap::Args)]
#[command(after_help = concat!(
    "Nothing is deleted here but the key and the enrolment, and these only once the portal's receipt is checked and kept.\n\
     When the portal cannot be reached nothing happens. Next: `assay enroll` with a new code begins anew.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// First write all that the portal has into this file (a tar)
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Ask nothing
    #[arg(long)]
    yes: bool,
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

/// Exports, asks, has it deleted, keeps the receipt, ends the enrolment.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let leaving = leave::Leaving::begin(context)?;
    let export = args.export.as_deref().map(std::path::absolute).transpose()?;
    let exported = match &export {
        Some(file) => {
            let size_bytes = runtime::block_on(leaving.export(file));
            revoked::learn(context, &size_bytes);
            Some(size_bytes.or_advise("nothing was exported", "nothing was deleted either; call again")?)
        }
        None => None,
    };
    leave::confirm(
        args.yes,
        &format!("Everything that {} has of this device is destroyed for good.", leaving.portal_name()),
        "nothing was deleted",
    )?;
    let deleted = runtime::block_on(leaving.forget());
    let (kept, receipt) = match deleted {
        Ok(deleted) => deleted,
        Err(error) => {
            let result: anyhow::Result<()> = Err(error);
            revoked::learn(context, &result);
            return result.map(|()| 0).or_advise(
                "the portal has confirmed no deletion",
                "call again: a deletion that was begun goes on, and its receipt is given again",
            );
        }
    };
    let left = leaving.end(&format!(
        "the portal deleted {} bundles and {} requests; its receipt is kept",
        receipt.bundles, receipt.requests
    ))?;
    match args.json {
        true => output::print_json(&serde_json::json!({
            "receipt": receipt, "receipt_file": kept, "export_file": export, "export_bytes": exported, "left": left,
        }))?,
        false => output::print(words(&receipt, &kept, exported, &left))?,
    }
    Ok(0)
}

fn words(receipt: &DeletionReceipt, kept: &std::path::Path, exported: Option<u64>, left: &Left) -> String {
    let exported = exported.map(|size| format!("exported   {}\n", Bytes(size))).unwrap_or_default();
    format!(
        "{exported}deleted    at {}: {} bundles ({}), {} support requests\nreceipt    {}, signed by the portal\n\
         key        {} destroyed\n{}",
        clock::rfc3339(receipt.deleted_unix_s),
        receipt.bundles,
        Bytes(receipt.bundle_bytes),
        receipt.requests,
        kept.display(),
        left.key_id,
        left.words(),
    )
}
