//! Volumes on QTS's management pages: `volumeList` beside `volumeUseList` (QTS 4.2 to 4.5, `chartReq.cgi`), and
//! `Volume_Index` (QTS 5, `disk_manage.cgi`), which has no sizes.
//!
//! A state is a number (0 and -7 are both ready). Legacy models give a volume no label. The list of use also has numbers
//! without a volume, all of 0 bytes, and QTS 4.5 leaves it empty: a size of 0 is none. Names and sizes of shared folders
//! stand there too and are never read. Refused: more bytes free than there are.

use assay_bundle::Observed;
use assay_bundle::facts::volumes::{Volume, VolumeSize, VolumeUnit};

use super::{NOUN, Reader};
use crate::probes::volumes::status;
use crate::xml::Element;

/// Elements that are kept in the raw form.
pub(super) const KEPT: [&str; 14] = [
    "volumeList",
    "volume",
    "volumeValue",
    "volumeStatus",
    "volumeLabel",
    "volumeUseList",
    "volumeUse",
    "total_size",
    "free_size",
    "Volume_Index",
    "row",
    "vol_no",
    "vol_status",
    "vol_label",
];

/// How one generation of pages calls a volume and its number, state and label.
struct Names {
    list: &'static str,
    volume: &'static str,
    number: &'static str,
    status: &'static str,
    label: &'static str,
}

const GENERATIONS: [Names; 2] = [
    Names {
        list: "volumeList",
        volume: "volume",
        number: "volumeValue",
        status: "volumeStatus",
        label: "volumeLabel",
    },
    Names { list: "Volume_Index", volume: "row", number: "vol_no", status: "vol_status", label: "vol_label" },
];

impl Reader<'_> {
    /// Every volume, if it is such a page.
    pub(super) fn volumes(&self) -> Result<Option<Vec<Volume>>, &'static str> {
        let found = GENERATIONS.iter().find_map(|names| Some((names, self.root.find(names.list)?)));
        let Some((names, list)) = found else { return Ok(None) };
        let volumes = list.children.iter().filter(|child| child.name == names.volume);
        volumes.map(|volume| self.volume(volume, names)).collect::<Result<_, _>>().map(Some)
    }

    fn volume(&self, element: &Element, names: &Names) -> Result<Volume, &'static str> {
        let number = number(element, names.number).ok_or("a volume of the page has no number")?;
        let status_text = self.text(element, names.status);
        let (size, free) = match self.root.find("volumeUseList") {
            None => (Observed::NotCollected, Observed::NotCollected),
            Some(list) => self.sizes(list, number),
        };
        Ok(Volume {
            number,
            description: match self.text(element, names.label) {
                Observed::Seen { value, .. } if value == "--" => Observed::Absent,
                label => label,
            },
            // A number whose meanings are not documented.
            filesystem: Observed::NotCollected,
            status: status_text.as_ref().map(|text| status(text)),
            status_text,
            size,
            free,
        })
    }

    fn sizes(&self, list: &Element, volume: u32) -> (Observed<VolumeSize>, Observed<VolumeSize>) {
        let used = list.children.iter().find(|used| number(used, "volumeValue") == Some(volume));
        let size = used.map_or(Observed::Absent, |used| self.value(used, "total_size", bytes));
        match (&size, used) {
            (Observed::Seen { value, .. }, _) if value.hundredths == 0 => {
                (Observed::Absent, Observed::Absent)
            }
            (Observed::Seen { value: whole, .. }, Some(used)) => {
                let free = match self.value(used, "free_size", bytes) {
                    Observed::Seen { value, .. } if value.hundredths > whole.hundredths => {
                        Observed::unreadable(format!("{NOUN}: a volume has more bytes free than it has"))
                    }
                    free => free,
                };
                (size, free)
            }
            // What is free means nothing without the whole.
            _ => (size, Observed::Absent),
        }
    }
}

fn number(element: &Element, key: &str) -> Option<u32> {
    element.text(key)?.parse().ok()
}

