//! What this model should have, and which enclosures are attached.
//!
//! `/etc/model.conf` is the plan of the model, `/etc/hal.conf` what the vendor's hardware layer runs with
//! ([`conf`]), `hal_app --se_enum` its list of enclosures ([`table`]), which names cards and expansion units too. The
//! files come first: they cost no process. The command is asked on QTS and QuTS hero only, and only where the layer's
//! own file shows that the model has one (models before about 2012 have neither).
//!
//! It judges nothing: whether a fan is missing is seen by who compares this with the fans that answer.

mod conf;
mod table;

use assay_bundle::Observed;
use assay_bundle::facts::chassis::{Chassis, Enclosure};

use self::conf::{Hal, Plan};
use super::{Found, identity};
use crate::command::{Command, QtsCommand};
use crate::door::{ATTRIBUTE_BYTES, Door, Missing};
use crate::source::Request;

const MODEL_CONF: &str = "/etc/model.conf";
const HAL_CONF: &str = "/etc/hal.conf";

/// Reads the plan, the layer's file and, on QTS, the list of enclosures.
pub(crate) async fn collect(door: &Door<'_>) -> (Chassis, Found) {
    let plan = text(door, MODEL_CONF).await;
    let layer = text(door, HAL_CONF).await;
    let found = Found::any([Found::of(&plan), Found::of(&layer)]);
    let qts = identity::is_qts(door).await;
    let list = match layer {
        Observed::Absent => Observed::Absent,
        _ if qts == Some(true) => enclosures(door).await,
        _ => Observed::NotCollected,
    };
    // Only where the vendor's system does not run, a missing file means that there is no plan.
    let (plan, layer, list) = match qts {
        Some(false) => (plan, layer, list),
        _ => (says_nothing(plan), says_nothing(layer), says_nothing(list)),
    };
    (join(conf::plan(&plan), conf::hal(&layer), list), found)
}

/// What is not there, where it might be.
fn says_nothing<T>(file: Observed<T>) -> Observed<T> {
    if file.is_absent() { Observed::NotCollected } else { file }
}

/// A whole file, its last line end included: a line without one was cut.
async fn text(door: &Door<'_>, path: &str) -> Observed<String> {
    match door.ask(&Request::read(path, ATTRIBUTE_BYTES)).await {
        Ok(fetched) => Observed::seen(fetched.text(), fetched.place),
        Err(missing) => missing.observed(),
    }
}

async fn enclosures(door: &Door<'_>) -> Observed<Vec<Enclosure>> {
    let request = Request::Run(Command::Qts(QtsCommand::Enclosures));
    match door.ask(&request).await {
        Ok(fetched) => door.noted(table::parse(&fetched.text(), &fetched.place, &request.noun())),
        Err(Missing::NotThere) => Observed::NotCollected,
        Err(Missing::Failed(why) | Missing::NoTool(why)) => Observed::Unreadable { why },
    }
}

/// The plan's own word first, then the layer's for the machine itself, then the list's.
fn join(plan: Plan, hal: Hal, list: Observed<Vec<Enclosure>>) -> Chassis {
    let Plan { mut chassis, redundant_power, redundant_bit } = plan;
    chassis.enclosures = merged(hal.enclosures, list);
    chassis.boot_disk = hal.boot_disk;
    let enclosures = chassis.enclosures.value();
    let root = enclosures.and_then(|all| all.iter().find(|one| one.id == 0)).cloned().unwrap_or_default();
    chassis.disks = chassis.disks.or(|| root.disks);
    chassis.fans = chassis.fans.or(|| root.fans);
    chassis.cpu_fans = chassis.cpu_fans.or(|| root.cpu_fans);
    chassis.temperature_sensors = chassis.temperature_sensors.or(|| root.temperature_sensors);
    let bit = root.capabilities.map(|can| can.redundant_power);
    chassis.redundant_power = any(any(bit, redundant_bit), redundant_power);
    chassis
}

/// True wins, then false, then the better failure: one place that says yes suffices.
fn any(one: Observed<bool>, other: Observed<bool>) -> Observed<bool> {
    match (one.value(), other.value()) {
        (Some(false), Some(true)) => other,
        _ => one.or(|| other),
    }
}

/// The enclosures of both, by number. A list that failed takes nothing away from the other.
fn merged(file: Observed<Vec<Enclosure>>, list: Observed<Vec<Enclosure>>) -> Observed<Vec<Enclosure>> {
    match (file, list) {
        (Observed::Seen { value: mut all, from }, Observed::Seen { value: listed, .. }) => {
            for enclosure in listed {
                match all.iter_mut().find(|known| known.id == enclosure.id) {
                    Some(known) => complete(known, enclosure),
                    None => all.push(enclosure),
                }
            }
            all.sort_by_key(|enclosure| enclosure.id);
            Observed::Seen { value: all, from }
        }
        (file, list) => file.or(|| list),
    }
}

