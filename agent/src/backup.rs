//! Recovery copies: the configuration of this machine, encrypted to the owner's recovery key and to nobody else.
//!
//! It is read by root, so it holds what a bundle never does: password hashes, keys, tokens. It therefore leaves the machine
//! only by the owner's hand, and neither receipts nor messages hold anything of its content. [`profile`] is the list of
//! places; [`create`] makes a copy, in a child that [`child`] watches; [`shelf`] keeps them; [`check`] opens and verifies
//! one; [`restore`] compares and puts back through [`place`]. The format is in `bundle::recovery`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assay_bundle::recovery::CopyHead;
use assay_collector::command::{Command, StorageCommand};
use assay_collector::source::{Request, Source};
use assay_diagnosis::text::escaped;

use crate::config::Config;
use crate::context::Context;
use crate::source;
use crate::trouble::refuse;

mod attributes;
mod check;
mod child;
mod create;
pub(crate) mod digests;
pub(crate) mod keys;
mod pipe;
mod place;
mod profile;
mod proof;
mod reading;
pub(crate) mod rekey;
pub(crate) mod replacement;
pub(crate) mod restore;
pub(crate) mod shelf;
mod walk;

pub(crate) use self::child::{CHILD, serve};
pub(crate) use self::create::Made;

/// Outputs that go into a copy: how pools and arrays are laid out.
const LAYOUT: [StorageCommand; 3] =
    [StorageCommand::MdadmScan, StorageCommand::DmsetupStatus, StorageCommand::ZpoolStatus];
/// Most bytes of one of them.
const MOST_DOCUMENT_BYTES: usize = 64 << 10;
/// Largest file that says who a system is.
const MOST_IDENTITY_BYTES: u64 = 1 << 20;

/// What is asked for.
pub(crate) struct Wish {
    /// Top of the system, `/` or where it is mounted.
    pub(crate) root: PathBuf,
    /// Where the copy will stand; none: standard output.
    pub(crate) target: Option<PathBuf>,
    /// Recipients besides the owner's.
    pub(crate) recipients: Vec<String>,
    /// Whether saved volume keys are taken.
    pub(crate) volume_keys: bool,
    /// A key that proves the copy.
    pub(crate) key: Option<String>,
    /// Copies kept beside it; none: nothing is removed.
    pub(crate) keep: Option<usize>,
    /// A list that was prepared for the comparison with another copy.
    pub(crate) digests: Option<PathBuf>,
}

/// A number of a file's status, whose width differs between processors.
fn wide(number: impl Into<u64>) -> u64 {
    number.into()
}

/// As [`wide`], with a sign.
fn signed(number: impl Into<i64>) -> i64 {
    number.into()
}

/// Makes a copy.
pub(crate) async fn make(context: &Context, config: &Config, wish: Wish) -> anyhow::Result<Made> {
    let known = keys::Known::read(context)?;
    let named: Vec<String> = wish.recipients.iter().chain(&config.backup_recipients).cloned().collect();
    let recipients = known.recipients(&named)?;
    let system = System::read(&wish.root);
    let here = wish.root == Path::new("/");
    let serial = match here {
        true => source::who(config, &context.paths).await?.identity.serial.value().cloned(),
        false => None,
    };
    let documents = if here { layout(&source::live(config, &context.paths)?).await } else { BTreeMap::new() };
    let head = CopyHead {
        profile: profile::Profile::of(system.qts).name.to_owned(),
        model: system.model,
        firmware: system.firmware,
        serial,
        made_at: context.clock.words(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        volume_keys: wish.volume_keys,
        ..CopyHead::default()
    };
    let errand = create::Errand {
        root: wish.root,
        target: wish.target,
        head,
        made_unix_s: context.clock.now_unix_s,
        documents,
        recipients,
        key: wish.key,
        keep: wish.keep,
        digests: wish.digests,
        lost: known.lost,
    };
    child::make(context, errand, Duration::from_secs(config.backup_stall_s)).await
}

/// What the commands say that only read. One that does not answer is not in the copy: its files are.
async fn layout(source: &dyn Source) -> BTreeMap<String, String> {
    let mut documents = BTreeMap::new();
    for command in LAYOUT {
        let slug = command.slug();
        if let Ok(fetched) = source.fetch(&Request::Run(Command::Storage(command))).await {
            let text = fetched.text();
            let end =
                text.char_indices().map(|(at, _)| at).take_while(|at| *at <= MOST_DOCUMENT_BYTES).last();
            let cut = if text.len() > MOST_DOCUMENT_BYTES { end.unwrap_or_default() } else { text.len() };
            documents.insert(format!("{slug}.txt"), text.get(..cut).unwrap_or_default().to_owned());
        }
    }
    documents
}

/// Goes through a copy with the key, every digest recomputed; says what it is of and how much it holds.
pub(crate) fn verify(path: &Path, key: &str) -> anyhow::Result<(CopyHead, usize)> {
    let walked = check::verify(path, key, &mut |_| ())?;
    Ok((walked.head, walked.digests.len()))
}

/// The same, with a line for each entry on `out`.
pub(crate) fn list(path: &Path, key: &str, out: &mut dyn Write) -> anyhow::Result<(CopyHead, usize)> {
    let walked = check::list(path, key, out)?;
    Ok((walked.head, walked.digests.len()))
}

/// Opens the file of a copy.
pub(crate) fn open(path: &Path) -> anyhow::Result<std::fs::File> {
    check::open(path)
}

/// Which system stands below a root, by its own files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct System {
    /// QTS or QuTS hero.
    pub(crate) qts: bool,
    /// Model, where it is named.
    pub(crate) model: Option<String>,
    /// Version and build.
    pub(crate) firmware: Option<String>,
}

