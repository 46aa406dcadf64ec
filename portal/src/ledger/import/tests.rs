//! Tables of tables: what is taken, and what is said of what is not.

use jiff::civil::date as day;

use super::*;

fn table(text: &str) -> Table {
    read(text.as_bytes(), day(2026, 11, 22), Limits::default())
}

/// The remarks, errors first, in words; each must contain the expected text, in this order.
fn check(text: &str, expected: &[&str]) {
    let table = table(text);
    let got: Vec<String> = table.errors.iter().chain(&table.warnings).map(ToString::to_string).collect();
    assert_eq!(got.len(), expected.len(), "{text}: {got:#?}");
    for (got, says) in got.iter().zip(expected) {
        assert!(got.contains(says), "{text}: {got:?} does not say {says:?}");
    }
}

#[test]
fn every_wrong_cell_is_named() {
    check("serial;model\nQ100000001;TS-451\n", &[]);
    check("", &["line 1: the table is empty"]);
    check("serial,modell\nQ100000001,TS-451\n", &["line 1: \"modell\" is no column"]);
    check("model\nTS-451\n", &["no column serial"]);
    check("serial,serial\n", &["serial stands twice"]);
    check("serial,model\n,TS-451\n", &["line 2, column serial"]);
    check(
        "serial,model\nQ1,TS-451\n",
        &["line 2, column serial: \"Q1\" is not what serial numbers look like"],
    );
    check(
        "serial\nQ100000001\nQ200000002\nq100000001 \n",
        &["line 4, column serial: Q100000001 stands in line 2 already"],
    );
    check("serial,model\nQ100000001,TS-451,more\n", &["line 2: has 3 fields, and the header names 2"]);
    check(
        "serial,invoice_date,list_price,currency\nQ100000001,01.02.2026,\"2,999.00\",USD\n",
        &["line 2, column invoice_date: \"01.02.2026\" is no date", "column list_price"],
    );
    check("serial,invoice_date\nQ100000001,2026-02-30\n", &["is no date"]);
    check("serial,invoice_date\nQ100000001,2026-11-23\n", &["lies after today, 2026-11-22"]);
    check("serial,invoice_date\nQ100000001,1999-11-23\n", &["lies before 2004"]);
    check(
        "serial,plans\nQ100000001,extended:3:2027-01-01\n",
        &["column plans: a plan was bought on 2027-01-01"],
    );
    check("serial,model\nQ100000001,<b>\n", &["column model: \"<b>\" is not what models look like"]);
    check("serial,model\nQ100000001,TS-453D\n", &["column model: TS-453D is in no listed series"]);
    check("serial,model,standard_years\nQ100000001,TS-453D,3\n", &[]);
    check("serial,series\nQ100000001,TS-x5\n", &["column series"]);
    check("serial,status\nQ100000001,stolen\n", &["column status: \"stolen\" is no status"]);
    check("serial,country,us_state\nQ100000001,USA,ZZ\n", &["column country", "column us_state"]);
    check("serial,currency\nQ100000001,USD\n", &["column currency: names a currency"]);
    check("serial,list_price\nQ100000001,5\n", &["column list_price: \"\" is no currency"]);
    check("serial,original_purchaser,channel\nQ100000001,perhaps,closed\n", &["neither yes", "neither open"]);
    check("serial,on_site_used,standard_years\nQ100000001,5,99\n", &["from 0 to 4", "from 0 to 10"]);
    check("serial,replaces\nQ100000001,no\n", &["column replaces"]);
}

#[test]
fn a_line_sets_what_it_says() {
    let text = "\u{feff}Serial;Model;Sold to;invoice-date;country;us_state;plans;list_price;currency;status;channel\r\n\
                q100000001;TS-451;dealer 7;2024-03-01;us;ca;none;2999,00;usd;;gone\r\n";
    let table = table(text);
    assert_eq!((table.errors, table.warnings), (Vec::new(), Vec::new()));
    let line = table.lines.first().expect("one line");
    let record = make(&line.serial, &line.edits).expect("right");
    assert_eq!((line.line, record.serial.as_str(), record.status), (2, "Q100000001", Status::Active));
    let bought = record.purchase();
    assert_eq!(bought.region, Region::new(Some("US"), Some("CA")));
    assert_eq!((bought.plans, bought.channel), (Some(Vec::new()), Channel::Gone));
    assert_eq!((bought.list_price_usd_cents, record.sold_to.as_deref()), (Some(299_900), Some("dealer 7")));
    // An empty cell leaves what is there, a dash clears it.
    let (edits, errors) = edits(&[("model", ""), ("sold_to", "-"), ("invoice_date", "-")], day(2026, 11, 22));
    assert!(errors.is_empty());
    let after = apply(&record_of(line), &edits).expect("right");
    assert_eq!((after.sold_to, after.bought.invoice_date), (None, None));
    assert_eq!(after.bought.model.as_deref(), Some("TS-451"));
}

fn record_of(line: &Line) -> Record {
    make(&line.serial, &line.edits).expect("right")
}

#[test]
fn what_a_shipment_writes_is_not_imported() {
    let link = |value: &str| [Edit::Link("replaced_by", value.to_owned())];
    let replaced = Record {
        status: Status::ReplacedBy,
        replaced_by: Some("Q200000002".to_owned()),
        ..Record::new("Q100000001")
    };
    assert!(apply(&replaced, &link("Q200000002")).is_ok(), "an export reads back");
    assert!(apply(&replaced, &link("Q300000003")).is_err());
    assert!(make("Q100000001", &link("Q300000003")).is_err());
    assert!(make("Q100000001", &[Edit::Status(Status::ReplacedBy)]).is_err());
    assert!(make("Q100000001", &[Edit::Status(Status::ReportedStolen)]).is_ok());
    // A refurbished unit that is sold in the same line keeps what the line says.
    let returned = Record { status: Status::Returned, ..replaced };
    let sold = [Edit::Status(Status::Refurbished), Edit::SoldTo(Some("dealer 8".to_owned()))];
    let after = apply(&returned, &sold).expect("right");
    assert_eq!((after.sold_to.as_deref(), after.replaced_by), (Some("dealer 8"), None));
}