/// Takes over what the file did not say. A number may be given anew to another enclosure, so that two different
/// models under one number are not mixed: the list is the newer of the two.
fn complete(known: &mut Enclosure, listed: Enclosure) {
    let differ = |one: &Observed<String>, other: &Observed<String>| {
        one.value().zip(other.value()).is_some_and(|(one, other)| one != other)
    };
    if differ(&known.model, &listed.model) || differ(&known.system_id, &listed.system_id) {
        *known = listed;
        return;
    }
    let old = std::mem::take(known);
    *known = Enclosure {
        id: old.id,
        system_id: old.system_id.or(|| listed.system_id),
        parent_system_id: old.parent_system_id.or(|| listed.parent_system_id),
        kind: old.kind.or(|| listed.kind),
        wwn: old.wwn.or(|| listed.wwn),
        vendor: old.vendor.or(|| listed.vendor),
        model: old.model.or(|| listed.model),
        serial: old.serial.or(|| listed.serial),
        disks: old.disks.or(|| listed.disks),
        fans: old.fans.or(|| listed.fans),
        cpu_fans: old.cpu_fans.or(|| listed.cpu_fans),
        temperature_sensors: old.temperature_sensors.or(|| listed.temperature_sensors),
        power_units: old.power_units,
        capabilities: old.capabilities,
    };
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use assay_bundle::facts::chassis::EnclosureKind;

    use super::*;
    use crate::door::testing::run;

    const PLATFORM: (&str, &str) = ("etc/platform.conf", "Platform = X86\n");
    const LIST: &str = "\
        ====\nenc_id enc_parent_sys_id enc_sys_id wwn vendor model status protocol disk_no\n\
        fan_no cpu_fan_no temp_no gpio_no\n0\troot\troot\t\tQNAP\tTVS-872\t0\t0\t8\n3\t1\t4\t0\t2\n\
        24\troot\tqm2_1\t\tQNAP\tQM2-2P\t0\t9\t2\n1\t0\t2\t0\t0\n====\n";

    fn chassis(files: &[(&str, &str)]) -> (Chassis, Found) {
        run(files, async |door| collect(door).await)
    }

    #[test]
    fn the_plan_the_file_and_the_list_complete_each_other() {
        let hal = "[Enclosure_0]\nenc_id = 0\nmodel = TVS-872\ncapability = 0x1\nmax_fan_num = 2\n\
                   [BootDisk_0]\npd_sys_name = /dev/sdx\n";
        let (found, step) = chassis(&[
            PLATFORM,
            ("etc/model.conf", "[System Enclosure]\nMAX_DISK_NUM = 8\nMAX_TEMP_NUM = 4\n"),
            ("etc/hal.conf", hal),
            ("cmd/hal_app.se_enum/stdout", LIST),
        ]);
        assert_eq!(step, Found::Something);
        assert_eq!(found.disks, Observed::seen(8, "etc/model.conf"));
        assert_eq!(found.fans, Observed::seen(2, "etc/hal.conf"));
        assert_eq!(found.cpu_fans, Observed::seen(1, "cmd/hal_app.se_enum/stdout"));
        assert_eq!(found.redundant_power, Observed::seen(true, "etc/hal.conf"));
        assert_eq!(found.boot_disk, Observed::seen("/dev/sdx".to_owned(), "etc/hal.conf"));
        let all = found.enclosures.value().expect("two");
        assert_eq!(all.iter().map(|one| one.id).collect::<Vec<_>>(), [0, 24]);
        assert_eq!(all[0].power_units, Observed::seen(2, "etc/hal.conf"));
        assert_eq!(all[1].kind.value(), Some(&EnclosureKind::Qm2));
        assert_eq!(all[1].fans.value(), Some(&1));
    }

    #[test]
    fn elsewhere_nothing_is_asked() {
        let command = ("cmd/hal_app.se_enum/stdout", LIST);
        let (nothing, step) = chassis(&[command]);
        assert_eq!(step, Found::Nothing);
        assert!(nothing.fans.is_absent() && nothing.enclosures.is_absent() && nothing.bays.is_absent());
        // A file of that name on another system.
        let (other, _) = chassis(&[command, ("etc/hal.conf", "x = 1\n")]);
        assert!(!other.enclosures.is_seen());
        // An old model: QTS without the layer.
        let (old, step) = chassis(&[command, PLATFORM]);
        assert_eq!(step, Found::Nothing);
        assert!(
            old.enclosures.is_not_collected() && old.fans.is_not_collected() && old.bays.is_not_collected()
        );
    }

    #[test]
    fn a_list_that_fails_takes_nothing_away() {
        let hal = ("etc/hal.conf", "[Enclosure_0]\nenc_id = 0\nmax_fan_num = 1\n");
        let hangs = ("cmd/hal_app.se_enum.unreadable", r#"{"deadline":{"after_ms":70000}}"#);
        let (found, _) = chassis(&[PLATFORM, hal, hangs]);
        assert_eq!(found.fans.value(), Some(&1));
        let (found, _) = chassis(&[PLATFORM, ("etc/hal.conf", "\n"), hangs]);
        assert!(
            found.enclosures.why_not().is_some_and(|why| why.contains("70.0 s")),
            "{:?}",
            found.enclosures
        );
    }

    #[test]
    fn a_number_given_anew_is_another_enclosure() {
        let hal = "[Enclosure_24]\nenc_id = 24\nmodel = TL-D400S\nserial = Q1\nmax_fan_num = 4\n";
        let (found, _) = chassis(&[PLATFORM, ("etc/hal.conf", hal), ("cmd/hal_app.se_enum/stdout", LIST)]);
        let card = found.enclosures.value().and_then(|all| all.iter().find(|one| one.id == 24)).expect("it");
        assert_eq!((card.fans.value(), card.serial.is_seen()), (Some(&1), false));
    }

    #[test]
    fn one_yes_suffices() {
        fn check(one: Option<bool>, other: Option<bool>, expected: Option<bool>) {
            let reading =
                |value: Option<bool>| value.map_or(Observed::NotCollected, |yes| Observed::seen(yes, "p"));
            assert_eq!(any(reading(one), reading(other)).value().copied(), expected);
        }
        check(Some(false), Some(true), Some(true));
        check(Some(true), Some(false), Some(true));
        check(None, Some(false), Some(false));
        check(None, None, None);
    }
}
