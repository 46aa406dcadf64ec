//! `assay backup restore`: the difference first, then the question, then exactly that.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::backup::restore::{self, Wanted};
use crate::backup::{self, keys, replacement, shelf};
use crate::context::Context;
use crate::output;
use crate::trouble::{NextStep, refuse};

#[derive(clap::Args)]
pub(super) struct Args {
    /// Path, name or number of a copy, or latest
    copy: String,
    /// Only these, and what is below them; shadow and keys must be named so
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Put it below this folder
    #[arg(long, value_name = "ROOT", required_unless_present = "in_place", conflicts_with = "in_place")]
    to: Option<PathBuf>,
    /// Put it back into this machine
    #[arg(long)]
    in_place: bool,
    /// Recovery key: file with an AGE-SECRET-KEY-… line, - for standard input
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Show the difference and end
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Of the copy of the unit that this one replaces in an open case: users, groups, shares, network, schedule
    #[arg(long)]
    portable: bool,
    /// The portal's statement of that replacement as a file, instead of asking the portal
    #[arg(long, value_name = "FILE", requires = "portable")]
    statement: Option<PathBuf>,
    /// Keep what is replaced in this folder, instead of beside the copies
    #[arg(long, value_name = "DIR")]
    keep_in: Option<PathBuf>,
}

pub(super) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let copy = shelf::find(context, &args.copy)?;
    let root = args.to.clone().unwrap_or_else(|| PathBuf::from("/"));
    let root = std::fs::canonicalize(&root)
        .or_advise(format!("cannot restore into {}", root.display()), "name a folder that exists")?;
    let paths = args.paths.iter().map(|path| plain(path, &root)).collect::<anyhow::Result<Vec<_>>>()?;
    let wanted = Wanted { root: root.clone(), paths, portable: args.portable };
    let kept = kept(&args, context)?;
    let key = keys::identity(args.identity.as_deref())?;
    let file = backup::open(&copy)?;
    let replaced = match args.portable {
        true => Some(replacement::proven(context, args.statement.as_deref())?),
        false => None,
    };
    if let Some(said) = &replaced {
        output::say(&format!(
            "case {}: this unit replaces {}, says the portal",
            assay_diagnosis::text::escaped(&said.case_id),
            assay_diagnosis::text::escaped(&said.old_serial)
        ));
    }
    let old_serial = replaced.as_ref().map(|said| said.old_serial.as_str());
    let accepts = |head: &_| backup::accepts(head, &root, old_serial);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let plan = restore::plan(&file, &copy, &key, &wanted, &accepts, &mut out)?;
    out.flush().or_advise("cannot write to standard output", "name another place for the output")?;
    drop(out);
    let counts = plan.counts;
    output::say(&format!(
        "{} added, {} changed, {} the same, {} protected, {} not asked for; {} only here, which stay",
        counts.added, counts.changed, counts.same, counts.protected, counts.not_selected, counts.only_here
    ));
    if args.portable {
        output::say("packages are not restored; install these again from App Center:");
        for (name, version) in &plan.head.packages {
            output::say(&format!(
                "  {} {}",
                assay_diagnosis::text::escaped(name),
                assay_diagnosis::text::escaped(version)
            ));
        }
    }
    if !plan.writes() {
        output::say("nothing to do");
        return Ok(0);
    }
    if args.dry_run {
        output::say("next: call again without --dry-run");
        return Ok(0);
    }
    if !args.yes {
        super::ask(&format!("Put this back into {}?", root.display()), "not restored: you did not agree")?;
    }
    let applied = restore::apply(&file, &copy, &key, &wanted, &plan, &kept)?;
    if applied.without_attributes > 0 {
        output::say(&format!(
            "{} entries are without their access lists or extended attributes: this file system has none, or you are \
             not root",
            applied.without_attributes
        ));
    }
    if applied.keeps {
        output::print(format!("what was replaced is in {}\n", kept.display()))?;
    }
    output::say("restored; next: restart the services concerned, or the machine, then `assay check`");
    Ok(0)
}

/// Where what is replaced is kept; it is made when there is something.
fn kept(args: &Args, context: &Context) -> anyhow::Result<PathBuf> {
    if let Some(folder) = &args.keep_in {
        return Ok(std::path::absolute(folder)?);
    }
    let folder = shelf::folder(context).map_err(|error| {
        refuse(format!("{error}: what is replaced could not be kept"), "name a folder for it: --keep-in DIR")
    })?;
    let time: String = context.clock.words().chars().filter(char::is_ascii_alphanumeric).collect();
    let name = format!("replaced-{time}");
    let free = (1..).map(|n| if n == 1 { folder.join(&name) } else { folder.join(format!("{name}-{n}")) });
    free.take(1000).find(|path| !path.exists()).ok_or_else(|| {
        refuse("there is no free name for what is replaced", "name a folder for it: --keep-in DIR")
    })
}

/// A path as a person types it: absolute, below the root, or relative to it.
fn plain(text: &str, root: &Path) -> anyhow::Result<Vec<u8>> {
    let path = Path::new(text);
    let path = path.strip_prefix(root).or_else(|_| path.strip_prefix("/")).unwrap_or(path);
    let bytes = path.as_os_str().as_encoded_bytes();
    let bytes = bytes.strip_suffix(b"/").unwrap_or(bytes);
    match assay_bundle::recovery::tape::is_plain(bytes) {
        true => Ok(bytes.to_vec()),
        false => Err(refuse(
            format!("{text:?} is no path of a copy"),
            "name it as /etc/config/…, without . and ..",
        )),
    }
}
