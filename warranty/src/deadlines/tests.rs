//! Deadlines over daylight saving, weekends, holidays of two countries and year ends; and every hour of every day
//! against a slow model that counts days one by one.

use super::*;
use crate::calendar::tests::{days, model, model_add};
use jiff::civil::date;

const US: BusinessCalendar = BusinessCalendar::UnitedStates;
const BOTH: BusinessCalendar = BusinessCalendar::UnitedStatesAndCanada;

/// A moment with its offset, `2026-11-23T14:00:00-08:00`.
fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn day(text: &str) -> Date {
    text.parse().expect("a day")
}

#[test]
fn a3_same_day_before_the_cut_off_of_a_business_day() {
    let check = |received: &str, ship_on: &str| {
        assert_eq!(shipment(at(received)).map(|s| s.ship_on), Ok(day(ship_on)), "{received}");
    };
    check("2026-11-23T13:59:59-08:00", "2026-11-23");
    check("2026-11-23T13:59:59.999999999-08:00", "2026-11-23");
    check("2026-11-23T14:00:00-08:00", "2026-11-24");
    check("2026-11-23T00:00:00-08:00", "2026-11-23");
    // Another date elsewhere: the wall clock of Los Angeles counts.
    check("2026-11-24T07:59:59Z", "2026-11-24");
    check("2026-11-23T21:59:59Z", "2026-11-23");
    check("2026-11-23T22:00:00Z", "2026-11-24");
    // In summer 14:00 is an hour earlier in UTC.
    check("2026-07-06T20:59:59Z", "2026-07-06");
    check("2026-07-06T21:00:00Z", "2026-07-07");
    // The Friday before and the Monday after the clocks change, both ways.
    check("2026-03-06T21:59:59Z", "2026-03-06");
    check("2026-03-09T20:59:59Z", "2026-03-09");
    check("2026-03-09T21:00:00Z", "2026-03-10");
    check("2026-10-30T20:59:59Z", "2026-10-30");
    check("2026-11-02T21:59:59Z", "2026-11-02");
    check("2026-11-02T22:00:00Z", "2026-11-03");
    // The nights themselves are Sundays.
    check("2026-03-08T02:59:59-08:00", "2026-03-09");
    check("2026-11-01T01:30:00-07:00", "2026-11-02");
    // Weekends, holidays and their observed days, the year's end.
    check("2026-11-27T14:00:00-08:00", "2026-11-30");
    check("2026-11-28T09:00:00-08:00", "2026-11-30");
    check("2026-11-25T15:00:00-08:00", "2026-11-27");
    check("2026-11-26T09:00:00-08:00", "2026-11-27");
    check("2026-07-03T09:00:00-07:00", "2026-07-06");
    check("2027-12-30T14:00:00-08:00", "2028-01-03");
    check("2026-12-31T14:00:00-08:00", "2027-01-04");
    // A holiday in Canada only is a day like any other for the vendor.
    check("2026-07-01T09:00:00-07:00", "2026-07-01");
}

#[test]
fn a3_the_target_passes_and_the_rule_is_still_met() {
    let check = |received: &str, now: &str, expected: ShipmentState| {
        let shipment = shipment(at(received)).expect("a day");
        assert_eq!(shipment.state(at(now)), Ok(expected), "{received} {now}: {shipment:?}");
    };
    // Friday after the cut-off: the 48 hours end on Sunday, the day is Monday.
    let friday = "2026-11-20T15:00:00-08:00";
    check(friday, "2026-11-22T15:00:00-08:00", ShipmentState::Due);
    check(friday, "2026-11-22T15:00:01-08:00", ShipmentState::PastTarget);
    check(friday, "2026-11-23T23:59:59-08:00", ShipmentState::PastTarget);
    check(friday, "2026-11-24T00:00:00-08:00", ShipmentState::Overdue);
    // Within 48 hours, and the day has passed.
    check("2026-11-23T09:00:00-08:00", "2026-11-24T00:00:00-08:00", ShipmentState::Overdue);
    check("2026-11-23T09:00:00-08:00", "2026-11-23T23:59:59-08:00", ShipmentState::Due);
    // 48 hours are 48 hours, whatever the wall clock does.
    let spring = shipment(at("2026-03-07T12:00:00-08:00")).expect("a day");
    assert_eq!(spring.target, at("2026-03-09T13:00:00-07:00"));
}

