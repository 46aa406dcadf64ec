//! Plans of a unit as one cell of a table: `advanced-replacement:5:2024-03-02 | on-site:5:2024-03-02`.
//!
//! An empty cell is "nobody knows", `none` is "it is known that there are none": the two decide differently, so neither
//! stands for the other. Behind the date may stand `certificate`, `no-certificate`, `direct` and `no-direct` (E4); what
//! is not said stays unknown.

use assay_bundle::entitlement::{Answer, Plan, PlanPurchase};

use super::import::date;

/// Most plans of one unit. Judgement: three kinds are sold, and each may have been bought anew.
const MOST: usize = 8;
/// Longest plan in years. The terms sell 1 to 5.
const LONGEST_YEARS: u8 = 5;

const WORDS: [(&str, Plan); 3] = [
    ("extended", Plan::Extended),
    ("advanced-replacement", Plan::AdvancedReplacement),
    ("on-site", Plan::OnSite),
];

/// Reads a cell.
///
/// # Errors
/// What is wrong with it and how it is written.
pub fn read(cell: &str) -> Result<Option<Vec<PlanPurchase>>, String> {
    let cell = cell.trim();
    match cell {
        "" => return Ok(None),
        "none" => return Ok(Some(Vec::new())),
        _ => {}
    }
    let plans = cell.split('|').map(|plan| one(plan.trim())).collect::<Result<Vec<_>, _>>()?;
    if plans.len() > MOST {
        return Err(format!("names {} plans: at most {MOST} are taken", plans.len()));
    }
    Ok(Some(plans))
}

fn one(text: &str) -> Result<PlanPurchase, String> {
    let wrong =
        |what: String| format!("{what}: write PLAN:YEARS:DAY such as advanced-replacement:5:2024-03-02");
    let mut parts = text.split(':').map(str::trim);
    let (name, years, bought) = (parts.next(), parts.next(), parts.next());
    let name = name.unwrap_or_default();
    let plan = WORDS.iter().find(|(word, _)| *word == name).map(|(_, plan)| *plan).ok_or_else(|| {
        let words: Vec<_> = WORDS.iter().map(|(word, _)| *word).collect();
        wrong(format!("{name:?} is no plan ({})", words.join(", ")))
    })?;
    let years = years.unwrap_or_default();
    let years = years
        .parse()
        .ok()
        .filter(|years| (1..=LONGEST_YEARS).contains(years))
        .ok_or_else(|| wrong(format!("{years:?} are no years from 1 to {LONGEST_YEARS}")))?;
    let bought = date(bought.unwrap_or_default()).map_err(wrong)?;
    let (mut certificate, mut direct_customer) = (Answer::Unknown, Answer::Unknown);
    for mark in parts {
        match mark {
            "certificate" => certificate = Answer::Yes,
            "no-certificate" => certificate = Answer::No,
            "direct" => direct_customer = Answer::Yes,
            "no-direct" => direct_customer = Answer::No,
            other => {
                return Err(format!(
                    "{other:?} says nothing about a plan: write certificate, no-certificate, direct or no-direct"
                ));
            }
        }
    }
    Ok(PlanPurchase { plan, years, bought, certificate, direct_customer })
}

/// Writes the cell that [`read`] reads.
pub fn write(plans: Option<&[PlanPurchase]>) -> String {
    let Some(plans) = plans else { return String::new() };
    if plans.is_empty() {
        return "none".to_owned();
    }
    let one = |bought: &PlanPurchase| {
        let word = WORDS.iter().find(|(_, plan)| *plan == bought.plan).map_or("other", |(word, _)| word);
        let mark = |answer, yes, no| match answer {
            Answer::Yes => yes,
            Answer::No => no,
            Answer::Unknown => "",
        };
        format!(
            "{word}:{}:{}{}{}",
            bought.years,
            bought.bought,
            mark(bought.certificate, ":certificate", ":no-certificate"),
            mark(bought.direct_customer, ":direct", ":no-direct"),
        )
    };
    plans.iter().map(one).collect::<Vec<_>>().join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cell: &str, expected: Result<&str, &str>) {
        match (read(cell), expected) {
            (Ok(plans), Ok(expected)) => assert_eq!(write(plans.as_deref()), expected, "{cell}"),
            (Err(why), Err(says)) => assert!(why.contains(says), "{cell}: {why}"),
            (got, _) => panic!("{cell}: {got:?}"),
        }
    }

    #[test]
    fn a_cell_is_read_and_written_alike() {
        check("", Ok(""));
        check(" none ", Ok("none"));
        check("extended:3:2024-03-02:certificate:direct", Ok("extended:3:2024-03-02:certificate:direct"));
        check(
            "advanced-replacement:5:2024-03-02|on-site : 5 : 2024-03-02",
            Ok("advanced-replacement:5:2024-03-02 | on-site:5:2024-03-02"),
        );
        check("extended:3:2024-03-02:no-certificate", Ok("extended:3:2024-03-02:no-certificate"));
        check("gold:3:2024-03-02", Err("\"gold\" is no plan"));
        check("extended:9:2024-03-02", Err("no years from 1 to 5"));
        check("extended:3", Err("is no date"));
        check("extended:3:2024-02-30", Err("is no date"));
        check("extended:3:2024-03-02:maybe", Err("says nothing about a plan"));
        check("none|none", Err("is no plan"));
        check(&["extended:1:2024-03-02"; 9].join("|"), Err("at most 8"));
    }
}
