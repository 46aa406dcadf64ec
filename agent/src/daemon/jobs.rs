//! What a job's process does: one function each. Its answer goes to standard output as JSON, its complaints to standard
//! error. It dies with the daemon.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use assay_uploader::{DrainOptions, Entry, Outcome, State, drain, is_begun};
use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::board::{self, BOARD, Board, CHECKED};
use super::child::Told;
use super::{journal, schedule};
use crate::context::Context;
use crate::support::desk::LAST_POLL;
use crate::support::store::Store;
use crate::trouble::{NextStep, refuse};
use crate::{output, portal, portal_keys, revoked, rotation, runtime};

mod examine;
mod poll;
mod report;

/// Runs one job of the daemon with the process number `parent`.
pub(crate) fn run(name: &str, parent: i32, context: &Context) -> anyhow::Result<u8> {
    set_parent_process_death_signal(Some(Signal::TERM)).context("the job cannot be bound to its daemon")?;
    // It may have died before it was listened to.
    if getppid().is_none_or(|pid| pid.as_raw_nonzero().get() != parent) {
        return Err(refuse(
            "the daemon is gone",
            "`assay run` starts it; this is for the daemon itself only",
        ));
    }
    // A job goes on without, as every run does.
    let _ = assay_collector::live::be_gentle();
    let folder = board::folder(&context.paths);
    if let Some(told) = rests(name, || crate::pause::paused(context.identity().dir()).is_some()) {
        output::print(serde_json::to_vec(&told)?)?;
        return Ok(0);
    }
    if let Some(told) = silenced(name, || revoked::rests(context)) {
        output::print(serde_json::to_vec(&told)?)?;
        return Ok(0);
    }
    let told = match name {
        "recorder" => examine::sample(context)?,
        "check" => examine::check(context, &folder)?,
        "report" => report::send(context, &folder)?,
        "selftest" => crate::selftest::work::job(context)?,
        "drain" => send_what_was_begun(context)?,
        schedule::POLL => poll::ask(context)?,
        "keep" => keep(context, &folder)?,
        "settings" => settings(context, &folder)?,
        "recall" => recall(context, &folder),
        _ => return Err(refuse(format!("there is no job {name:?}"), "this is for the daemon itself only")),
    };
    output::print(serde_json::to_vec(&told)?)?;
    Ok(0)
}

/// Jobs that examine or send: what `assay pause` stops. What is kept in order goes on.
const PAUSED: [&str; 4] = ["check", "report", "drain", schedule::POLL];

/// What a job says that rests because everything is paused; `None` when it goes on.
fn rests(name: &str, paused: impl FnOnce() -> bool) -> Option<Told> {
    let rests = PAUSED.contains(&name) && paused();
    rests.then(|| Told {
        words: "paused: `assay resume` lets it go on".to_owned(),
        repeats: true,
        ..Told::default()
    })
}

/// Jobs that call the portal: what a revocation silences, but for one look a day.
const CALLS: [&str; 3] = ["report", "drain", "poll"];

/// What a job says that rests because the key was revoked; `None` when it goes on, which is the look of the day.
fn silenced(name: &str, rests: impl FnOnce() -> Option<revoked::Told>) -> Option<Told> {
    let told = CALLS.contains(&name).then(rests).flatten()?;
    let words = format!("{}; looked at once a day", told.words());
    // Said once, and not at each turn of a day.
    Some(Told { words, repeats: true, ..Told::default() })
}

/// Goes on with the uploads that a person began. Others wait for `assay upload`.
fn send_what_was_begun(context: &Context) -> anyhow::Result<Told> {
    let nothing = |words: &str| Ok(Told { words: words.to_owned(), ..Told::default() });
    let settings = context.settings()?;
    let identity = context.identity();
    // Looking makes nothing.
    if !context.spool_dir(&settings).is_some_and(|dir| dir.is_dir()) {
        return nothing("there is no spool");
    }
    let spool = context.spool(&settings)?;
    if !spool.entries()?.iter().any(is_begun) {
        // The look of the day: the key may count again, and nothing else would tell.
        if revoked::told(context).is_some() {
            return match runtime::block_on(revoked::look(context, &settings.config))? {
                Some(told) => nothing(&told.words()),
                None => nothing("the portal takes this key's word again"),
            };
        }
        return nothing("nothing was begun");
    }
    let (Some(enrolment), Some(key)) = (identity.enrolment()?, identity.key()?) else {
        return nothing("not enrolled, so nothing is sent");
    };
    let options = DrainOptions { only_due: true, only_begun: true, ..DrainOptions::default() };
    let sent = runtime::block_on(async {
        report::same_unit(context, &settings.config, &enrolment).await?;
        let portal = portal::enrolled_slowly(&enrolment, &settings.config, &identity, context.clock)?;
        let enrolment = portal_keys::settled(context, &identity, enrolment, &portal).await?;
        let key = rotation::settled(context, &identity, &enrolment, &portal, key).await;
        let portal = portal::enrolled_slowly(&enrolment, &settings.config, &identity, context.clock)?;
        let report = drain(&spool, &portal, &key, &enrolment.card, &options, &|_| ()).await?;
        if let Some(last) = report.last_seq() {
            identity.sequence().go_above(last)?;
        }
        Ok(report)
    });
    revoked::learn_if_revoked(context, &sent);
    let sent = sent?;
    if let Some(told) = revoked::learn_of(context, &sent)? {
        return nothing(&told.words());
    }
    let accepted = sent.bundles.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Accepted(_))).count();
    let entries = spool.entries()?;
    let left: Vec<&Entry> = entries.iter().filter(|entry| is_begun(entry)).collect();
    let refused = entries.iter().filter(|e| matches!(e.meta.state, State::Refused { .. })).count();
    // The next attempt of the first that is due: an upload that a person began need not wait for drives to wake.
    let due =
        left.iter().map(|entry| entry.meta.next_attempt_unix_s.unwrap_or(context.clock.now_unix_s)).min();
    let wait = due.map(|due| u64::try_from(due.saturating_sub(context.clock.now_unix_s)).unwrap_or_default());
    Ok(Told {
        words: format!("{accepted} accepted, {} go on later, {refused} refused", left.len()),
        again_after_s: wait,
        ..Told::default()
    })
}