#[test]
fn a3_every_hour_against_the_slow_model() {
    for today in days().take_while(|day| day.year() < 2035) {
        for hour in [0, 5, 6, 13, 14, 17, 18, 23] {
            let received = Zone::Pacific.at(today, hour).expect("a moment");
            let same_day = model(US, today) && hour < 14;
            let ship_on = if same_day { today } else { model_add(US, today, 1) };
            assert_eq!(shipment(received).map(|s| s.ship_on), Ok(ship_on), "{today} {hour}");

            let weekday = !matches!(today.weekday(), Weekday::Saturday | Weekday::Sunday);
            let from = if weekday && hour < 14 { today } else { model_add(US, today, 1) };
            let due = visit(received, Zone::Eastern).expect("a day");
            assert_eq!((due.counted_from, due.day), (from, model_add(US, from, 1)), "{today} {hour}");

            let answers = weekday && (6..18).contains(&hour);
            let expected = match (answers, model(US, today)) {
                (false, _) => Support::Closed,
                (true, true) => Support::Open,
                (true, false) => Support::Holiday,
            };
            assert_eq!(support(received), Ok(expected), "{today} {hour}");
            let opens = support_opens(received).expect("a moment");
            assert_eq!(support(opens), Ok(Support::Open), "{today} {hour}");
            assert!(opens >= received && (opens == received) == (expected == Support::Open));
        }
    }
}

#[test]
fn a3_office_hours() {
    for (moment, open) in [
        ("2026-11-23T08:29:59-08:00", false),
        ("2026-11-23T08:30:00-08:00", true),
        ("2026-11-23T17:29:59-08:00", true),
        ("2026-11-23T17:30:00-08:00", false),
        ("2026-11-26T10:00:00-08:00", false),
        ("2026-11-28T10:00:00-08:00", false),
    ] {
        assert_eq!(office_open(at(moment)), Ok(open), "{moment}");
    }
}

#[test]
fn e6_two_business_days_and_seven_working_days() {
    let number =
        |validated: &str, by: &str| assert_eq!(rma_number_by(at(validated)), Ok(day(by)), "{validated}");
    number("2026-11-23T09:00:00-08:00", "2026-11-25");
    number("2026-11-23T23:59:59-08:00", "2026-11-25");
    number("2026-11-24T07:00:00Z", "2026-11-25");
    number("2026-11-25T09:00:00-08:00", "2026-11-30");
    number("2026-11-28T09:00:00-08:00", "2026-12-01");
    number("2026-12-31T09:00:00-08:00", "2027-01-05");
    let repair = |received: &str, by: &str| assert_eq!(repair_by(day(received)), Ok(day(by)), "{received}");
    repair("2026-11-23", "2026-12-03");
    repair("2026-12-24", "2027-01-06");
    repair("2026-07-02", "2026-07-14");
    repair("2026-11-28", "2026-12-08");
}

#[test]
fn a9_five_business_days_in_both_countries() {
    let check = |received: &str, us: &str, canada: &str| {
        assert_eq!(return_by(day(received), Country::UnitedStates), Ok(day(us)), "{received}");
        assert_eq!(return_by(day(received), Country::Canada), Ok(day(canada)), "{received}");
    };
    check("2026-11-13", "2026-11-20", "2026-11-20");
    check("2026-11-23", "2026-12-01", "2026-12-01");
    // Canada Day, then 4 July observed on the Friday.
    check("2026-06-29", "2026-07-07", "2026-07-08");
    // Good Friday is a holiday in Canada only; Boxing Day 2026 is kept on Monday 28 December.
    check("2026-04-01", "2026-04-08", "2026-04-09");
    check("2026-12-23", "2026-12-31", "2027-01-04");
    check("2027-12-23", "2028-01-03", "2028-01-06");
    for received in days().take_while(|day| day.year() < 2035) {
        assert_eq!(return_by(received, Country::UnitedStates), Ok(model_add(US, received, 5)));
        assert_eq!(return_by(received, Country::Canada), Ok(model_add(BOTH, received, 5)));
    }
}

