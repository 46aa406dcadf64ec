//! What could not be told is read again before anything is concluded from it.

use assay_bundle::diagnosis::Diagnosis;
use assay_bundle::observed::NOT_PASTED;

use crate::text::sentence;

/// What to do about readings that `healthy` needs and that were not there, one text for each reason.
pub(super) fn texts(diagnosis: &Diagnosis) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for unknown in diagnosis.unknowns.iter().filter(|u| u.required) {
        match reasons.iter_mut().find(|(why, _)| *why == unknown.why) {
            Some((_, subjects)) if subjects.contains(&unknown.subject.as_str()) => {}
            Some((_, subjects)) => subjects.push(&unknown.subject),
            None => reasons.push((&unknown.why, vec![&unknown.subject])),
        }
    }
    let text = |(why, subjects): (&str, Vec<&str>)| {
        let subjects = subjects.join(", ");
        let how = if why.contains("asleep") {
            "run a check while it is awake, for example during a backup"
        } else if why.contains(NOT_PASTED) {
            "paste the outputs that show it too, or run a check on the NAS itself"
        } else {
            "mend that and run a check again"
        };
        format!("{} could not be told ({why}): {how}.", sentence(&subjects))
    };
    reasons.into_iter().map(text).collect()
}