/// Brings what is remembered and the log to the data volume.
fn keep(context: &Context, folder: &Path) -> anyhow::Result<Told> {
    let Some(memory) = &context.paths.memory_dir else {
        return Ok(Told {
            words: "no data volume is mounted; it stays in RAM".to_owned(),
            ..Told::default()
        });
    };
    output::private_folder(memory)?;
    for name in [BOARD, CHECKED, crate::selftest::store::FILE] {
        let Ok(mut bytes) = fs::read(folder.join(name)) else { continue };
        if name == BOARD {
            bytes = merged(Board::read(folder), board::read(&memory.join(BOARD)).unwrap_or_default())?;
        }
        if fs::read(memory.join(name)).is_ok_and(|there| there == bytes) {
            continue;
        }
        output::replace_private(&memory.join(name), &bytes)?;
    }
    // A device that nobody asked anything has no place for requests yet, and needs none.
    let requests = Store::of(context);
    if !requests.in_ram && requests.dir().is_dir() {
        requests.keep_from_ram(LAST_POLL)?;
    }
    journal::settle(folder, memory).or_advise(
        format!("the log cannot be written to {}", memory.display()),
        "see that the data volume has room and can be written to",
    )?;
    Ok(Told { words: "kept on the data volume".to_owned(), ..Told::default() })
}

/// The board in RAM, with what only the one on the data volume knows: a daemon that began while the volume hung.
fn merged(mut newer: Board, older: Board) -> anyhow::Result<Vec<u8>> {
    for (name, past) in older.past {
        let now = newer.past.entry(name).or_default();
        if now.runs == 0 && now.failures == 0 && now.started_boot_s.is_none() {
            *now = past;
        }
    }
    Ok(serde_json::to_vec(&newer)?)
}

/// Reads configuration and identity for the daemon.
fn settings(context: &Context, folder: &Path) -> anyhow::Result<Told> {
    schedule::write(context, folder)?;
    Ok(Told { words: "read".to_owned(), ..Told::default() })
}

/// Brings what is remembered back from the data volume after a boot.
fn recall(context: &Context, folder: &Path) -> Told {
    let memory = context.paths.memory_dir.as_deref();
    let mut found = 0;
    for name in [BOARD, CHECKED, crate::selftest::store::FILE] {
        let bytes = memory.and_then(|memory| fs::read(memory.join(name)).ok());
        if let Some(bytes) = bytes.filter(|_| !folder.join(name).exists()) {
            found += usize::from(output::replace_private(&folder.join(name), &bytes).is_ok());
        }
    }
    Told { words: format!("{found} documents"), ..Told::default() }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::daemon::plan::Past;

    #[test]
    fn a_pause_stops_what_examines_or_sends() {
        for (name, expected) in [
            ("check", true),
            ("report", true),
            ("drain", true),
            ("poll", true),
            ("keep", false),
            ("recall", false),
        ] {
            assert_eq!(rests(name, || true).is_some(), expected, "{name}");
            assert!(rests(name, || false).is_none(), "{name}");
        }
    }

    #[test]
    fn a_revocation_silences_what_calls() {
        let told = || revoked::Told {
            key_id: "SHA256:x".into(),
            reason: "stolen".into(),
            revoked_unix_s: 0,
            told_unix_s: 0,
        };
        for (name, expected) in
            [("report", true), ("drain", true), ("poll", true), ("check", false), ("keep", false)]
        {
            assert_eq!(silenced(name, || Some(told())).is_some(), expected, "{name}");
            assert!(silenced(name, || None).is_none(), "{name}");
        }
    }

    #[test]
    fn what_only_the_data_volume_knows_is_kept() {
        fn check(newer: Option<Past>, expected_runs: u64) {
            let board = |past: Option<Past>| Board {
                past: past.into_iter().map(|past| ("check".to_owned(), past)).collect(),
                ..Board::default()
            };
            let older = Past { runs: 7, ..Past::default() };
            let bytes = merged(board(newer), board(Some(older))).expect("a document");
            let merged: Board = serde_json::from_slice(&bytes).expect("a board");
            assert_eq!(merged.past.get("check").map(|past| past.runs), Some(expected_runs));
        }
        check(None, 7);
        check(Some(Past { boot_id: "b".into(), ..Past::default() }), 7);
        check(Some(Past { runs: 8, ..Past::default() }), 8);
        check(Some(Past { failures: 1, ..Past::default() }), 0);
    }
}
