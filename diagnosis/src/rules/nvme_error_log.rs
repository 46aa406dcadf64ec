//! NVM-002: NVMe drive's error log holds errors of the medium.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Verdict};
use assay_bundle::facts::Facts;
use assay_bundle::facts::drive::{Drive, Protocol};

use crate::certainty::FLASH_LOST_DATA;
use crate::evidence::{test, told};
use crate::removal::safe_to_remove;
use crate::rule::{Judgement, Rule, over};
use crate::rules::nvme_media_errors::entries;
use crate::subject::{asleep, fact, identity, name, sorted, suspects, why_missing};
use crate::view::View;

/// A count from here on is remarkable enough to be cleared in words (judgement).
const LARGE: u128 = 100;

/// The rule.
pub static RULE: Rule = Rule {
    code: "NVM-002",
    title: "NVMe error log holds errors of the medium",
    component: Component::Drive,
    checks: "The entries that the error log of each NVMe drive still holds: whether one is of the medium (write fault, unrecovered read, failed end-to-end check) although the drive counts no media error. The mere number of entries is cleared in words.",
    why: "An entry of the medium is lost data. The number of entries says nothing: drives log every command that they refuse, and two of five healthy drives have some.",
    what_to_do: "Back up the data and run the drive's extended self-test; the number of entries alone is no reason for anything.",
    threshold_source: "One entry with status code type 2 and code 80h to 84h (NVMe base specification, error information log). The count is ignored as smartd ignores it since smartmontools 7.4: 39.8 % of 12,240 published reports have some.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    over(&view.facts.drives, "drives", false, |drives| {
        sorted(drives).into_iter().map(|drive| judge(view.facts, drive)).collect()
    })
}

fn judge(facts: &Facts, drive: &Drive) -> Judgement {
    let subject = name(drive);
    if drive.protocol.value() != Some(&Protocol::Nvme) || asleep(drive) {
        return Judgement::not_applicable(subject);
    }
    let health = drive.nvme.value();
    let entries = entries(drive);
    let counted = health.and_then(|h| h.media_errors);
    if !entries.is_empty() && counted == Some(0) {
        let title = format!("The error log of the {subject} holds errors of its medium");
        let mut evidence = identity(drive);
        evidence.extend(entries);
        let row = suspects(&FLASH_LOST_DATA, drive);
        let mut finding = RULE.finding(Verdict::Suspected, title, row, evidence);
        let none = told(fact(drive, "nvme.media_errors"), "0 errors", drive.nvme.place().unwrap_or_default());
        finding.counter_evidence.push(none);
        finding.test = test(
            "With a backup made, run the drive's extended self-test and read its health log and its error log again; the drive stays in its bay.",
            &[
                "The test fails, or media errors are counted: the drive is defective.",
                "The test passes and nothing is counted: watch it.",
            ],
        );
        finding.safe_to_remove = Some(safe_to_remove(facts, drive));
        return Judgement::found(subject, finding);
    }
    match (health, &drive.nvme_media_errors) {
        (Some(health), _) => match health.error_log_entries.filter(|n| *n >= LARGE && counted == Some(0)) {
            Some(count) => Judgement::exonerated(
                subject,
                format!(
                    "{count} entries in its error log and no media error: refused commands, not a defect"
                ),
            ),
            None => Judgement::clear(subject),
        },
        (None, Observed::Seen { .. }) => Judgement::clear(subject),
        // In the words of NVM-001, so that a report says it once.
        (None, _) => match &drive.nvme {
            Observed::Absent => Judgement::not_applicable(subject),
            other => Judgement::cannot_tell(subject, why_missing(drive, "its health log", other), false),
        },
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, hdd, nvme, nvme_health, with_drives};
    use assay_bundle::facts::drive::{NvmeHealth, NvmeMediaError};

    fn logging(status_codes: &[u8], media_errors: u128, count: u128) -> Drive {
        let entry =
            |&status_code: &u8| NvmeMediaError { error_count: 9, status_code, lba: None, namespace: Some(1) };
        let health = NvmeHealth { error_log_entries: Some(count), ..nvme_health(0, 3, media_errors) };
        Drive {
            nvme_media_errors: Observed::seen(status_codes.iter().map(entry).collect(), "x"),
            ..nvme("nvme0", health)
        }
    }

    pub(crate) fn four() -> Four {
        let unread = Drive {
            nvme: Observed::NotCollected,
            nvme_media_errors: Observed::NotCollected,
            ..logging(&[], 0, 0)
        };
        Four {
            fires: with_drives(vec![logging(&[0x81], 0, 1)]),
            clear: with_drives(vec![logging(&[], 0, 12)]),
            cannot_tell: with_drives(vec![unread]),
            not_applicable: Some(with_drives(vec![hdd("sda", 1)])),
        }
    }

    #[test]
    fn the_status_decides_and_the_number_does_not() {
        for (codes, media, count, state, says) in [
            (&[][..], 0, 0, "clear", ""),
            (&[], 0, 4_875, "exonerated", "4875 entries in its error log"),
            (&[0x85, 0x86, 0x87], 0, 3, "clear", ""),
            (&[0x80], 0, 1, "found, suspected", "write fault"),
            (&[0x85, 0x82], 0, 2, "found, suspected", "end-to-end"),
            // The count itself says it, under NVM-001.
            (&[0x81], 4, 2, "clear", ""),
            (&[], 4, 4_875, "clear", ""),
        ] {
            let facts = with_drives(vec![logging(codes, media, count)]);
            crate::fixture::check(evaluate, &facts, &[state], says);
        }
    }
}
