//! Newer programs and this one, and the numbers that FORMAT.md promises.

use assay_bundle::archive::{LONGEST_NAME_BYTES, Limits};
use assay_bundle::manifest::{FORMAT_VERSION, Form, Manifest, ManifestError, RunSource};
use serde_json::{Value, json};

use super::{draft, forge, open};
use crate::support::root;

fn format_md() -> String {
    std::fs::read_to_string(root().join("bundle/FORMAT.md")).expect("FORMAT.md")
}

/// A manifest with everything in it, as JSON.
fn whole_manifest() -> Value {
    let mut manifest = draft(RunSource::Live);
    manifest.payload.sealed = Some(Form::default());
    serde_json::to_value(manifest).expect("a manifest is JSON")
}

#[test]
fn unknown_fields_survive() {
    let mut later = whole_manifest();
    later["later"] = json!({"deep": [1, 2, {"a": null}]});
    later["also"] = json!("text");
    let manifest = Manifest::parse(later.to_string().as_bytes()).expect("a later minor revision");
    assert_eq!(serde_json::to_value(&manifest).expect("JSON"), later);
    let inner = forge::inner(&[forge::file("later.json", b"{}"), forge::file("raw/a", b"")]);
    let (envelope, kept, _) = open(&forge::bundle(&inner, |m| m["later"] = json!(1))).expect("it opens");
    assert_eq!(envelope.manifest.extra.get("later"), Some(&json!(1)));
    assert!(kept.0.contains_key("later.json"), "unknown documents are passed on");
}

#[test]
fn versions_are_refused_by_name() {
    let check = |text: &str, expected: &str| {
        let found = Manifest::parse(text.as_bytes()).expect_err(text).to_string();
        assert!(found.contains(expected), "{text}: {found:?}, not {expected:?}");
    };
    check("{\"format\": 2}", "bundle format 2 is newer than this program reads (1): update Assay");
    check("{\"format\": 2, \"seq\": \"another kind now\"}", "format 2 is newer");
    check("{\"format\": 18446744073709551615}", "is newer");
    check("{\"format\": 0}", "bundle format 0 does not exist");
    check("{\"format\": -1}", "not a manifest");
    check("{\"format\": \"1\"}", "not a manifest");
    check("{\"format\": 1}", "not a manifest");
    check("{\"format\": 1, \"format\": 2}", "not a manifest");
    check("", "not a manifest");
    let newer = Manifest::parse(b"{\"format\": 7}");
    assert!(matches!(newer, Err(ManifestError::Newer { found: 7 })), "{newer:?}");
}

#[test]
fn the_format_names_every_field() {
    fn walk(value: &Value, path: &str, leaves: &mut Vec<String>) {
        for (name, value) in value.as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            match value {
                // These two are described as a whole.
                Value::Object(_) if !path.starts_with("payload.") && path != "recovery_copy" => {
                    walk(value, &path, leaves);
                }
                _ => leaves.push(path),
            }
        }
    }
    let mut leaves = Vec::new();
    walk(&whole_manifest(), "", &mut leaves);
    assert!(leaves.len() > 25, "{leaves:?}");
    let text = format_md();
    for leaf in leaves {
        assert!(text.contains(&format!("`{leaf}`")), "FORMAT.md does not name `{leaf}`");
    }
}

#[test]
fn the_format_tells_the_true_limits() {
    let Limits {
        manifest_bytes,
        signature_bytes,
        payload_bytes,
        inner_bytes,
        ratio,
        ratio_free_bytes,
        entries,
        entry_bytes,
    } = Limits::default();
    let text = format_md();
    for (name, value) in [
        ("manifest_bytes", manifest_bytes),
        ("signature_bytes", signature_bytes),
        ("payload_bytes", payload_bytes),
        ("inner_bytes", inner_bytes),
        ("ratio", ratio),
        ("ratio_free_bytes", ratio_free_bytes),
        ("entries", entries),
        ("entry_bytes", entry_bytes),
    ] {
        assert!(text.contains(&format!("| `{name}` | {value} |")), "FORMAT.md does not say {name} = {value}");
    }
    assert!(text.contains(&format!("1 to {LONGEST_NAME_BYTES} bytes")));
    assert!(text.starts_with(&format!("# The bundle format, version {FORMAT_VERSION}\n")));
}
