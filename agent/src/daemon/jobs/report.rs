//! The health report: made from the last check and the board, checked against its closed list, sent as a signed call.

use std::path::Path;

use assay_bundle::health_report::{
    DaemonCounters, FORMAT_VERSION, HealthReport, HealthReportError, LastCheck, SpoolDepth, Versions,
    is_boot_id,
};
use assay_bundle::keys::SigningKey;
use assay_uploader::{Entry, Portal, State, Trust};

use crate::backup::keys::Known;
use crate::backup::shelf;
use crate::chassis;
use crate::clock::Clock;
use crate::config::Config;
use crate::context::Context;
use crate::daemon::board::{self, Board, CHECKED};
use crate::daemon::child::Told;
use crate::daemon::news::{self, Checked};
use crate::identity::Enrolment;
use crate::trouble::{NextStep, refuse};
use crate::{portal, revoked, runtime, source, update};

/// Sends one report, where the owner chose so and the device is enrolled.
pub(super) fn send(context: &Context, folder: &Path) -> anyhow::Result<Told> {
    let settings = context.settings()?;
    let told = |words: &str| Told { words: words.to_owned(), ..Told::default() };
    // The daemon may still hold the configuration of before.
    if settings.config.report_schedule.is_none() {
        return Ok(told("switched off, so nothing is sent"));
    }
    let identity = context.identity();
    let (Some(enrolment), Some(key)) = (identity.enrolment()?, identity.key()?) else {
        return Ok(told("not enrolled, so nothing is sent"));
    };
    let entries = match context.spool_dir(&settings).is_some_and(|dir| dir.is_dir()) {
        true => context.spool(&settings)?.entries()?,
        false => Vec::new(),
    };
    let lost = Known::read(context).map(|known| known.lost).unwrap_or_default();
    let copy = shelf::newest_verified(context, &lost);
    let here = compose(
        &key.public().fingerprint(),
        &enrolment.device_id,
        board::read(&folder.join(CHECKED)).as_ref(),
        &Board::read(folder),
        &entries,
        copy.map(|receipt| receipt.made_unix_s),
        (context.clock, &board::boot_id(), board::boot_s()),
    );
    let boot_id = Some(board::boot_id()).filter(|id| is_boot_id(id));
    let report = without_text(HealthReport { boot_id, seq: identity.sequence().highest(), ..here });
    report.check().or_advise(
        "the health report holds what may not leave, so it was not sent",
        "please report this; nothing left this machine",
    )?;
    let sent = runtime::block_on(async {
        same_unit(context, &settings.config, &enrolment).await?;
        let portal = portal::enrolled(&enrolment, &settings.config, &identity, context.clock)?;
        portal.report(&key, &report).await?;
        Ok(match news(context, &portal, &key, &enrolment).await {
            Ok(None) => "sent".to_owned(),
            Ok(Some(told)) => format!("sent; {told}"),
            // The report is there all the same, and the next one asks again.
            Err(error) => format!("sent; the portal could not be asked for the latest version: {error:#}"),
        })
    });
    let words = match sent.as_ref().err().and_then(revoked::in_error) {
        // Not a failure of ours that would be tried again and again.
        Some(revocation) => {
            revoked::hear(context, revocation)?;
            return Ok(told(&revoked::told(context).map_or_else(String::new, |told| told.words())));
        }
        None => sent?,
    };
    revoked::clear(context);
    Ok(told(&words))
}

/// Asks for the latest version on the way: no device wakes for it alone.
async fn news(
    context: &Context,
    portal: &Portal,
    key: &SigningKey,
    enrolment: &Enrolment,
) -> anyhow::Result<Option<String>> {
    let trust = Trust::from_card(&enrolment.card)?;
    let answer = portal.poll(key, &trust, None, false).await?;
    Ok(update::hear(context, answer.latest.as_ref()))
}

/// Refuses when the key sits in another unit than the one it was enrolled in.
pub(super) async fn same_unit(
    context: &Context,
    config: &Config,
    enrolment: &Enrolment,
) -> anyhow::Result<()> {
    let here = source::who(config, &context.paths).await?;
    let differences = chassis::differences(&enrolment.chassis, &chassis::marks(&here));
    if differences.is_empty() {
        return Ok(());
    }
    Err(refuse(
        format!("this is not the unit that was enrolled (other {})", differences.join(", ")),
        "enrol this unit with a code of its own: `assay enroll`; nothing was sent",
    ))
}

/// A machine may call itself anything: a name that could hide text is left out, and the rest is sent.
fn without_text(mut report: HealthReport) -> HealthReport {
    use HealthReportError::NotAWord;
    loop {
        match report.check() {
            Err(NotAWord("model")) => report.model = None,
            Err(NotAWord("serial")) => report.serial = None,
            Err(NotAWord("versions.firmware")) => report.versions.firmware = None,
            _ => return report,
        }
    }
}

