//! Pages of QTS's management, saved from a browser or by a client: XML with the root `QDocRoot`.
//!
//! Volumes, and the machine that a login names, count where no output of QTS's own programs says otherwise. Throughput
//! is read and gives nothing. A page that is none of those says so; what else stands in a page is not read.

use assay_bundle::facts::identity::Platform;
use assay_bundle::facts::volumes::Volume;
use assay_bundle::{Facts, Observed};

use super::{Begins, Format, Gathered, Output, Sign, never};
use crate::management_cgi::{self, Login};
use crate::probes::identity::firmware;

const ROOT: &str = "<QDocRoot";
const END: &str = "</QDocRoot>";
/// A declaration may stand before the root.
const MOST_BEFORE: usize = 200;

pub(super) const FORMAT: Format = Format {
    name: "QTS management page",
    sign: Sign::First(b"<"),
    begins: |lines| {
        lines.first().is_some_and(|line| {
            line.starts_with(ROOT)
                || (line.starts_with("<?xml") && line.find(ROOT).is_some_and(|at| at <= MOST_BEFORE))
        })
    },
    place: Begins::Anywhere,
    is_json: never,
    read,
};

fn read(gathered: &mut Gathered, output: &Output<'_>) -> Result<(), String> {
    let end = output.text.find(END).map_or(output.text.len(), |at| at + END.len());
    let page = management_cgi::parse(output.text.get(..end).unwrap_or_default(), output.place)?;
    let report = &mut gathered.facts.management;
    if !page.is_known() {
        return Err(
            "this page says nothing of the hardware; paste those of the system and of the disks".to_owned()
        );
    }
    if let Some(system) = page.system {
        report.system = Observed::seen(system, output.place);
    }
    if let Some(health) = page.health {
        report.health = Observed::seen(health, output.place);
    }
    if let Some(bays) = page.bays {
        report.bays = Observed::seen(bays, output.place);
    }
    if let Some(volumes) = page.volumes {
        gathered.pages.volumes = match volumes.is_empty() {
            true => Observed::Absent,
            false => Observed::seen(volumes, output.place),
        };
    }
    if page.login.is_some() {
        gathered.pages.login = page.login;
    }
    Ok(())
}

/// What is used where nothing better was pasted.
#[derive(Default)]
pub(super) struct Pages {
    login: Option<Login>,
    volumes: Observed<Vec<Volume>>,
}

impl Pages {
    /// Fills what the other outputs left open.
    pub(super) fn finish(self, facts: &mut Facts) {
        // Its list is whole, so that an empty one says that there are none.
        match facts.volumes {
            Observed::NotCollected => facts.volumes = self.volumes,
            _ => fill(&mut facts.volumes, self.volumes),
        }
        let Some(login) = self.login else { return };
        let identity = &mut facts.identity;
        fill(&mut identity.platform, platform(&login));
        let system = identity.platform.value();
        let text = firmware(system, &login.firmware, &login.firmware_number, &login.firmware_build);
        fill(&mut identity.firmware, text);
        fill(&mut identity.firmware_build_date, login.firmware_build);
        fill(&mut identity.model, login.model);
        fill(&mut identity.internal_model, login.internal_model);
        fill(&mut identity.serial, login.serial);
    }
}

/// The file system decides, then the `h` before the version; the model alone only where neither stands there.
fn platform(login: &Login) -> Observed<Platform> {
    let version = login.firmware.as_ref().map(|version| version.starts_with('h'));
    let said = [login.hero.clone(), version, login.hero_model.clone()];
    let hero = said.into_iter().find(Observed::is_seen).unwrap_or_default();
    hero.map(|hero| if hero { Platform::QutsHero } else { Platform::Qts })
}

