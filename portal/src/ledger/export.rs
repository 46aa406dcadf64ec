//! The ledger as a table that [`super::import`] reads back.

use assay_bundle::entitlement::{Answer, Channel};

use super::import::COLUMNS;
use super::plans;
use super::record::Record;

/// The header line.
pub fn header() -> String {
    let names: Vec<_> = COLUMNS.iter().map(|(name, _)| *name).collect();
    format!("{}\n", names.join(","))
}

/// One unit, in the order of the header.
pub fn line(record: &Record) -> String {
    let cells: Vec<String> = COLUMNS.iter().map(|(column, _)| quoted(&cell(record, column))).collect();
    format!("{}\n", cells.join(","))
}

fn cell(record: &Record, column: &str) -> String {
    let bought = &record.bought;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let number = |value: Option<u8>| value.map(|n| n.to_string()).unwrap_or_default();
    match column {
        "serial" => record.serial.clone(),
        "model" => text(&bought.model),
        "sold_to" => text(&record.sold_to),
        "invoice_date" => text(&bought.invoice_date),
        "country" => text(&bought.region.country),
        "us_state" => text(&bought.region.us_state),
        "plans" => plans::write(bought.plans.as_deref()),
        "list_price" => record.list_price.as_ref().map(super::record::Price::amount).unwrap_or_default(),
        "currency" => record.list_price.as_ref().map(|price| price.currency.clone()).unwrap_or_default(),
        "status" => record.status.word().to_owned(),
        "series" => text(&bought.series),
        "standard_years" => number(bought.standard_years),
        "global_years" => number(bought.global_years),
        "original_purchaser" => match bought.original_purchaser {
            Answer::Yes => "yes".to_owned(),
            Answer::No => "no".to_owned(),
            Answer::Unknown => String::new(),
        },
        "channel" => match bought.channel {
            Channel::Open => "open".to_owned(),
            Channel::Gone => "gone".to_owned(),
            Channel::Unknown => String::new(),
        },
        "on_site_used" => number(bought.on_site_used),
        "replaced_by" => text(&record.replaced_by),
        "replaces" => text(&record.replaces),
        _ => String::new(),
    }
}

/// A field for any reader. What a spreadsheet would take for a formula gets an apostrophe before it.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t']) && cell.len() > 1;
    let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', ';', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::csv::Limits;
    use crate::ledger::import::{make, read};

    #[test]
    fn what_is_exported_reads_back() {
        let text = "serial,model,sold_to,invoice_date,country,us_state,plans,list_price,currency,status,series,\
                    standard_years,global_years,original_purchaser,channel,on_site_used\n\
                    Q100000001,TS-853BU-RP,\"A; B, \"\"C\"\"\",2024-03-01,US,CA,\
                    advanced-replacement:5:2024-03-02 | on-site:5:2024-03-02:direct,2999.5,EUR,returned,TS-x53,3,1,yes,gone,2\n";
        let today = jiff::civil::date(2026, 11, 22);
        let record = |text: &str| {
            let table = read(text.as_bytes(), today, Limits::default());
            assert!(table.errors.is_empty(), "{:?}", table.errors);
            let line = table.lines.first().expect("one line").clone();
            make(&line.serial, &line.edits).expect("right")
        };
        let first = record(text);
        assert_eq!(record(&format!("{}{}", header(), line(&first))), first);
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(quoted("-"), "-");
    }
}
