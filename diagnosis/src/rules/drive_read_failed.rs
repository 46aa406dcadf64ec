//! DRV-014: kernel saw reads of the drive fail.
//!
//! What the drive counts of it is weighed by DRV-002, DRV-005 and SAS-002, with these lines as their witness; this rule
//! is for the drive whose own counters show nothing, or that keeps none. Refuses to judge an aborted command that is
//! no read: a drive that does not know a command says so in the same words.

use assay_bundle::diagnosis::{Component, Evidence, Verdict};
use assay_bundle::facts::drive::{Drive, Protocol};

use crate::certainty::{PENDING_ONE_DRIVE, READS_REFUSED};
use crate::counters::{EXTENDED_TEST, each, finding, once, yields};
use crate::evidence::{test, told};
use crate::happenings::{Happening, Happenings};
use crate::rule::{Judgement, Rule};
use crate::rules::drive_pending_sectors::{READ_FAILED, has_pending};
use crate::rules::drive_reported_uncorrectable::reports_uncorrectable;
use crate::shared::Mark;
use crate::subject::name;
use crate::view::View;

/// The drive refused a command.
const REFUSED: [&str; 1] = ["ata-command-aborted"];
/// The kernel gave a read up.
const GIVEN_UP: [&str; 2] = ["io-error", "buffer-io-error"];
/// So many refused reads, with a read that the kernel gave up, are no single mishap (judgement: the kernel tries one
/// read up to six times).
const REFUSED_FROM: u64 = 6;
/// Why nothing can be told.
const NO_LOG: &str = "the kernel's log was not read";
/// As many lines are shown as evidence.
const SHOWN: usize = 3;

/// The rule.
pub static RULE: Rule = Rule {
    code: "DRV-014",
    title: "Kernel saw reads of the drive fail",
    component: Component::Drive,
    checks: "The kernel's log of this boot for reads of the drive that failed: medium errors, and reads that the drive refused again and again until the kernel gave them up. Drives whose own counters tell the same are left to the rules of those counters.",
    why: "The system asked for data and did not get it, whatever the drive's counters say. Some drives count nothing, some lose the count when the sector is written again.",
    what_to_do: "Back up the data, then run the drive's extended self-test: it reads the medium without the link and decides between the two.",
    threshold_source: "One medium error: Linux libata and SCSI report it only after the drive itself gave the sector up. 6 refused reads and one that was given up: judgement after the six tries of the SCSI disk driver; hardware does not refuse reads, but a refused command alone is usually one that the drive does not know.",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    let happenings = Happenings::of(view.facts);
    once(each(view, |drive| judge(view, drive, &happenings)), NO_LOG)
}

