//! Judging outputs that somebody pasted: recognised by content, read by the parsers of the probes, judged by the rules.
//!
//! Nothing of it is stored, it belongs to no device, and it is no evidence.

use assay_bundle::Overall;
use assay_collector::judge::{self, Pasted};
use assay_diagnosis::report::{Layout, Material, Origin, View, terminal};
use serde::{Deserialize, Serialize};

/// What outputs stand under in places of facts.
const NAME: &str = "pasted";
/// Columns of the report.
const WIDTH: usize = 100;

/// What pasted outputs say.
#[derive(Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// The verdict; `None` when no output was recognised.
    pub overall: Option<Overall>,
    /// One line for each output: where it begins, what it is, what was wrong with it.
    pub outputs: Vec<String>,
    /// The report, as `assay judge` prints it.
    pub report: String,
    /// Forms that are known.
    pub formats: Vec<String>,
}

/// Judges.
pub(super) fn judge(text: String) -> Judgement {
    let judged = judge::judge(&[Pasted { name: NAME.to_owned(), bytes: text.into_bytes() }]);
    let outputs = judged.parts.iter().map(|part| {
        let form = part.format.unwrap_or("not recognised");
        match &part.trouble {
            Some(why) if part.format.is_some() => format!("{}: {form}, not read: {why}", part.place),
            _ => format!("{}: {form}, {} lines", part.place, part.lines),
        }
    });
    let formats = judge::formats().into_iter().map(str::to_owned).collect();
    let outputs = outputs.collect();
    if !judged.found_anything() {
        return Judgement { overall: None, outputs, report: String::new(), formats };
    }
    let facts = &judged.collection.facts;
    let diagnosis = assay_diagnosis::diagnose_pasted(facts).as_stored();
    let model = facts.identity.model.value().map(String::as_str);
    let entitlement = assay_warranty::entitlement(None, model, None);
    let recommendation = assay_warranty::recommend(&diagnosis, &entitlement);
    let material = Material {
        entitlement: Some(&entitlement),
        ..Material::new(facts, &diagnosis, &recommendation, Origin::Judged)
    };
    let report = terminal(&View::of(&material), Layout { width: WIDTH, colour: false, all: true });
    Judgement { overall: Some(diagnosis.overall), outputs, report, formats }
}
