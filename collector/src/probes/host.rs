//! Processor, memory, load and uptime of the host: `sample/host.json`, which a live source makes with a library.
//!
//! Every machine has all of them, so a missing field is Unreadable, not Absent, but for swap on a host without any
//! (0 bytes, Seen). Numbers that cannot be (no processor, no memory) are what the library gives when it could not
//! read.

use assay_bundle::Observed;
use assay_bundle::facts::host::Host;
use assay_bundle::units::Bytes;
use serde_json::Value;

use super::Found;
use crate::door::Door;
use crate::source::Request;

/// Reads the sample.
pub(crate) async fn collect(door: &Door<'_>) -> (Host, Found) {
    let host = match door.ask(&Request::HostSample).await {
        Ok(fetched) => parse(&fetched.bytes, &fetched.place),
        Err(missing) => {
            let why: Observed<()> = missing.required("the host sample");
            all_unreadable(&why.why_not().unwrap_or_default())
        }
    };
    let found = Found::any([
        Found::of(&host.cpu_brand),
        Found::of(&host.cpu_count),
        Found::of(&host.memory_total_bytes),
    ]);
    (host, found)
}

fn all_unreadable(why: &str) -> Host {
    Host {
        cpu_brand: Observed::unreadable(why),
        cpu_count: Observed::unreadable(why),
        memory_total_bytes: Observed::unreadable(why),
        memory_available_bytes: Observed::unreadable(why),
        swap_total_bytes: Observed::unreadable(why),
        swap_used_bytes: Observed::unreadable(why),
        load_1min_hundredths: Observed::unreadable(why),
        load_15min_hundredths: Observed::unreadable(why),
    }
}

/// Reads a sample that stands at `place`.
pub fn parse(bytes: &[u8], place: &str) -> Host {
    let Ok(sample) = serde_json::from_slice::<Value>(bytes) else {
        return all_unreadable(&format!("{place}: not JSON"));
    };
    let number = |key: &str| match sample.get(key).and_then(Value::as_u64) {
        Some(value) => Observed::seen(value, place),
        None => Observed::unreadable(format!("{place}: it holds no {key}")),
    };
    let some = |reading: Observed<u64>| match reading {
        Observed::Seen { value: 0, .. } => {
            Observed::unreadable(format!("{place}: 0 is what an unknown number looks like"))
        }
        other => other,
    };
    let small = |reading: Observed<u64>| match reading {
        Observed::Seen { value, from } => match u32::try_from(value) {
            Ok(value) => Observed::Seen { value, from },
            Err(_) => Observed::unreadable(format!("{place}: a number is out of its range")),
        },
        other => other.map(|_| 0),
    };
    let brand =
        sample.get("cpu_brand").and_then(Value::as_str).map(str::trim).filter(|brand| !brand.is_empty());
    Host {
        // ARM boards have no brand string.
        cpu_brand: brand.map_or(Observed::Absent, |brand| Observed::seen(brand.to_owned(), place)),
        cpu_count: small(some(number("cpu_count"))),
        memory_total_bytes: some(number("memory_total_bytes")).map(Bytes),
        memory_available_bytes: number("memory_available_bytes").map(Bytes),
        swap_total_bytes: number("swap_total_bytes").map(Bytes),
        swap_used_bytes: number("swap_used_bytes").map(Bytes),
        load_1min_hundredths: small(number("load_1min_hundredths")),
        load_15min_hundredths: small(number("load_15min_hundredths")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, cpus: Option<u32>, memory: Option<u64>, brand: &Observed<String>) {
        let host = parse(text.as_bytes(), "sample/host.json");
        assert_eq!(host.cpu_count.value().copied(), cpus, "{text}");
        assert_eq!(host.memory_total_bytes.value().map(|bytes| bytes.0), memory, "{text}");
        assert_eq!(&host.cpu_brand, brand, "{text}");
    }

    #[test]
    fn a_sample_and_what_is_left_of_a_broken_one() {
        let brand = Observed::seen("J4125".to_owned(), "sample/host.json");
        check(r#"{"cpu_brand":" J4125 ","cpu_count":4,"memory_total_bytes":8}"#, Some(4), Some(8), &brand);
        check(r#"{"cpu_brand":"","cpu_count":0,"memory_total_bytes":0}"#, None, None, &Observed::Absent);
        check(r#"{"cpu_brand":null,"cpu_count":"4","memory_total_bytes":-1}"#, None, None, &Observed::Absent);
        check(r#"{"cpu_count":99999999999}"#, None, None, &Observed::Absent);
        check("[]", None, None, &Observed::Absent);
        check("{", None, None, &Observed::unreadable("sample/host.json: not JSON"));
    }
}