#[test]
fn a10_a_fee_for_each_calendar_day_up_to_the_list_price() {
    let carrier = |picked_up: &str| CarrierRecord {
        tracking: "1Z999".to_owned(),
        delivered: date(2026, 11, 13),
        picked_up: (picked_up != "-").then(|| day(picked_up)),
        timely_proof: false,
    };
    let check =
        |picked_up: &str, today: &str, price: Option<u64>, late: u32, fee: Option<u64>, capped: bool| {
            let today = (today != "-").then(|| day(today));
            let got = late_fee(&carrier(picked_up), Country::UnitedStates, today, price).expect("a fee");
            assert_eq!((got.return_by, got.days_late), (day("2026-11-20"), late), "{picked_up}");
            assert_eq!((got.proposed_usd_cents, got.capped), (fee, capped), "{picked_up}");
        };
    check("2026-11-20", "-", Some(50_000), 0, Some(0), false);
    check("2026-11-14", "2027-01-01", Some(50_000), 0, Some(0), false);
    // A weekend counts: calendar days.
    check("2026-11-21", "-", Some(50_000), 1, Some(10_000), false);
    check("2026-11-23", "-", Some(50_000), 3, Some(30_000), false);
    check("2026-11-25", "-", Some(50_000), 5, Some(50_000), true);
    check("2026-11-26", "-", Some(50_000), 6, Some(50_000), true);
    check("2026-11-26", "-", Some(59_999), 6, Some(59_999), true);
    check("-", "2026-11-22", Some(50_000), 2, Some(20_000), false);
    check("-", "2026-11-20", None, 0, Some(0), false);
    check("-", "2026-11-22", None, 2, None, false);
    check("-", "2035-01-01", Some(299_900), 2964, Some(299_900), true);

    let proven = CarrierRecord { timely_proof: true, ..carrier("2026-12-24") };
    let got = late_fee(&proven, Country::UnitedStates, None, Some(50_000)).expect("a fee");
    assert_eq!((got.days_late, got.proposed_usd_cents), (0, Some(0)));

    let error = |carrier: CarrierRecord| {
        late_fee(&carrier, Country::UnitedStates, None, Some(1)).expect_err("no fee").to_string()
    };
    assert!(
        error(CarrierRecord { tracking: " ".to_owned(), ..carrier("-") }).contains("tracking number (A10)")
    );
    assert!(error(carrier("2026-11-12")).contains("before its replacement was delivered, 2026-11-13"));
    assert!(error(carrier("-")).contains("set the clock"));
}

#[test]
fn a11_five_business_days_from_notification() {
    let check = |notified: &str, country, by: &str| {
        assert_eq!(missing_parts_by(day(notified), country), Ok(day(by)), "{notified}");
    };
    check("2026-11-13", Country::UnitedStates, "2026-11-20");
    check("2026-06-29", Country::UnitedStates, "2026-07-07");
    check("2026-06-29", Country::Canada, "2026-07-08");
    check("2027-12-23", Country::Canada, "2028-01-06");
}