/// A page that lacks something says nothing of it.
fn fill<T>(reading: &mut Observed<T>, page: Observed<T>) {
    if page.is_seen() && !reading.is_seen() {
        *reading = page;
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use assay_bundle::facts::volumes::VolumeStatus;

    use super::super::{Judged, Pasted, judge};
    use super::*;

    const LOGIN: &str = "<mediaReady>1</mediaReady><authPassed>0</authPassed><authSid>s3cr3t</authSid><username>anna</username>";
    const VOLUMES: &str = "<authPassed>1</authPassed><volumeList><volume><volumeValue>1</volumeValue><volumeStatus>-5</volumeStatus></volume></volumeList>";
    const COMMANDS: &str =
        "[~] # getsysinfo sysvolnum\n1\n[~] # getsysinfo vol_status 0\nReady\n[~] # get_hwsn\nQ204X00123\n";

    fn judged(page: &str, more: &str) -> Judged {
        let text = format!("<QDocRoot version=\"1.0\">{page}</QDocRoot>\n{more}");
        judge(&[Pasted { name: "p.txt".into(), bytes: text.into_bytes() }])
    }

    #[test]
    fn a_comment_may_stand_before_the_root() {
        let text = format!("<?xml version=\"1.0\"?>\n<!-- saved -->\n<QDocRoot>\n{VOLUMES}</QDocRoot>\n");
        let found = judge(&[Pasted { name: "p.txt".into(), bytes: text.into_bytes() }]);
        assert_eq!(found.parts.len(), 1, "{:?}", found.parts);
        assert_eq!((found.parts[0].format, &found.parts[0].trouble), (Some(FORMAT.name), &None));
    }

    #[test]
    fn a_login_names_the_machine() {
        fn check(page: &str, platform: Option<Platform>, firmware: Option<&str>) {
            let found = judged(&format!("{LOGIN}{page}"), "");
            assert_eq!(found.parts[0].trouble, None, "{page}");
            let identity = &found.collection.facts.identity;
            assert_eq!(identity.platform.value(), platform.as_ref(), "{page}");
            assert_eq!(identity.firmware.value().map(String::as_str), firmware, "{page}");
            let all = format!("{found:?}");
            assert!(!all.contains("s3cr3t") && !all.contains("anna"), "{all}");
        }
        check("", None, None);
        check("<hero_model>0</hero_model>", Some(Platform::Qts), None);
        check("<hero_model>1</hero_model>", Some(Platform::QutsHero), None);
        // A model of QuTS hero that runs QTS.
        check(
            "<hero_model>1</hero_model><firmware><version>5.1.2</version><build>20230927</build></firmware>",
            Some(Platform::Qts),
            Some("QTS 5.1.2 build 20230927"),
        );
        check(
            "<firmware><version>h5.1.2</version><number>2534</number></firmware>",
            Some(Platform::QutsHero),
            Some("QuTS hero h5.1.2.2534"),
        );
        check("<is_zfs>1</is_zfs><hero_model>0</hero_model>", Some(Platform::QutsHero), None);
        let unnamed = judged(LOGIN, "").collection.facts;
        assert!(unnamed.identity.model.is_not_collected() && unnamed.identity.serial.is_not_collected());
    }

    #[test]
    fn volumes_of_a_page_count_where_no_command_was_pasted() {
        let state = |found: &Judged| {
            let volumes = found.collection.facts.volumes.value().cloned();
            volumes.and_then(|all| all.first().and_then(|volume| volume.status.value().copied()))
        };
        assert_eq!(state(&judged(VOLUMES, "")), Some(VolumeStatus::Degraded));
        assert_eq!(state(&judged(VOLUMES, COMMANDS)), Some(VolumeStatus::Ready));
        let none = judged("<authPassed>1</authPassed><volumeList></volumeList>", "");
        assert!(none.collection.facts.volumes.is_absent());
        let named = judged(&format!("{LOGIN}<serial_number>Q999X99999</serial_number>"), COMMANDS);
        let identity = &named.collection.facts.identity;
        assert_eq!(identity.serial.value().map(String::as_str), Some("Q204X00123"));
    }

    #[test]
    fn throughput_is_read_and_gives_nothing() {
        let found =
            judged("<authPassed>1</authPassed><bandwidth_info><item><rx>1</rx></item></bandwidth_info>", "");
        assert_eq!(found.parts[0].trouble, None);
        assert_eq!(found.collection.facts, Facts::default());
        let other = judged("<authPassed>1</authPassed><other/>", "");
        assert!(other.parts[0].trouble.as_ref().is_some_and(|why| why.contains("nothing of the hardware")));
    }
}
