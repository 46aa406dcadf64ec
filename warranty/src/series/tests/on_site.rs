//! The on-site table (O4) over real model names, with the second revisions.

use super::*;

fn check(expected: &str, models: &[&str]) {
    for model in models {
        assert_eq!(series_in(ON_SITE, model), expected, "{model}");
    }
}

#[test]
fn o4_listed_models_match() {
    check("TDS-16489U", &["TDS-16489U", "TDS-16489U-RP", "tds-16489u-256G"]);
    check("TDS-16489U R2", &["TDS-16489U R2", "TDS-16489U-R2", "TDS-16489UR2"]);
    check("TES-x85U", &["TES-1885U", "TES-3085U", "TES-1885U-RP", "TES-3085U-64G"]);
    check(
        "TS-x83XU",
        &[
            "TS-883XU",
            "TS-883XU-RP",
            "TS-983XU",
            "TS-983XU-RP",
            "TS-1283XU-RP",
            "TS-1683XU-RP",
            "TS-2483XU-RP",
            "TS-1683XU-RP-16G",
        ],
    );
    check(
        "TVS-ECx80U-SAS R2",
        &[
            "TVS-EC1280U-SAS-RP R2",
            "TVS-EC1680U-SAS-RP R2",
            "TVS-EC2480U-SAS-RP R2",
            "TVS-EC880U-SAS R2",
            "TVS-EC1280U-SAS-RP-16G-R2",
        ],
    );
    check(
        "TS-ECx80U R2",
        &[
            "TS-EC880U R2",
            "TS-EC1280U R2",
            "TS-EC1680U R2",
            "TS-EC2480U R2",
            "TS-EC1280U-RP R2",
            "TS-EC1280U R2-RP",
        ],
    );
    check(
        "TS-x77XU",
        &[
            "TS-877XU",
            "TS-877XU-RP",
            "TS-977XU",
            "TS-977XU-RP",
            "TS-1277XU-RP",
            "TS-1677XU-RP",
            "TS-2477XU-RP",
        ],
    );
    check("TS-x73U", &["TS-873U", "TS-873U-RP", "TS-1273U", "TS-1273U-RP", "TS-1673U-RP-64G"]);
    check(
        "TVS-x72XU",
        &[
            "TVS-872XU",
            "TVS-872XU-RP",
            "TVS-972XU",
            "TVS-972XU-RP",
            "TVS-1272XU-RP",
            "TVS-1672XU-RP",
            "TVS-2472XU-RP",
        ],
    );
    check("TS-x63XU", &["TS-463XU", "TS-463XU-RP", "TS-863XU", "TS-863XU-RP-4G", "TS-1263XU-RP"]);
    check(
        "TS-x53BU",
        &["TS-453BU", "TS-453BU-2G", "TS-453BU-RP", "TS-853BU", "TS-853BU-RP", "TS-1253BU-RP-4G"],
    );
}

#[test]
fn o4_without_a_readable_revision_it_cannot_be_told() {
    check(
        "cannot tell",
        &[
            "TVS-EC880U-SAS",
            "TVS-EC1280U-SAS-RP",
            "TVS-EC1580U-SAS-RP-16G",
            "TS-EC880U",
            "TS-EC1280U-RP",
            "TS-EC1680U-RP-8GE",
        ],
    );
    let Lookup::CannotTell { why } = look_up(ON_SITE, Some("TS-EC880U-RP")) else { panic!("told") };
    assert!(why.contains("TS-ECx80U R2") && why.contains("read the label"), "{why}");
}

#[test]
fn o4_neighbours_are_not_listed() {
    check(
        "not listed",
        &[
            "TS-453B",
            "TS-453Be",
            "TS-453U",
            "TS-453U-RP",
            "TS-453DU-RP",
            "TS-453BUU",
            "TS-453BT3",
            "TS-853DU-RP",
            "TS-873",
            "TS-873A",
            "TS-873AU",
            "TS-873AU-RP",
            "TS-1273AU-RP",
            "TS-h1277XU-RP",
            "TS-1277",
            "TS-1677X",
            "TS-877",
            "TS-h1283XU-RP",
            "TS-h1683XU-RP",
            "TVS-872XT",
            "TVS-872X",
            "TVS-h1272XU-RP",
            "TVS-h1672XU-RP R2",
            "TVS-872U",
            "TS-872XU",
            "TS-963X",
            "TS-963N",
            "TS-463U",
            "TS-463U-RP",
            "TVS-463",
            "TS-832XU",
            "TS-832PXU-RP",
            "TS-873U R2",
            "TS-883XU R2",
            "TS-879U-RP",
            "TS-EC879U-RP",
            "TS-880U R2",
            "TVS-EC880",
            "TVS-EC1080+",
            "TVS-EC880U R2",
            "TVS-EC1580MU-SAS-RP R2",
            "TES-1685-SAS",
            "TS-1685",
            "TDS-16489",
            "TDS-16489FU",
            "TS-16489U",
            "TDS-16489U R3",
            "TS-1640dc",
            "TNS-1083X",
            "TS-x53BU",
            "TS-X77XU",
        ],
    );
}

#[test]
fn o4_a_part_that_the_terms_do_not_explain_cannot_be_told() {
    check(
        "cannot tell",
        &["TS-1677XU-RP-2700-16G", "TS-983XU-E2124-8G", "TES-1885U-D1521-8GR", "TDS-16489U-SA1"],
    );
}
