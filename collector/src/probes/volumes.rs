//! Volumes as QTS lists them: `getsysinfo sysvolnum`, then `vol_desc`, `vol_status`, `vol_fs`, `vol_totalsize` and
//! `vol_freesize` of each, counted from 0.
//!
//! What is not there starts with `-` (`--`), the unit of a size varies, and the exit status says nothing. A volume on a
//! sick disk can block the command: the first one that gets no answer in time is the last one that is asked. Only on QTS
//! and QuTS hero.

use assay_bundle::Observed;
use assay_bundle::facts::volumes::{Volume, VolumeSize, VolumeStatus, VolumeUnit};

use crate::command::{Command, StorageCommand, VolumeWord};
use crate::door::{Door, Missing, understand};
use crate::source::Request;

/// Only QTS and QuTS hero have it.
const PLATFORM_CONF: &str = "/etc/platform.conf";
/// QTS offers 128 volumes, QuTS hero some hundred shared folders; far more is no count of them.
const MOST_COUNTED: u32 = 4096;
/// Most volumes that are asked for. A machine has a handful.
const MOST_VOLUMES: u8 = 32;

/// Reads every volume.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<Vec<Volume>> {
    match door.text(PLATFORM_CONF).await {
        Observed::Seen { .. } => {}
        Observed::Unreadable { why } => return Observed::Unreadable { why },
        Observed::Absent | Observed::NotCollected => return Observed::Absent,
    }
    let mut asker = Asker { door, given_up: None };
    let (count, place) = match asker.value(StorageCommand::VolumeCount, "a number of volumes", count).await {
        Observed::Seen { value, from } => (value, from),
        Observed::Absent => return Observed::Absent,
        Observed::Unreadable { why } => return Observed::Unreadable { why },
        Observed::NotCollected => return Observed::NotCollected,
    };
    let mut volumes = Vec::new();
    for number in 0..count.min(MOST_VOLUMES) {
        let of = |word| StorageCommand::Volume { word, number };
        let status_text = asker.text(of(VolumeWord::Status)).await;
        volumes.push(Volume {
            number: u32::from(number),
            status: status_text.as_ref().map(|text| status(text)),
            status_text,
            description: asker.text(of(VolumeWord::Description)).await,
            filesystem: match asker.text(of(VolumeWord::FileSystem)).await {
                Observed::Seen { value, .. } if value == "Unknown" => Observed::Absent,
                other => other,
            },
            size: asker.value(of(VolumeWord::Size), "a size", size).await,
            free: asker.value(of(VolumeWord::Free), "a size", size).await,
        });
    }
    if volumes.is_empty() { Observed::Absent } else { Observed::seen(volumes, place) }
}

/// Asks until somebody does not answer.
struct Asker<'d, 'a> {
    door: &'d Door<'a>,
    given_up: Option<String>,
}

impl Asker<'_, '_> {
    /// The first line; Absent when it starts with `-` and is no number.
    async fn text(&mut self, command: StorageCommand) -> Observed<String> {
        if let Some(why) = &self.given_up {
            return Observed::unreadable(why.as_str());
        }
        let request = Request::Run(Command::Storage(command));
        match self.door.ask(&request).await {
            Ok(fetched) => match fetched.text().lines().next().map(str::trim) {
                Some("") | None => {
                    self.door.noted(Observed::unreadable(format!("{}: it printed nothing", fetched.place)))
                }
                Some(text) if text.starts_with('-') && text.parse::<i64>().is_err() => Observed::Absent,
                Some(text) => Observed::seen(text.to_owned(), fetched.place),
            },
            // A recording of a version that did not ask.
            Err(Missing::NotThere) => Observed::NotCollected,
            Err(Missing::Failed(why) | Missing::NoTool(why)) => {
                self.given_up = Some(why.clone());
                Observed::Unreadable { why }
            }
        }
    }