#[test]
fn o6_before_17_00_of_the_next_business_day_at_the_site() {
    let check = |accepted: &str, site: Zone, before: &str| {
        assert_eq!(visit(at(accepted), site).map(|v| v.before), Ok(at(before)), "{accepted}");
    };
    check("2026-11-23T13:59:59-08:00", Zone::Pacific, "2026-11-24T17:00:00-08:00");
    check("2026-11-23T13:59:59-08:00", Zone::Eastern, "2026-11-24T17:00:00-05:00");
    check("2026-11-23T14:00:00-08:00", Zone::Central, "2026-11-25T17:00:00-06:00");
    check("2026-11-27T09:00:00-08:00", Zone::Mountain, "2026-11-30T17:00:00-07:00");
    // Later, or on a weekend: counted from the next business day.
    check("2026-11-20T15:00:00-08:00", Zone::Pacific, "2026-11-24T17:00:00-08:00");
    check("2026-11-21T09:00:00-08:00", Zone::Pacific, "2026-11-24T17:00:00-08:00");
    check("2026-11-25T15:00:00-08:00", Zone::Pacific, "2026-11-30T17:00:00-08:00");
    // A holiday is a day from Monday to Friday: accepted in the morning, the next business day.
    check("2026-11-26T09:00:00-08:00", Zone::Pacific, "2026-11-27T17:00:00-08:00");
    check("2026-11-26T15:00:00-08:00", Zone::Pacific, "2026-11-30T17:00:00-08:00");
    // Over a change of clocks, at a site with and without one; over the year's end.
    check("2026-03-06T09:00:00-08:00", Zone::Eastern, "2026-03-09T17:00:00-04:00");
    check("2026-03-06T09:00:00-08:00", Zone::Arizona, "2026-03-09T17:00:00-07:00");
    check("2026-10-30T09:00:00-07:00", Zone::Eastern, "2026-11-02T17:00:00-05:00");
    check("2026-12-31T09:00:00-08:00", Zone::Eastern, "2027-01-04T17:00:00-05:00");
}

#[test]
fn o8_contact_within_24_hours() {
    assert_eq!(contact_by(at("2026-11-23T09:00:00-08:00")), Ok(at("2026-11-24T09:00:00-08:00")));
    // Hours, not a wall-clock day.
    assert_eq!(contact_by(at("2026-03-07T12:00:00-08:00")), Ok(at("2026-03-08T13:00:00-07:00")));
    assert!(contact_by(Timestamp::MAX).is_err());
}

#[test]
fn s1_support_hours() {
    let check = |moment: &str, expected: Support, opens: &str| {
        assert_eq!(support(at(moment)), Ok(expected), "{moment}");
        assert_eq!(support_opens(at(moment)), Ok(at(opens)), "{moment}");
    };
    check("2026-11-23T05:59:59-08:00", Support::Closed, "2026-11-23T06:00:00-08:00");
    check("2026-11-23T06:00:00-08:00", Support::Open, "2026-11-23T06:00:00-08:00");
    check("2026-11-23T17:59:59-08:00", Support::Open, "2026-11-23T17:59:59-08:00");
    check("2026-11-23T18:00:00-08:00", Support::Closed, "2026-11-24T06:00:00-08:00");
    check("2026-11-21T12:00:00-08:00", Support::Closed, "2026-11-23T06:00:00-08:00");
    check("2026-11-26T12:00:00-08:00", Support::Holiday, "2026-11-27T06:00:00-08:00");
    check("2026-03-07T12:00:00-08:00", Support::Closed, "2026-03-09T06:00:00-07:00");
    check("2026-07-06T13:00:00Z", Support::Open, "2026-07-06T13:00:00Z");
}

#[test]
fn a3_beyond_the_tables_is_an_error() {
    let beyond = at("2036-01-02T09:00:00-08:00");
    let last = at("2035-12-31T15:00:00-08:00");
    for error in [
        shipment(beyond).expect_err("beyond"),
        shipment(last).expect_err("the next day is beyond"),
        visit(last, Zone::Pacific).expect_err("beyond"),
        rma_number_by(last).expect_err("beyond"),
        support(at("2036-01-02T09:00:00-08:00")).expect_err("beyond"),
        repair_by(date(2035, 12, 24)).expect_err("beyond"),
        return_by(date(2035, 12, 27), Country::Canada).expect_err("beyond"),
        missing_parts_by(date(2023, 12, 29), Country::UnitedStates).expect_err("before"),
    ] {
        let text = error.to_string();
        assert!(text.contains("2024 to 2035") && text.contains("outside the holiday tables"), "{text}");
    }
    assert!(shipment(Timestamp::MAX).is_err());
}