impl System {
    /// Looks below `root`.
    pub(crate) fn read(root: &Path) -> Self {
        let text = |place: &str| -> Option<String> {
            use std::io::Read as _;
            let mut text = Vec::new();
            let file = std::fs::File::open(walk::resolve(root, place)).ok()?;
            file.take(MOST_IDENTITY_BYTES).read_to_end(&mut text).ok()?;
            Some(String::from_utf8_lossy(&text).into_owned())
        };
        if let Some(conf) = text("etc/config/uLinux.conf") {
            let get = |key| profile::ini_value(&conf, "System", key);
            let build = get("Build Number").map(|build| format!(" {build}")).unwrap_or_default();
            let firmware = get("Version").map(|version| version + &build);
            return Self { qts: true, model: get("Model"), firmware };
        }
        let here = root == Path::new("/");
        let model = text("sys/class/dmi/id/product_name").filter(|_| here).map(|text| text.trim().to_owned());
        Self { qts: false, model: model.filter(|model| !model.is_empty()), firmware: None }
    }
}

/// Refuses a copy of another model, or of newer firmware than the system has that it would be put into. `replaced`: the
/// serial number of the unit that this one replaces by the portal's word, for what every unit can take.
pub(crate) fn accepts(head: &CopyHead, root: &Path, replaced: Option<&str>) -> anyhow::Result<()> {
    let system = System::read(root);
    if let Some(old) = replaced
        && !head.serial.as_deref().is_some_and(|serial| serial.eq_ignore_ascii_case(old.trim()))
    {
        return Err(refuse(
            format!("this copy is not of the unit {}, which this one replaces", escaped(old)),
            "the case names that unit; `assay backup show COPY --identity FILE` says of which one a copy is",
        ));
    }
    // An empty folder has no model, and nothing in it can be damaged.
    if std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_none()) {
        return Ok(());
    }
    let own = profile::Profile::of(system.qts).name;
    if head.profile != own {
        return Err(refuse(
            format!("the copy is of a {} system, and this is a {own} one", head.profile),
            "restore it into an empty folder (--to) and take what you need by hand",
        ));
    }
    // What every unit can take depends neither on the model nor on the firmware.
    if replaced.is_some() {
        return Ok(());
    }
    if let (Some(theirs), Some(ours)) = (&head.model, &system.model)
        && theirs != ours
    {
        return Err(refuse(
            format!("the copy is of another model: {theirs}, and this is {ours}"),
            "into the replacement of that unit in an open case: --portable",
        ));
    }
    if let (Some(theirs), Some(ours)) = (&head.firmware, &system.firmware)
        && numbers(theirs) > numbers(ours)
    {
        return Err(refuse(
            format!("the copy is of newer firmware: {theirs}, and this is {ours}"),
            "update the firmware of this unit first, then restore",
        ));
    }
    Ok(())
}

/// The numbers in a version: what orders it.
fn numbers(version: &str) -> Vec<u64> {
    let digits = version.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty());
    digits.map(|part| part.parse().unwrap_or(u64::MAX)).collect()
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn which_copies_a_system_takes() {
        fn check(
            conf: Option<&str>,
            model: &str,
            firmware: &str,
            replaced: Option<&str>,
            expected: Option<&str>,
        ) {
            let root = tempfile::tempdir().expect("a folder");
            if let Some(conf) = conf {
                std::fs::create_dir_all(root.path().join("etc/config")).expect("folders");
                std::fs::write(root.path().join("etc/config/uLinux.conf"), conf).expect("a file");
            }
            let head = CopyHead {
                profile: "qts".to_owned(),
                model: Some(model.to_owned()),
                firmware: Some(firmware.to_owned()),
                serial: Some("Q123".to_owned()),
                ..CopyHead::default()
            };
            let error = accepts(&head, root.path(), replaced).err().map(|error| error.to_string());
            match (error, expected) {
                (None, None) => {}
                (Some(error), Some(expected)) if error.contains(expected) => {}
                (error, _) => panic!("{model} {firmware}: {error:?}"),
            }
        }
        let conf = Some("[System]\nModel = TS-X53B\nVersion = 5.1.3\nBuild Number = 20231109\n");
        check(conf, "TS-X53B", "5.1.3 20231109", None, None);
        check(conf, "TS-X53B", "5.0.10 20250101", None, None);
        check(conf, "TS-X53B", "5.1.10 20231109", None, Some("newer firmware"));
        check(conf, "TS-X53B", "5.1.3 20231110", None, Some("newer firmware"));
        check(conf, "TS-X64", "5.1.3 20231109", None, Some("another model"));
        check(conf, "TS-X64", "5.9.0 20251109", Some("q123"), None);
        check(conf, "TS-X64", "5.1.3 20231109", Some("Q124"), Some("not of the unit"));
        check(None, "TS-X53B", "5.1.3", None, None);
    }
}
