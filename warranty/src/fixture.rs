//! Findings and diagnoses for the unit tests of this crate.

use assay_bundle::diagnosis::{
    Component, Diagnosis, DiscriminatingTest, Evidence, Finding, Removable, SafeToRemove, Suspect,
    SuspectKind, Unknown, Verdict,
};

/// A finding about one part in bay 3 with everything that a finding can have.
pub(crate) fn finding(code: &str, component: Component, verdict: Verdict) -> Finding {
    let suspect = Suspect {
        kind: SuspectKind::Part,
        component,
        location: "bay 3".to_owned(),
        serial: Some("WD-1".to_owned()),
        firmware: None,
        certainty_percent: 100,
        certainty_source: "judgement".to_owned(),
    };
    Finding {
        code: code.to_owned(),
        title: String::new(),
        component,
        verdict,
        suspects: vec![suspect],
        evidence: vec![Evidence {
            fact: "drives[sda].model".to_owned(),
            value: "WD40".to_owned(),
            from: String::new(),
        }],
        counter_evidence: Vec::new(),
        rate: None,
        test: Some(DiscriminatingTest { action: "run the self-test".to_owned(), outcomes: Vec::new() }),
        safe_to_remove: (component == Component::Drive).then(|| SafeToRemove {
            answer: Removable::No,
            why: "md1 has no redundancy left".to_owned(),
            as_of_unix_s: None,
            boot_id: None,
        }),
        advice: "clean the vents".to_owned(),
    }
}

/// The same, elsewhere in the unit.
pub(crate) fn finding_at(code: &str, component: Component, verdict: Verdict, location: &str) -> Finding {
    let mut finding = finding(code, component, verdict);
    for suspect in &mut finding.suspects {
        suspect.location = location.to_owned();
        suspect.serial = None;
    }
    finding
}

/// A diagnosis of findings and unknowns (subject, why, required).
pub(crate) fn diagnosis(findings: Vec<Finding>, unknowns: &[(&str, &str, bool)]) -> Diagnosis {
    let unknowns = unknowns.iter().map(|&(subject, why, required)| Unknown {
        code: "DRV-001".to_owned(),
        subject: subject.to_owned(),
        why: why.to_owned(),
        required,
    });
    Diagnosis::new(1, findings, Vec::new(), unknowns.collect())
}