fn judge(view: &View<'_>, drive: &Drive, happenings: &Happenings<'_>) -> Judgement {
    let subject = name(drive);
    if drive.protocol.value() == Some(&Protocol::Nvme) {
        return Judgement::not_applicable(subject);
    }
    if !happenings.read {
        return Judgement::cannot_tell(subject, NO_LOG, false);
    }
    let about = |kinds| happenings.of_kind(kinds).filter(|h: &&Happening<'_>| h.is_about(drive));
    let failed: Vec<_> = about(&READ_FAILED).collect();
    let refused: Vec<_> = about(&REFUSED).filter(|h| is_read(h)).collect();
    let given_up: Vec<_> = about(&GIVEN_UP).collect();
    let times = |all: &[&Happening<'_>]| all.iter().map(|h| h.times()).fold(0, u64::saturating_add);
    let refuses = times(&refused) >= REFUSED_FROM && !given_up.is_empty();
    if failed.is_empty() && !refuses {
        return Judgement::clear(subject);
    }
    if has_pending(drive) || reports_uncorrectable(drive) {
        // Told there, with these lines as the witness: said twice it would look like a second proof.
        return Judgement::not_applicable(subject);
    }
    // Refused reads come with resets and errors of the link, so they yield to what is shared about those as well.
    let marks: &[Mark] =
        if failed.is_empty() { &[Mark::Media, Mark::LinkError, Mark::Timeout] } else { &[Mark::Media] };
    if let Some(shared) = marks.iter().find_map(|mark| yields(view, drive, *mark, "the failed reads")) {
        return shared;
    }
    let (row, title) = match failed.is_empty() {
        false => (&PENDING_ONE_DRIVE, format!("Reads of the {subject} failed at its medium")),
        true => (&READS_REFUSED, format!("The {subject} refuses reads, and the kernel gave some up")),
    };
    let mut why: Vec<Evidence> = Vec::new();
    for (kind, what) in
        [(&failed, "medium errors"), (&refused, "refused reads"), (&given_up, "reads given up")]
    {
        why.extend(kind.iter().take(SHOWN).map(|h| h.evidence()));
        if kind.len() > SHOWN {
            why.push(told("kernel_log.events", format!("{} {what} in all", times(kind)), ""));
        }
    }
    let mut finding = finding(&RULE, view, drive, row, (Verdict::Suspected, title), why);
    finding.test = test(
        EXTENDED_TEST,
        &[
            "The test fails with a read error: the drive is defective; its maker accepts the test as proof.",
            "The test passes and the kernel logs no more: a mark that was written over since; watch it.",
            "The test passes and reads still fail: not the medium; look at the link, the bay and the supply.",
        ],
    );
    Judgement::found(subject, finding)
}

/// Whether the refused command was a read of data.
fn is_read(happening: &Happening<'_>) -> bool {
    happening.event.details.iter().any(|detail| detail.starts_with("command READ "))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, attribute, hdd, nvme, nvme_health, with_drives, with_log};
    use assay_bundle::Observed;
    use assay_bundle::facts::Facts;
    use assay_bundle::facts::kernel_log::KernelEvent;

    pub(crate) fn four() -> Four {
        Four {
            fires: log(hdd("sda", 1), &[("ata-uncorrectable", "READ FPDMA QUEUED", 1)]),
            clear: log(hdd("sda", 1), &[]),
            cannot_tell: with_drives(vec![hdd("sda", 1)]),
            not_applicable: Some(log(nvme("nvme0", nvme_health(0, 0, 0)), &[("medium-error", "", 1)])),
        }
    }

    fn log(drive: Drive, events: &[(&str, &str, u64)]) -> Facts {
        let events = events.iter().map(|(signature, command, repeats)| KernelEvent {
            signature: (*signature).to_owned(),
            subject: Some("ata1".to_owned()),
            device: Some("sda".to_owned()),
            details: vec![format!("command {command}"), "error ABRT".to_owned()],
            repeats: *repeats,
            ..KernelEvent::default()
        });
        with_log(with_drives(vec![drive]), events.collect())
    }

    fn check(drive: Drive, events: &[(&str, &str, u64)], state: &str, says: &str) {
        crate::fixture::check(evaluate, &log(drive, events), &[state], says);
    }

    #[test]
    fn one_medium_error_is_suspicious() {
        let drive = || hdd("sda", 1);
        check(drive(), &[("ata-uncorrectable", "READ DMA", 1)], "found, suspected", "failed at its medium");
        check(drive(), &[("medium-error", "", 1)], "found, suspected", "failed at its medium");
        check(drive(), &[("io-error", "", 9)], "clear", "");
    }

    #[test]
    fn refused_reads_count_when_one_was_given_up() {
        let drive = || hdd("sda", 1);
        let refused = |command, times| [("ata-command-aborted", command, times), ("io-error", "", 1)];
        check(drive(), &refused("READ FPDMA QUEUED", 6), "found, suspected", "refuses reads");
        check(drive(), &refused("READ DMA", 5), "clear", "");
        check(drive(), &refused("SMART", 60), "clear", "");
        check(drive(), &refused("DATA SET MANAGEMENT", 60), "clear", "");
        check(drive(), &[("ata-command-aborted", "READ DMA", 60)], "clear", "");
    }

    #[test]
    fn counters_of_the_drive_go_first() {
        let rows = |id, name| vec![attribute(id, name, 8)];
        let with = |rows| Drive { ata_attributes: Observed::seen(rows, "x"), ..hdd("sda", 1) };
        let read = [("ata-uncorrectable", "READ DMA", 1)];
        check(with(rows(197, "Current_Pending_Sector")), &read, "not applicable", "");
        check(with(rows(187, "Reported_Uncorrect")), &read, "not applicable", "");
        check(with(rows(5, "Reallocated_Sector_Ct")), &read, "found, suspected", "");
    }
}