fn bytes(text: &str) -> Option<VolumeSize> {
    let hundredths = text.parse::<u64>().ok()?.checked_mul(100)?;
    Some(VolumeSize { hundredths, unit: VolumeUnit::Byte })
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use assay_bundle::facts::volumes::VolumeStatus;

    use super::super::{essentials, parse};
    use super::*;
    use crate::hostile;

    /// Of our own invention, with the keys of QTS 4.2: a full volume, an inactive one without use, one that is damaged.
    const LIST: &str = "<QDocRoot version=\"1.0\"><authPassed><![CDATA[1]]></authPassed><volumeList>
<volume><volumeStatus><![CDATA[-7]]></volumeStatus><volumeValue><![CDATA[1]]></volumeValue><freeSize>9</freeSize>
<volumeLabel><![CDATA[DataVol1]]></volumeLabel></volume>
<volume><volumeStatus>-6</volumeStatus><volumeValue>2</volumeValue></volume>
<volume><volumeStatus>-5</volumeStatus><volumeValue>4</volumeValue><volumeLabel>--</volumeLabel></volume></volumeList>
<volumeUseList><volumeUse><volumeValue>1</volumeValue><total_size><![CDATA[4000000000000]]></total_size>
<free_size><![CDATA[0]]></free_size><folder_element><sharename>Diaries</sharename><used_size>5</used_size></folder_element></volumeUse>
<volumeUse><volumeValue>2</volumeValue><total_size>0</total_size><free_size>0</free_size></volumeUse>
<volumeUse><volumeValue>3</volumeValue><total_size>7</total_size><free_size>7</free_size></volumeUse>
<volumeUse><volumeValue>4</volumeValue><total_size>100</total_size><free_size>101</free_size></volumeUse></volumeUseList></QDocRoot>";
    /// The keys of QTS 5.
    const INDEX: &str = "<QDocRoot><authPassed>1</authPassed><Volume_Index><row><vol_no>12</vol_no><vol_status>-4</vol_status>
<vol_label><![CDATA[Archive]]></vol_label><volume_type>1</volume_type></row></Volume_Index><result>0</result></QDocRoot>";

    fn volumes(text: &str) -> Vec<Volume> {
        parse(text, "x").expect("a page").volumes.expect("this page")
    }

    fn seen(reading: &Observed<VolumeSize>) -> Option<u64> {
        reading.value().map(|size| size.hundredths)
    }

    #[test]
    fn volumes_of_two_generations() {
        let found = volumes(LIST);
        let brief: Vec<_> = found
            .iter()
            .map(|v| (v.number, v.status.value().copied(), v.description.value().map(String::as_str)))
            .collect();
        let expected = [
            (1, Some(VolumeStatus::Ready), Some("DataVol1")),
            (2, Some(VolumeStatus::NotActive), None),
            (4, Some(VolumeStatus::Degraded), None),
        ];
        assert_eq!(brief, expected);
        assert_eq!((seen(&found[0].size), seen(&found[0].free)), (Some(400_000_000_000_000), Some(0)));
        assert!(found[1].size.is_absent() && found[1].free.is_absent());
        assert!(seen(&found[2].size).is_some() && found[2].free.why_not().is_some());

        let [volume] = volumes(INDEX).try_into().expect("one");
        assert_eq!((volume.number, volume.status.value()), (12, Some(&VolumeStatus::Error)));
        assert_eq!(volume.status_text.value().map(String::as_str), Some("-4"));
        assert!(volume.size.is_not_collected() && volume.filesystem.is_not_collected());
    }

    #[test]
    fn a_list_may_be_empty_and_a_volume_has_a_number() {
        fn page(list: &str) -> Result<Option<Vec<Volume>>, &'static str> {
            let page = format!("<QDocRoot><authPassed>1</authPassed>{list}</QDocRoot>");
            parse(&page, "x").map(|page| page.volumes)
        }
        assert_eq!(page("<volumeList></volumeList>"), Ok(Some(Vec::new())));
        assert_eq!(page("<other/>"), Ok(None));
        for number in ["", "-1", "x", "4294967296"] {
            let list =
                format!("<volumeList><volume><volumeValue>{number}</volumeValue></volume></volumeList>");
            assert!(page(&list).is_err(), "{number:?}");
        }
    }

    #[test]
    fn the_kept_form_has_no_shared_folders() {
        for text in [LIST, INDEX] {
            let kept = essentials(text, 7).expect("a page");
            assert_eq!(volumes(&kept), volumes(text));
            assert!(!kept.contains("Diaries") && !kept.contains("folder_element"), "{kept}");
        }
    }

    #[test]
    fn no_cut_and_no_damage_makes_a_value() {
        let read = |bytes: &[u8]| parse(&String::from_utf8_lossy(bytes), "x").ok().and_then(|p| p.volumes);
        for text in [LIST, INDEX] {
            hostile::cut(text.as_bytes(), read);
            hostile::mutate(text.as_bytes(), 1000, read, |found| {
                for volume in found.iter().flatten() {
                    assert!(seen(&volume.size).is_none_or(|size| size > 0 && size % 100 == 0));
                    assert!(seen(&volume.free).is_none_or(|free| Some(free) <= seen(&volume.size)));
                }
            });
        }
    }
}