fn compose(
    key_id: &str,
    device_id: &str,
    checked: Option<&Checked>,
    board: &Board,
    entries: &[Entry],
    copy_made_unix_s: Option<i64>,
    (clock, boot_id, boot_s): (Clock, &str, u64),
) -> HealthReport {
    let count = |is: &dyn Fn(&State) -> bool| {
        u32::try_from(entries.iter().filter(|entry| is(&entry.meta.state)).count()).unwrap_or(u32::MAX)
    };
    let last_check = checked.map(|checked| LastCheck {
        // Within one boot the clock that cannot jump tells; else the other, as well as it can.
        age_s: match checked.boot_id == boot_id {
            true => boot_s.saturating_sub(checked.at_boot_s),
            false => u64::try_from(clock.now_unix_s.saturating_sub(checked.at_unix_s)).unwrap_or_default(),
        },
        overall: checked.overall,
        findings: news::counts(&checked.findings),
        cannot_tell: checked.cannot_tell,
    });
    let sum =
        |of: fn(&crate::daemon::plan::Past) -> u64| board.past.values().map(of).fold(0, u64::saturating_add);
    HealthReport {
        format: FORMAT_VERSION,
        key_id: key_id.to_owned(),
        device_id: device_id.to_owned(),
        model: checked.and_then(|c| c.model.clone()),
        serial: checked.and_then(|c| c.serial.clone()),
        device_time: clock.words(),
        versions: Versions {
            agent: env!("CARGO_PKG_VERSION").to_owned(),
            firmware: checked.and_then(|c| c.firmware.clone()),
            parser_set: assay_collector::PARSER_SET,
            rule_pack: checked.map_or(0, |c| c.rule_pack),
        },
        last_check,
        // A copy from the future was made by another clock: its age cannot be told.
        recovery_copy_age_s: copy_made_unix_s
            .filter(|_| clock.is_plausible())
            .and_then(|made| u64::try_from(clock.now_unix_s.checked_sub(made)?).ok()),
        spool: SpoolDepth {
            waiting: count(&|state| matches!(state, State::Waiting | State::Uploading { .. })),
            refused: count(&|state| matches!(state, State::Refused { .. })),
            size_bytes: entries.iter().map(|entry| entry.size_bytes).sum(),
        },
        daemon: DaemonCounters {
            runs: sum(|past| past.runs),
            failures: sum(|past| past.failures),
            crash_loops: u32::try_from(board.crash_loops().count()).unwrap_or(u32::MAX),
        },
        boot_id: None,
        seq: None,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_the_newest_copy() {
        const NOW: i64 = 1_800_000_000;
        fn check(made: Option<i64>, now: i64, expected: Option<u64>) {
            let (board, clock) = (Board::default(), Clock { now_unix_s: now });
            let report = compose("", "device-1", None, &board, &[], made, (clock, "this", 5));
            assert_eq!(report.recovery_copy_age_s, expected, "{made:?} {now}");
        }
        check(Some(NOW - 86_400), NOW, Some(86_400));
        check(Some(NOW), NOW, Some(0));
        check(None, NOW, None);
        check(Some(NOW + 1), NOW, None);
        check(Some(NOW - 5), 5, None);
        check(Some(i64::MIN), NOW, None);
    }

    #[test]
    fn a_name_that_could_hide_text_is_left_out() {
        fn check(firmware: &str, expected: Option<&str>) {
            let checked = Checked {
                at_unix_s: 1_800_000_000,
                at_boot_s: 0,
                boot_id: "another".into(),
                overall: assay_bundle::Overall::Healthy,
                cannot_tell: 0,
                rule_pack: 1,
                model: Some("TS-453D".into()),
                serial: Some("/share/Public".into()),
                firmware: Some(firmware.into()),
                findings: Vec::new(),
                known: Vec::new(),
                sealed_unix_s: Vec::new(),
            };
            let key_id = format!("SHA256:{}", "a".repeat(43));
            let clock = Clock { now_unix_s: 1_800_000_060 };
            let made = compose(
                &key_id,
                "device-1",
                Some(&checked),
                &Board::default(),
                &[],
                None,
                (clock, "this", 5),
            );
            let report = without_text(made);
            assert_eq!(report.check(), Ok(()));
            assert_eq!(report.versions.firmware.as_deref(), expected);
            assert_eq!((report.model.as_deref(), report.serial.as_deref()), (Some("TS-453D"), None));
            assert_eq!(report.last_check.map(|check| check.age_s), Some(60));
        }
        check("5.2.0.2860", Some("5.2.0.2860"));
        check("Debian GNU/Linux 12 (bookworm)", None);
    }
}
