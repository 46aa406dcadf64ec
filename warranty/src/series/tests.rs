//! Real model names of every listed series and of their neighbours, against the three tables.
//!
//! Names are those of the maker's product pages; a listed name in the wrong series, or a neighbour taken for a member,
//! would grant or deny years that nobody sold.

use super::*;

mod on_site;

/// The series that a table puts a model in, `not listed` or `cannot tell`.
fn series_in<T: Copy>(table: &'static [Series<T>], model: &str) -> String {
    match look_up(table, Some(model)) {
        Lookup::Listed { series, .. } => series.to_owned(),
        Lookup::NotListed { why } => {
            assert!(why.contains(model.trim()), "{model}: {why}");
            "not listed".to_owned()
        }
        Lookup::CannotTell { why } => {
            assert!(why.contains(model.trim()), "{model}: {why}");
            "cannot tell".to_owned()
        }
    }
}

/// L3, and E3 with it: the terms print one table for both.
fn check(expected: &str, models: &[&str]) {
    for model in models {
        assert_eq!(series_in(STANDARD, model), expected, "{model}");
        assert_eq!(series_in(EXTENDED, model), expected, "{model}");
        let listed = matches!(standard_period(Some(model)), StandardPeriod::Years { .. });
        assert_eq!(listed, !["not listed", "cannot tell"].contains(&expected), "{model}");
    }
}

#[test]
fn l3_periods_are_those_of_the_terms() {
    let years = |model| match standard_period(Some(model)) {
        StandardPeriod::Years { years, global_years, .. } => (years, global_years),
        StandardPeriod::Unknown { why } => panic!("{why}"),
    };
    assert_eq!(years("TVS-EC1280U-SAS-RP"), (5, Some(3)));
    for model in ["TS-1279U-RP", "TS-880U-RP", "TVS-880", "TS-1685"] {
        assert_eq!(years(model), (3, None), "{model}");
    }
    for model in
        ["TS-451", "TS-453", "TS-469", "TS-470", "TVS-463", "TVS-471", "TVS-882", "TS-1635", "TS-431X"]
    {
        assert_eq!(years(model), (2, None), "{model}");
    }
    assert!(STANDARD.iter().all(|s| (2..=5).contains(&s.terms.years)), "in general 2 to 5 years");
}

#[test]
fn l3_listed_models_match() {
    check(
        "TVS-ECx80U-SAS",
        &["TVS-EC880U-SAS", "TVS-EC880U-SAS-RP", "TVS-EC1280U-SAS-RP", "TVS-EC1580U-SAS-RP-16G"],
    );
    check("TS-x79", &["TS-479", "TS-879", "TS-1079", "TS-879U", "TS-879U-RP", "TS-1279U-RP", "TS-1679U-RP"]);
    check("TS-x80", &["TS-880", "TS-1280U", "TS-880U-RP", "TS-1680U-RP"]);
    check("TVS-x80", &["TVS-880", "TVS-1280U-RP", "TVS-1580"]);
    check("TS-1685", &["TS-1685", "TS-1685-8G"]);
    check(
        "TS-x51",
        &["TS-151", "TS-251", "TS-451", "TS-651", "TS-851", "TS-251-4G", "TS-451U", "TS-451-8G", "TS-851-4G"],
    );
    check(
        "TS-x53",
        &[
            "TS-253",
            "TS-453",
            "TS-653",
            "TS-853",
            "TS-453U",
            "TS-853U",
            "TS-1253U",
            "TS-453U-RP",
            "TS-853U-RP",
            "TS-1253U-RP",
            "TS-453-8G",
        ],
    );
    check(
        "TS-x69",
        &[
            "TS-269",
            "TS-469",
            "TS-569",
            "TS-669",
            "TS-869",
            "TS-469U",
            "TS-469U-RP",
            "TS-869U-RP",
            "TS-1269U-RP",
        ],
    );
    check("TS-x70", &["TS-470", "TS-670", "TS-870", "TS-470U-RP", "TS-870U-RP", "TS-1270U-RP", "TS-870-16G"]);
    check("TVS-x63", &["TVS-463", "TVS-663", "TVS-863", "TVS-463-8G", "TVS-863-4G", "TVS-463U"]);
    check(
        "TVS-x71",
        &[
            "TVS-471",
            "TVS-671",
            "TVS-871",
            "TVS-471U",
            "TVS-471U-RP",
            "TVS-871U-RP",
            "TVS-1271U-RP",
            "TVS-1271U-RP-16G",
        ],
    );
    check("TVS-x82", &["TVS-682", "TVS-882", "TVS-1282", "TVS-682-8G", "TVS-1282-16G"]);
    check("TS-1635", &["TS-1635", "TS-1635-4G"]);
    check(
        "TS-x31X",
        &[
            "TS-431X",
            "TS-531X",
            "TS-831X",
            "TS-431X-2G",
            "TS-431XU",
            "TS-431XU-RP",
            "TS-831XU-RP-4G",
            "TS-1231XU-RP",
        ],
    );
}

