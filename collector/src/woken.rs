//! Whether a run left the sleeping disks asleep: measured, not promised.
//!
//! Before anything is asked, the kernel's count of requests of every disk is read (`/sys/block/NAME/stat`: no disk is
//! touched by that). After everything, each disk that the run found asleep is looked at again: its count must be the
//! same, because a read or a write of anybody spins the platters up; and a SATA disk is asked CHECK POWER MODE once
//! more, which wakes nobody, because commands that pass the block layer by are not in the kernel's count. Who woke a
//! disk cannot be told from here, so a disk that woke counts, whoever it was. Behind a USB bridge, whose translation
//! of the question nobody knows, and on SAS the count alone decides.
//!
//! These are readings about Assay, not about the machine: they are no facts and have no form in `raw/`.

use std::collections::BTreeMap;
use std::time::Duration;

use assay_bundle::facts::Facts;
use assay_bundle::facts::block::Transport;
use assay_bundle::facts::drive::PowerMode;

use crate::command::DeviceNode;
use crate::direct::{DeviceAnswer, DeviceQuery};
use crate::door::ATTRIBUTE_BYTES;
use crate::probes::drives::power_mode_of;
use crate::remember::sleeps;
use crate::source::{Request, Source};

const BLOCK: &str = "/sys/block";
/// How long the counts may take before the run begins without them.
const MOST_WAIT: Duration = Duration::from_secs(1);
/// Columns of completed requests: reads, writes, discards (kernel 4.18), flushes (5.5).
const COMPLETED: [usize; 4] = [0, 4, 11, 15];
/// Columns that every kernel has.
const COLUMNS: usize = 11;

/// Requests that each disk has completed since the start of the machine.
pub(crate) type Requests = BTreeMap<String, u64>;

/// What became of the disks that were found asleep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sleepers {
    pub(crate) asleep: u64,
    pub(crate) woken: u64,
    pub(crate) unchecked: u64,
}

/// What became of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    StillAsleep,
    Woken,
    Unchecked,
}

/// The counts of all disks that could sleep. A machine that does not give them in time is run without.
pub(crate) async fn requests(source: &dyn Source) -> Requests {
    tokio::time::timeout(MOST_WAIT, all(source)).await.unwrap_or_default()
}

async fn all(source: &dyn Source) -> Requests {
    let mut requests = Requests::new();
    let names = source.fetch(&Request::list(BLOCK)).await.map(|list| list.names()).unwrap_or_default();
    let names: Vec<String> = names.into_iter().filter(|name| name.starts_with("sd")).collect();
    let files: Vec<Request> = names.iter().map(|name| count_of(name)).collect();
    source
        .fetch_all(&files, &mut |at, answer| {
            let count = answer.ok().and_then(|answer| completed(&answer.text()));
            requests.extend(names.get(at).cloned().zip(count));
        })
        .await;
    requests
}

/// The file of a disk's count.
fn count_of(name: &str) -> Request {
    Request::read(format!("{BLOCK}/{name}/stat"), ATTRIBUTE_BYTES)
}

async fn count(source: &dyn Source, name: &str) -> Option<u64> {
    completed(&source.fetch(&count_of(name)).await.ok()?.text())
}

/// The requests in a line of `stat`.
fn completed(text: &str) -> Option<u64> {
    let columns: Option<Vec<u64>> = text.split_whitespace().map(|word| word.parse().ok()).collect();
    let columns = columns.filter(|columns| columns.len() >= COLUMNS)?;
    Some(COMPLETED.iter().filter_map(|at| columns.get(*at)).fold(0, |sum, count| sum.wrapping_add(*count)))
}

/// Looks again at the disks that the run found asleep.
pub(crate) async fn look_again(source: &dyn Source, before: &Requests, facts: &Facts) -> Sleepers {
    let mut sleepers = Sleepers::default();
    for drive in facts.drives.value().into_iter().flatten().filter(|drive| sleeps(drive)) {
        let name = drive.device.as_str();
        // First the count, so that it cannot hold the question that follows.
        let after = count(source, name).await;
        let blocks = facts.block_devices.value().into_iter().flatten();
        let is_sata = blocks
            .filter(|block| block.name == name)
            .any(|block| block.transport.value() == Some(&Transport::Sata));
        let mode = if is_sata { mode_now(source, name).await } else { None };
        sleepers.asleep += 1;
        match fate(before.get(name).copied(), after, mode) {
            Fate::StillAsleep => {}
            Fate::Woken => sleepers.woken += 1,
            Fate::Unchecked => sleepers.unchecked += 1,
        }
    }
    sleepers
}

async fn mode_now(source: &dyn Source, name: &str) -> Option<PowerMode> {
    let device = DeviceNode::parse(name)?;
    let request = Request::Device { device, query: DeviceQuery::AtaCheckPowerMode };
    let answer = DeviceAnswer::from_json(&source.fetch(&request).await.ok()?.bytes)?;
    answer.check().ok()?;
    power_mode_of(&answer)
}

