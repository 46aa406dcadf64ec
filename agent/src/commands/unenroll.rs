//! `assay unenroll`: says goodbye to the portal and destroys the key, also when the portal cannot be reached.

use assay_uploader::PortalError;

use crate::cli::exit_codes;
use crate::context::Context;
use crate::leave::{self, Left};
use crate::{output, runtime};

/// End the enrolment: tell the portal, destroy this device's key
#[derive(clap::Args)]
#[command(after_help = concat!(
    "What was sent stays at the portal; `assay forget` has it deleted. Standing consent and health report end. What\n\
     waits in the spool can be read here and is sent nowhere any more. Next: `assay enroll` with a new code begins anew.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// Ask nothing: the key is destroyed, also when the portal could not be told
    #[arg(long)]
    yes: bool,
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

/// Asks, tells, destroys.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let leaving = leave::Leaving::begin(context)?;
    leave::confirm(
        args.yes,
        &format!("This ends the enrolment at {} and destroys this device's key.", leaving.portal_name()),
        "the enrolment stands",
    )?;
    let told = runtime::block_on(async { Ok(leaving.goodbye().await) })?;
    let (told, why) = match told {
        Ok(()) => (true, None),
        // A key that counts no more there already needs no goodbye.
        Err(error) if is_gone(&error) => (true, None),
        Err(error) => {
            let why = format!("{error:#}");
            leave::confirm(
                args.yes,
                &format!("The portal could not be told ({why}). Its operator can revoke the key."),
                "the enrolment stands; call again when the portal can be reached",
            )?;
            (false, Some(why))
        }
    };
    let left = leaving.end(match told {
        true => "the enrolment ended; the portal was told",
        false => "the enrolment ended; the portal could not be told",
    })?;
    match args.json {
        true => {
            output::print_json(&serde_json::json!({ "told_portal": told, "why_not": why, "left": left }))?
        }
        false => output::print(words(told, &left))?,
    }
    Ok(0)
}

fn is_gone(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<PortalError>())
        .any(|error| error.revocation().is_some() || error.kind() == Some("unknown-key"))
}

fn words(told: bool, left: &Left) -> String {
    let told = match told {
        true => "told; this key counts there no more",
        false => "NOT told: ask its operator to revoke the key that follows",
    };
    format!("portal     {told}\nkey        {} destroyed\n{}", left.key_id, left.words())
}
