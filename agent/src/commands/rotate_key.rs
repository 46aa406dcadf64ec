//! `assay rotate-key`: a new key in the place of the old one, signed by it.

use crate::cli::exit_codes;
use crate::context::Context;
use crate::trouble::refuse;
use crate::{chassis, output, pause, portal, portal_keys, revoked, rotation, runtime, source};

/// Give this device a new key; the old one signs it
#[derive(clap::Args)]
#[command(after_help = concat!(
    "Bundles that wait are still sent, and what was sent stays this device's. Open support requests and a standing\n\
     consent end with the old key. When the portal cannot be reached both keys are kept, and the next call to it ends\n\
     the change. Next: `assay status` shows the key.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

/// Changes the key at the portal and here.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    pause::check(context)?;
    let settings = context.settings()?;
    let identity = context.identity();
    let (Some(enrolment), Some(old)) = (identity.enrolment()?, identity.key()?) else {
        return Err(refuse(
            "this device is not enrolled, so nobody would know its new key",
            "`assay enroll --portal URL --code CODE` makes a key where there is none",
        ));
    };
    let changed = runtime::block_on(async {
        let here = source::who(&settings.config, &context.paths).await?;
        chassis::check(&enrolment.chassis, &chassis::marks(&here))?;
        let portal = portal::enrolled(&enrolment, &settings.config, &identity, context.clock)?;
        let enrolment = portal_keys::settled(context, &identity, enrolment, &portal).await?;
        rotation::rotate(context, &identity, &enrolment, &portal).await
    });
    revoked::learn(context, &changed);
    let (old, new) = (old.public(), changed?.public());
    match args.json {
        true => output::print_json(&serde_json::json!({
            "old_key_id": old.fingerprint(), "key_id": new.fingerprint(), "public_key": new.to_openssh(),
        }))?,
        false => output::print(format!(
            "old key    {}\nnew key    {}\nnext       `assay upload` sends what waits, also what the old key signed\n",
            old.fingerprint(),
            new.fingerprint(),
        ))?,
    }
    Ok(0)
}