fn fate(before: Option<u64>, after: Option<u64>, mode: Option<PowerMode>) -> Fate {
    let served = before.zip(after).map(|(before, after)| before != after);
    let awake = mode.map(|mode| matches!(mode, PowerMode::Active | PowerMode::Idle));
    match (served, awake) {
        (Some(true), _) | (_, Some(true)) => Fate::Woken,
        (None, None) => Fate::Unchecked,
        _ => Fate::StillAsleep,
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::sync::Mutex;

    use assay_bundle::Observed;
    use assay_bundle::facts::block::BlockDevice;
    use assay_bundle::facts::drive::Drive;

    use super::*;
    use crate::recorded::RecordedSource;
    use crate::source::{Answer, Counters};
    use assay_bundle::manifest::RunSource;

    #[test]
    fn requests_of_a_line() {
        fn check(text: &str, expected: Option<u64>) {
            assert_eq!(completed(text), expected, "{text}");
        }
        check(
            "     100        2     3000       40       50        6      700       80        0       9       10\n",
            Some(150),
        );
        check("1 0 0 0 2 0 0 0 0 0 0 4 0 0 0", Some(7));
        check("1 0 0 0 2 0 0 0 0 0 0 4 0 0 0 8 0", Some(15));
        check("1 0 0 0 2 0 0 0 0 0", None);
        check("1 0 0 0 x 0 0 0 0 0 0", None);
        check("", None);
    }

    #[test]
    fn a_disk_that_served_or_spins_was_woken() {
        use PowerMode::{Active, Idle, Sleep, Standby};
        fn check(before: Option<u64>, after: Option<u64>, mode: Option<PowerMode>, expected: Fate) {
            assert_eq!(fate(before, after, mode), expected, "{before:?} {after:?} {mode:?}");
        }
        check(Some(7), Some(7), Some(Standby), Fate::StillAsleep);
        check(Some(7), Some(7), None, Fate::StillAsleep);
        check(None, Some(7), Some(Sleep), Fate::StillAsleep);
        check(Some(7), Some(8), None, Fate::Woken);
        // It served somebody and was put to sleep again.
        check(Some(7), Some(8), Some(Standby), Fate::Woken);
        check(Some(7), Some(7), Some(Active), Fate::Woken);
        check(None, None, Some(Idle), Fate::Woken);
        check(Some(7), None, None, Fate::Unchecked);
        check(None, Some(7), None, Fate::Unchecked);
    }

    /// A machine that counts what is asked of it.
    struct Counting(RecordedSource, Mutex<Vec<String>>);

    impl Source for Counting {
        fn fetch<'a>(&'a self, request: &'a Request) -> Answer<'a> {
            self.1.lock().expect("one thread").push(request.place());
            self.0.fetch(request)
        }

        fn run_source(&self) -> RunSource {
            RunSource::Live
        }

        fn counters(&self) -> Counters {
            Counters::default()
        }
    }

    fn machine(stats: &[(&str, &str)]) -> Counting {
        let files =
            stats.iter().map(|(name, text)| (format!("sys/block/{name}/stat"), text.as_bytes().to_vec()));
        Counting(RecordedSource::from_files(files.collect()), Mutex::default())
    }

    #[test]
    fn only_sleepers_are_looked_at_again() {
        let drive = |device: &str, mode| Drive {
            device: device.to_owned(),
            power_mode: Observed::seen(mode, "x"),
            ..Drive::default()
        };
        let block = |name: &str, transport| BlockDevice {
            name: name.to_owned(),
            transport: Observed::seen(transport, "x"),
            ..BlockDevice::default()
        };
        let facts = Facts {
            drives: Observed::seen(
                vec![
                    drive("sda", PowerMode::Active),
                    drive("sdb", PowerMode::Standby),
                    drive("sdc", PowerMode::Standby),
                    drive("sdd", PowerMode::Standby),
                ],
                "x",
            ),
            block_devices: Observed::seen(
                vec![
                    block("sda", Transport::Sata),
                    block("sdb", Transport::Usb),
                    block("sdc", Transport::Sata),
                ],
                "x",
            ),
            ..Facts::default()
        };
        let line = |reads: u64| format!("{reads} 0 0 0 0 0 0 0 0 0 0");
        let (old, new) = (line(5), line(6));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let before =
                requests(&machine(&[("sda", &old), ("sdb", &old), ("sdc", &old), ("md1", &old)])).await;
            assert_eq!(before.keys().collect::<Vec<_>>(), ["sda", "sdb", "sdc"]);
            let after = machine(&[("sda", &new), ("sdb", &old), ("sdc", &new)]);
            let found = look_again(&after, &before, &facts).await;
            assert_eq!(found, Sleepers { asleep: 3, woken: 1, unchecked: 1 });
            let asked = after.1.lock().expect("one thread").clone();
            assert!(!asked.iter().any(|place| place.contains("sda")), "{asked:?}");
            // The question that wakes nobody is the only one to a disk, and none goes through a bridge.
            let questions: Vec<_> = asked.iter().filter(|place| !place.starts_with("sys/")).collect();
            assert_eq!(questions, ["ioctl/sdc/ata-power-mode.json"]);
        });
    }
}
