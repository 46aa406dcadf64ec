//! What to do, in order: a diagnosis joined with an entitlement.

use serde::{Deserialize, Serialize};

use crate::diagnosis::Component;

/// What kind of step it is. A word of a later version reads as [`Action::Other`]: its step still has a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Nothing needs doing.
    Nothing,
    /// Protect the data first.
    Backup,
    /// One more test before anything is replaced.
    Test,
    /// Mend the surroundings or a setting.
    Environment,
    /// A drive goes to its own maker (L2).
    DriveMaker,
    /// Another maker's device goes to its own maker (L2).
    OtherMaker,
    /// Only the component ships (A6, L1).
    Component,
    /// A visit, or a part for the next business day (O1-O15).
    OnSite,
    /// A replacement unit ships first (A1-A17).
    AdvanceReplacement,
    /// Direct repair under the extended warranty (E1-E9).
    RepairRma,
    /// Return through the original purchase channel (L7).
    PurchaseChannel,
    /// Direct repair from abroad when the purchase channel is gone (L7).
    InternationalRma,
    /// Repair at the customer's cost (L10).
    PaidRepair,
    /// Make it possible to tell: read what was missing.
    ReadAgain,
    /// A word of a later version.
    #[serde(other)]
    Other,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Kind.
    pub action: Action,
    /// What to do, for a person.
    pub text: String,
    /// Finding it answers, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// Component that it is about, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<Component>,
    /// Service-term rule IDs that this rests on.
    pub rules: Vec<String>,
    /// What still blocks it.
    pub blocked_by: Vec<String>,
}

/// What to do, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recommendation {
    /// Steps, first things first; never empty after `warranty::recommend`.
    pub steps: Vec<Step>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn check(action: &str, expected: Action) {
        let text = format!(
            r#"{{"steps":[{{"action":"{action}","text":"do it","rules":["L7"],"blocked_by":[],"later":1}}]}}"#
        );
        // Both readers, because the agent has one of its own.
        let ours: Recommendation = json::from_slice(text.as_bytes()).expect("reads");
        let stock: Recommendation = serde_json::from_str(&text).expect("reads");
        assert_eq!(ours, stock);
        assert_eq!(
            ours.steps.first().map(|step| (step.action, step.text.as_str())),
            Some((expected, "do it"))
        );
    }

    #[test]
    fn old_and_later_documents_read() {
        check("purchase_channel", Action::PurchaseChannel);
        check("advance_replacement", Action::AdvanceReplacement);
        check("read_again", Action::ReadAgain);
        check("teleport", Action::Other);
    }
}