    async fn value<T>(
        &mut self,
        command: StorageCommand,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Observed<T> {
        let noun = Command::Storage(command.clone()).line();
        let text = self.text(command).await;
        self.door.noted(understand(text, &noun, expected, read))
    }
}

fn count(text: &str) -> Option<u8> {
    let count = text.split_whitespace().next()?.parse::<u32>().ok().filter(|count| *count <= MOST_COUNTED)?;
    Some(u8::try_from(count).unwrap_or(u8::MAX))
}

/// Numbers are those of the management pages.
pub(crate) fn status(text: &str) -> VolumeStatus {
    match text {
        "Ready" | "0" | "-7" => VolumeStatus::Ready,
        "-1" => VolumeStatus::NotReady,
        "-4" => VolumeStatus::Error,
        "-5" => VolumeStatus::Degraded,
        "-6" => VolumeStatus::NotActive,
        _ => VolumeStatus::Other,
    }
}

/// `1014.41 GB`.
fn size(text: &str) -> Option<VolumeSize> {
    let (number, unit) = text.split_once(' ')?;
    let unit = match unit.trim() {
        "MB" => VolumeUnit::Mega,
        "GB" => VolumeUnit::Giga,
        "TB" => VolumeUnit::Tera,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digit = |at: usize| match fraction.as_bytes().get(at) {
        None => Some(0),
        Some(digit) => char::from(*digit).to_digit(10).map(u64::from),
    };
    if whole.is_empty() || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hundredths = whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(digit(0)? * 10 + digit(1)?)?;
    Some(VolumeSize { hundredths, unit })
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::{commutes, hostile};

    #[test]
    fn sizes() {
        fn check(text: &str, expected: Option<(u64, VolumeUnit)>) {
            assert_eq!(size(text).map(|size| (size.hundredths, size.unit)), expected, "{text:?}");
        }
        check("1014.41 GB", Some((101_441, VolumeUnit::Giga)));
        check("10.9 TB", Some((1090, VolumeUnit::Tera)));
        check("512 MB", Some((51_200, VolumeUnit::Mega)));
        for bad in
            ["", "--", "GB", "10", "-1 GB", "1.x GB", "10 XB", ".5 GB", "+1 GB", "99999999999999999999 GB"]
        {
            check(bad, None);
        }
        hostile::mutate(
            b"1014.41 GB",
            1000,
            |bytes| size(&String::from_utf8_lossy(bytes)),
            |size| assert!(size.is_none_or(|size| size.hundredths < u64::MAX)),
        );
    }

    #[test]
    fn words_and_numbers_of_a_state() {
        for (text, expected) in [
            ("Ready", VolumeStatus::Ready),
            ("-7", VolumeStatus::Ready),
            ("-5", VolumeStatus::Degraded),
            ("Read/Delete", VolumeStatus::Other),
            ("", VolumeStatus::Other),
        ] {
            assert_eq!(status(text), expected, "{text}");
        }
        assert_eq!((count("2\n"), count("--"), count("900")), (Some(2), None, Some(255)));
        assert_eq!((count("-1"), count("4294967295"), count("NaN")), (None, None, None));
    }

    #[test]
    fn volumes() {
        let qts = ("etc/platform.conf", "[MISC]\n");
        let found = commutes::check(
            &[
                qts,
                ("cmd/getsysinfo.sysvolnum/stdout", "2\n"),
                ("cmd/getsysinfo.vol_desc.0/stdout", "[Volume DataVol1, Pool 1]\n"),
                ("cmd/getsysinfo.vol_status.0/stdout", "Ready\n"),
                ("cmd/getsysinfo.vol_fs.0/stdout", "EXT4\n"),
                ("cmd/getsysinfo.vol_totalsize.0/stdout", "1014.41 GB\n"),
                ("cmd/getsysinfo.vol_freesize.0/stdout", "--\n"),
                ("cmd/getsysinfo.vol_status.1/stdout", "-5\n"),
                ("cmd/getsysinfo.vol_desc.1/stdout", "\n"),
                ("cmd/getsysinfo.vol_fs.1.unreadable", r#"{"deadline":{"after_ms":70000}}"#),
                ("cmd/getsysinfo.vol_totalsize.1/stdout", "1 TB\n"),
            ],
            collect,
        );
        let [first, second] = found.value().expect("volumes").as_slice() else { panic!("two") };
        assert_eq!(first.description.value().map(String::as_str), Some("[Volume DataVol1, Pool 1]"));
        assert_eq!((first.status.value(), &first.free), (Some(&VolumeStatus::Ready), &Observed::Absent));
        assert_eq!(first.filesystem.value().map(String::as_str), Some("EXT4"));
        assert_eq!(second.status.value(), Some(&VolumeStatus::Degraded));
        assert!(second.description.why_not().is_some_and(|why| why.contains("printed nothing")));
        // Whoever does not answer is not asked again.
        assert!(second.size.why_not().is_some_and(|why| why.contains("no answer within 70.0 s")));
        assert_eq!(commutes::check(&[("cmd/getsysinfo.sysvolnum/stdout", "1\n")], collect), Observed::Absent);
        assert_eq!(commutes::check(&[qts], collect), Observed::NotCollected);
        assert!(matches!(
            commutes::check(&[qts, ("cmd/getsysinfo.sysvolnum/stdout", "x\n")], collect),
            Observed::Unreadable { .. }
        ));
    }
}