#[test]
fn l4_case_and_blanks_do_not_matter() {
    check("TS-x53", &["ts-453u-rp", " TS-453 ", "Ts-453", "TS - 453 U - RP", "TS-453\t"]);
    check("TVS-ECx80U-SAS", &["tvs-ec880u-sas-rp", "TVS-EC880U-SAS -RP"]);
    check("TS-x31X", &["ts-431x", "TS-431 X"]);
}

#[test]
fn l4_later_generations_and_other_letters_are_unknown() {
    check(
        "not listed",
        &[
            "TS-453D",
            "TS-453E",
            "TS-453A",
            "TS-453B",
            "TS-453Be",
            "TS-453Bmini",
            "TS-453BU",
            "TS-453BU-RP",
            "TS-453BT3",
            "TS-453 Pro",
            "TS-453mini",
            "TS-453S Pro",
            "TS-453DU",
            "TS-453DU-RP",
            "TS-453DX",
            "TS-253A",
            "TS-253D",
            "TS-253E",
            "TS-253Be",
            "TS-653D",
            "TS-853DU-RP",
            "TS-1253BU-RP",
            "TS-251A",
            "TS-251B",
            "TS-251C",
            "TS-251D",
            "TS-251+",
            "TS-451+",
            "TS-451A",
            "TS-451D",
            "TS-451D2",
            "TS-451DeU",
            "TS-251+-2G",
            "TS-451S",
            "TS-873A",
            "TS-473A",
            "TS-673A",
            "TS-473",
            "TS-873U",
            "TS-873AU-RP",
            "TS-431",
            "TS-431+",
            "TS-431P",
            "TS-431P2",
            "TS-431P3",
            "TS-431K",
            "TS-431KX",
            "TS-431X2",
            "TS-431X3",
            "TS-431XeU",
            "TS-431XeU-2G",
            "TS-231",
            "TS-231P",
            "TS-131",
            "TS-131P",
            "TS-831",
            "TS-1231",
            "TS-431U",
            "TVS-863+",
            "TVS-871T",
            "TVS-882T",
            "TVS-882BR",
            "TVS-882BRT3",
            "TVS-882ST2",
            "TVS-1282T",
            "TVS-1282T3",
            "TVS-673",
            "TVS-872X",
            "TVS-872XT",
            "TVS-h874",
            "TVS-473e",
            "TVS-675",
            "TVS-951X",
            "TS-1635AX",
            "TS-1635AX-8G",
            "TS-1640",
            "TS-1655",
            "TS-1683XU-RP",
            "TS-1677X",
            "TS-1277",
            "TS-EC879U-RP",
            "TS-EC1279U-RP",
            "TS-EC880U-RP",
            "TS-EC880 Pro",
            "TVS-EC880",
            "TVS-EC1080",
            "TVS-EC880U",
            "TVS-EC880U-SAS R2",
            "TVS-EC880U-SAS-RP R2",
            "TVS-EC1580MU-SAS-RP",
            "TVS-EC880U-RP",
            "TES-1885U",
            "TDS-16489U",
            "TDS-16489U R2",
            "TBS-453A",
            "TBS-453DX",
            "HS-453DX",
            "HS-251+",
            "IS-453S",
            "QSW-1208",
            "TS-h973AX",
            "TS-h686",
            "TS-h1290FX",
            "TS-464",
            "TS-464C2",
            "TS-264",
            "TS-328",
            "TS-228",
            "TS-332X",
            "TS-410",
            "TS-459 Pro",
            "TS-879 Pro",
            "TS-1079 Pro",
            "TS-469L",
            "TS-469 Pro",
            "TS-470 Pro",
            "TS-509",
            "TR-004",
            "TL-D800C",
            "QNAP TS-453",
            "453",
            "TS453",
            "TS-",
            "TS-x53",
            "TS-X53D",
        ],
    );
}

