//! ZFS-002: a ZFS pool holds data that nothing could repair.

use assay_bundle::Observed;
use assay_bundle::diagnosis::{Component, Finding, SuspectKind, Verdict};
use assay_bundle::facts::zfs::{ZfsPool, ZfsVdev, ZfsVdevKind};

use super::zfs_pool::{about, subject};
use crate::certainty::{Place, ZPOOL_DATA_ERRORS, ZPOOL_DATA_ERRORS_ONE};
use crate::evidence::{seen, test, told};
use crate::rule::{Judgement, Rule};
use crate::subject::suspects;
use crate::vdev::{counts, device_name, drive_behind};
use crate::view::View;

/// From so many data errors data is lost.
const DATA_ERRORS_FROM: u64 = 1;
/// How the long form of `zpool status` begins its list of damaged files.
const PERMANENT: &str = "Permanent errors";

/// The rule.
pub static RULE: Rule = Rule {
    code: "ZFS-002",
    title: "ZFS pool holds data that nothing could repair",
    component: Component::StorageState,
    checks: "The number of data errors that each ZFS pool reports: blocks of which every copy was damaged.",
    why: "These files or blocks are lost on this pool; they come back from a backup only.",
    what_to_do: "List the damaged files on the NAS itself (zpool status -v), restore them from a backup, scrub the pool twice, and find the cause before anything new is written.",
    threshold_source: "One data error: ZFS counts only what no copy or parity could repair (message ZFS-8000-8A).",
    evaluate,
};

fn evaluate(view: &View<'_>) -> Vec<Judgement> {
    match &view.facts.zfs_pools {
        Observed::Seen { value, .. } if !value.is_empty() => {
            value.iter().map(|pool| judge(view, pool)).collect()
        }
        // That the list is missing is told by ZFS-001.
        _ => vec![Judgement::not_applicable("ZFS pools")],
    }
}

fn judge(view: &View<'_>, pool: &ZfsPool) -> Judgement {
    let subject = subject(pool);
    match &pool.data_errors {
        Observed::Seen { value, .. } if *value < DATA_ERRORS_FROM => Judgement::clear(subject),
        Observed::Seen { value, .. } => Judgement::found(subject, lost(view, pool, &format!("{value}"))),
        _ if pool.errors_text.value().is_some_and(|text| text.contains(PERMANENT)) => {
            Judgement::found(subject, lost(view, pool, "permanent"))
        }
        _ => Judgement::cannot_tell(subject, "the number of its data errors was not read", true),
    }
}

fn lost(view: &View<'_>, pool: &ZfsPool, how_many: &str) -> Finding {
    let devices = pool.vdevs.iter().filter(|v| v.kind == ZfsVdevKind::Device);
    let counting: Vec<&ZfsVdev> = devices.filter(|v| counts(v).is_some()).collect();
    let place = |at: String| {
        move |share: &crate::certainty::Share| match (share.kind, share.component) {
            (SuspectKind::Part, Component::Drive) | (_, Component::Link) => Place::at(at.clone()),
            _ => Place::at("the unit"),
        }
    };
    let suspects = match counting.as_slice() {
        [one] => match drive_behind(view.facts, one) {
            Some(drive) => suspects(&ZPOOL_DATA_ERRORS_ONE, drive),
            None => ZPOOL_DATA_ERRORS_ONE.suspects(place(device_name(one))),
        },
        _ => ZPOOL_DATA_ERRORS.suspects(place(format!("the devices of {}", pool.name))),
    };
    let title =
        format!("ZFS pool {} has lost data: {how_many} data errors that nothing could repair", pool.name);
    let mut evidence = about(pool);
    let fact = |field: &str| format!("zfs_pools[{}].{field}", pool.name);
    evidence.extend(seen(fact("data_errors"), &pool.data_errors));
    evidence.extend(seen(fact("errors_text"), &pool.errors_text).filter(|_| !pool.data_errors.is_seen()));
    evidence.extend(counting.iter().filter_map(|v| {
        let from = v.state.place().unwrap_or_default();
        Some(told(fact(&format!("vdevs[{}]", v.name)), format!("counts {}", counts(v)?), from))
    }));
    let mut finding = RULE.finding(Verdict::Suspected, title, suspects, evidence);
    finding.test = test(
        "Run a memory test, then scrub the pool and compare the counters of its devices before and after; nothing is moved.",
        &[
            "The memory test finds errors: memory.",
            "One device counts new errors: that drive or its link.",
            "No new errors: they are old damage; restore the files, and the number goes to 0 after two scrubs.",
        ],
    );
    finding
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::fixture::{Four, nas};
    use crate::pools::tests::{hero, three};
    use assay_bundle::facts::Facts;

    const WELL: [(&str, u64); 3] = [("ONLINE", 0); 3];

    fn with(errors: Observed<u64>, states: [(&str, u64); 3]) -> Facts {
        hero(vec![ZfsPool { data_errors: errors, ..three("raidz1-0", states) }])
    }

    pub(crate) fn four() -> Four {
        Four {
            fires: with(Observed::seen(7, "x"), WELL),
            clear: with(Observed::seen(0, "x"), WELL),
            cannot_tell: with(Observed::unreadable("x"), WELL),
            not_applicable: Some(nas()),
        }
    }

    #[test]
    fn lost_data_is_told_with_its_likeliest_cause() {
        let check = |facts: &Facts, state: &str, says: &str| {
            crate::fixture::check(evaluate, facts, &[state], says);
        };
        check(&with(Observed::seen(0, "x"), WELL), "clear", "");
        check(&with(Observed::seen(7, "x"), WELL), "found, suspected", "has lost data: 7 data errors");
        let one = [("ONLINE", 0), ("ONLINE", 9), ("ONLINE", 0)];
        check(&with(Observed::seen(7, "x"), one), "found, suspected", "WD-WCC7K002");
        check(&with(Observed::NotCollected, WELL), "cannot tell, required", "was not read");
        let mut long = three("raidz1-0", WELL);
        long.data_errors = Observed::unreadable("no number");
        long.errors_text =
            Observed::seen("Permanent errors have been detected in the following files:".to_owned(), "x");
        check(&hero(vec![long]), "found, suspected", "permanent data errors");
    }
}
