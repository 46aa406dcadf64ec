//! `assay backup export`, `prune` and `rekey`: to another place, fewer of them, to another key.

use std::io::{Read, Write};
use std::path::Path;

use super::check_digest;
use crate::backup::{keys, rekey as sealing, shelf};
use crate::context::Context;
use crate::output::{self, PartialFile};
use crate::trouble::{NextStep, refuse};

const BUFFER_BYTES: usize = 64 << 10;

pub(super) fn export(copy: &str, dest: &Path, context: &Context) -> anyhow::Result<u8> {
    let path = shelf::find(context, copy)?;
    let receipt = shelf::receipt(&path)?;
    check_digest(&path, &receipt)?;
    let name = path.file_name().ok_or_else(|| refuse("the copy has no name", "name it by its path"))?;
    let target = if dest.is_dir() { dest.join(name) } else { dest.to_owned() };
    if target.exists() {
        return Err(refuse(
            format!("{} is there already", target.display()),
            "name another place; nothing is overwritten",
        ));
    }
    let cannot = || format!("cannot write {}", target.display());
    let next = "see that there is room, and call again";
    let mut from =
        std::fs::File::open(&path).or_advise(format!("cannot read {}", path.display()), "call again")?;
    let mut to = PartialFile::begin(&target, 0o600)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        match from.read(&mut buffer).or_advise(format!("cannot read {}", path.display()), "call again")? {
            0 => break,
            read => to.write_all(buffer.get(..read).unwrap_or_default()).or_advise(cannot(), next)?,
        }
    }
    to.finish()?;
    if let Err(error) = check_digest(&target, &receipt) {
        let _ = std::fs::remove_file(&target);
        return Err(error.context("the exported copy is removed"));
    }
    shelf::keep_receipt(&target, &receipt)?;
    output::print(format!("{}\n", target.display()))?;
    output::say("read back; next: keep the recovery key somewhere else than this copy");
    Ok(0)
}

pub(super) fn prune(keep: Option<u64>, context: &Context) -> anyhow::Result<u8> {
    let keep = match keep {
        Some(keep) => keep,
        None => context.settings()?.config.backup_keep,
    };
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
    let lost = keys::Known::read(context)?.lost;
    let mut text = String::new();
    for folder in shelf::folders(context) {
        for name in shelf::prune(&folder, keep, &lost, None)? {
            text.push_str(&format!("{}\n", folder.join(name).display()));
        }
    }
    output::say(if text.is_empty() { "nothing to remove" } else { "removed:" });
    output::print(text)?;
    Ok(0)
}

pub(super) fn rekey(
    copy: &str,
    identity: Option<&Path>,
    recipients: &[String],
    context: &Context,
) -> anyhow::Result<u8> {
    let path = shelf::find(context, copy)?;
    let known = keys::Known::read(context)?;
    let own = if recipients.is_empty() { known } else { keys::Known::default() };
    let recipients = own.recipients(recipients)?;
    let key = keys::identity(identity)?;
    let receipt = sealing::rekey(&path, &key, &recipients)?;
    output::print(format!("{}\n{}", path.display(), super::words(&receipt)))?;
    output::say("next: `assay backup verify COPY --identity FILE` with the new key");
    Ok(0)
}