#[test]
fn l4_the_bay_count_has_one_or_two_digits() {
    check("TS-x53", &["TS-153", "TS-1253", "TS-2453"]);
    check("not listed", &["TS-53", "TS-053", "TS-0453", "TS-12453", "TS-453453", "TS-४५53"]);
}

#[test]
fn l4_suffixes_inherit_once_and_in_order() {
    check("TS-x53", &["TS-453U-RP-8G", "TS-453-RP", "TS-453-16G"]);
    check("not listed", &["TS-453UU", "TS-453-RPU", "TVS-EC880UU-SAS", "TVS-EC880U-SASU"]);
    let odd = ["TS-453-RP-RP", "TS-453-8G-RP", "TS-453-0G", "TS-453-8", "TS-453-G", "TS-453-8T"];
    check("cannot tell", &odd);
    check("cannot tell", &["TS-453-9999G", "TS-453-"]);
}

#[test]
fn l3_a_model_that_was_not_read_is_unknown() {
    for (model, says) in [(None, "not read"), (Some(" "), "not read"), (Some(&*"T".repeat(65)), "too long")] {
        let StandardPeriod::Unknown { why } = standard_period(model) else { panic!("{model:?}") };
        assert!(why.contains(says), "{why}");
    }
}

#[test]
fn l4_a_part_that_the_terms_do_not_explain_cannot_be_told() {
    // Order codes with a processor: of the series, but L4 lets only rack, power and capacity inherit.
    check(
        "cannot tell",
        &[
            "TVS-882-i5-16G",
            "TVS-1282-i7-32G",
            "TVS-871-i5-8G",
            "TS-1685-D1521-8G",
            "TS-453-8GE",
            "TS-453U-RP-i3",
        ],
    );
}

#[test]
fn e3_options_follow_the_standard_period() {
    for (standard, extended) in STANDARD.iter().zip(EXTENDED) {
        assert_eq!(standard.name, extended.name);
        let options: &[u8] = match standard.terms.years {
            5 => &[],
            3 => &[1, 2],
            2 => &[1, 2, 3],
            other => panic!("{other}"),
        };
        assert_eq!(extended.terms, options, "{}", standard.name);
    }
    assert_eq!(STANDARD.len(), EXTENDED.len());
}

#[test]
fn l3_a_record_may_name_the_series() {
    let recorded = |name| match look_up_recorded(STANDARD, name) {
        Lookup::Listed { series, .. } => series,
        Lookup::NotListed { .. } => "not listed",
        Lookup::CannotTell { .. } => "cannot tell",
    };
    assert_eq!(recorded("TS-x53"), "TS-x53");
    assert_eq!(recorded(" ts-x53 "), "TS-x53");
    assert_eq!(recorded("TS-453U-RP"), "TS-x53");
    assert_eq!(recorded("TVS-ECx80U-SAS"), "TVS-ECx80U-SAS");
    assert_eq!(recorded("TVS-ECx80U-SAS R2"), "not listed");
    assert_eq!(recorded("TS-x53BU"), "not listed");
    assert_eq!(recorded(""), "cannot tell");
    assert!(matches!(look_up_recorded(ON_SITE, "tvs-ecx80u-sas r2"), Lookup::Listed { .. }));
}
