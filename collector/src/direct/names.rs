//! Names of the ATA attributes that most makers agree on.
//!
//! The standard gives attributes no meaning at all; these are the customary names, as documented by several makers and
//! as smartctl's defaults print them, so that the judging by id *and* name works on both. Makers do reuse ids (198 may
//! count gigabytes read): without a database of drives the name of an id is what is customary, and a drive whose media
//! is flash gets no name that only makes sense for heads and platters. Not listed: `Unknown_Attribute`.

use assay_bundle::facts::drive::Medium;

/// Of an id that is not listed.
const UNKNOWN: &str = "Unknown_Attribute";

/// Id, name, and whether it only means that on rotating media.
const NAMES: &[(u8, &str, bool)] = &[
    (1, "Raw_Read_Error_Rate", false),
    (2, "Throughput_Performance", false),
    (3, "Spin_Up_Time", true),
    (4, "Start_Stop_Count", true),
    (5, "Reallocated_Sector_Ct", false),
    (7, "Seek_Error_Rate", true),
    (8, "Seek_Time_Performance", true),
    (9, "Power_On_Hours", false),
    (10, "Spin_Retry_Count", true),
    (11, "Calibration_Retry_Count", true),
    (12, "Power_Cycle_Count", false),
    (18, "Head_Health", true),
    (22, "Helium_Level", true),
    (183, "Runtime_Bad_Block", false),
    (184, "End-to-End_Error", false),
    (187, "Reported_Uncorrect", false),
    (188, "Command_Timeout", false),
    (189, "High_Fly_Writes", true),
    (190, "Airflow_Temperature_Cel", false),
    (191, "G-Sense_Error_Rate", true),
    (192, "Power-Off_Retract_Count", true),
    (193, "Load_Cycle_Count", true),
    (194, "Temperature_Celsius", false),
    (195, "Hardware_ECC_Recovered", false),
    (196, "Reallocated_Event_Count", true),
    (197, "Current_Pending_Sector", true),
    (198, "Offline_Uncorrectable", true),
    (199, "UDMA_CRC_Error_Count", false),
    (200, "Multi_Zone_Error_Rate", true),
    (220, "Disk_Shift", true),
    (222, "Loaded_Hours", true),
    (223, "Load_Retry_Count", true),
    (224, "Load_Friction", true),
    (226, "Load-in_Time", true),
    (240, "Head_Flying_Hours", true),
    (241, "Total_LBAs_Written", false),
    (242, "Total_LBAs_Read", false),
    (254, "Free_Fall_Sensor", true),
];

/// The customary name of an attribute.
pub(super) fn of(id: u8, medium: Option<Medium>) -> &'static str {
    let flash = medium == Some(Medium::Ssd);
    NAMES
        .iter()
        .find(|(known, _, rotating)| *known == id && !(flash && *rotating))
        .map_or(UNKNOWN, |(_, name, _)| name)
}

#[test]
fn names_are_in_order_and_flash_has_no_heads() {
    assert!(NAMES.windows(2).all(|pair| matches!(pair, [(a, ..), (b, ..)] if a < b)));
    assert_eq!(of(197, Some(Medium::Hdd)), "Current_Pending_Sector");
    assert_eq!(of(197, None), "Current_Pending_Sector");
    assert_eq!(of(197, Some(Medium::Ssd)), UNKNOWN);
    assert_eq!(of(5, Some(Medium::Ssd)), "Reallocated_Sector_Ct");
    assert_eq!(of(0, None), UNKNOWN);
}
