//! Bundles made by hand, to be wrong in one way each. Shares no code with the writer under test: headers, lists and
//! outer files are put together here, and compressed by stock `zstd`.

use std::io::{Seek, Write};
use std::process::{Command, Stdio};

use assay_bundle::digest::sha256_hex;
use assay_bundle::manifest::RunSource;
use assay_bundle::sshsig;
use serde_json::{Value, json};

use super::{draft, key};

/// One entry of a tar: its header may lie.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Name field.
    pub(crate) name: Vec<u8>,
    /// Content.
    pub(crate) bytes: Vec<u8>,
    /// Type.
    pub(crate) kind: u8,
    /// Link target.
    pub(crate) link: &'static str,
}

/// A plain file.
pub(crate) fn file(name: &str, bytes: &[u8]) -> Entry {
    Entry { name: name.as_bytes().to_vec(), bytes: bytes.to_vec(), kind: b'0', link: "" }
}

/// An entry of another type.
pub(crate) fn special(name: &str, kind: u8, link: &'static str) -> Entry {
    Entry { kind, link, ..file(name, b"") }
}

/// The header of an entry, correct but for what the entry says.
pub(crate) fn header(entry: &Entry) -> Vec<u8> {
    let mut h = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| h[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &entry.name[..entry.name.len().min(100)]);
    put(100, b"0000644\x000000000\x000000000\0");
    put(124, format!("{:011o}\0", entry.bytes.len()).as_bytes());
    put(136, b"00000000000\0        ");
    put(156, &[entry.kind]);
    put(157, entry.link.as_bytes());
    put(257, b"ustar  \0");
    let sum: u32 = h.iter().map(|b| u32::from(*b)).sum();
    h[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    h
}

/// A tar of these entries, with its end.
pub(crate) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    for entry in entries {
        out.extend_from_slice(&header(entry));
        out.extend_from_slice(&entry.bytes);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out.resize(out.len() + 1024, 0);
    out
}

/// `entries.json` of these files.
pub(crate) fn list(files: &[Entry]) -> Value {
    let entries: Vec<Value> = files
        .iter()
        .map(|f| {
            let name = String::from_utf8_lossy(&f.name);
            json!({"name": name, "size_bytes": f.bytes.len(), "sha256": sha256_hex(&f.bytes)})
        })
        .collect();
    json!({ "entries": entries })
}

/// An inner tar in which everything agrees.
pub(crate) fn inner(files: &[Entry]) -> Vec<u8> {
    inner_listed(&list(files), files)
}

/// An inner tar with a list of its own.
pub(crate) fn inner_listed(list: &Value, files: &[Entry]) -> Vec<u8> {
    let list = file("entries.json", list.to_string().as_bytes());
    tar(&[&[list], files].concat())
}

/// What stock `zstd` makes of it. It reads from its input, so that it cannot know the size and shrink the window.
pub(crate) fn zstd(bytes: &[u8], arguments: &[&str]) -> Vec<u8> {
    let mut input = tempfile::tempfile().expect("a file");
    input.write_all(bytes).and_then(|()| input.rewind()).expect("a file");
    let out = Command::new("zstd")
        .args(["-q", "-c"])
        .args(arguments)
        .stdin(input)
        .stderr(Stdio::inherit())
        .output()
        .expect("zstd is needed: apt-get install zstd");
    assert!(out.status.success(), "zstd failed");
    out.stdout
}

/// A bundle of this inner tar, signed, with digests that fit unless `edit` changes the manifest.
pub(crate) fn bundle(inner: &[u8], edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    tar(&outer(inner, edit))
}

/// The three entries of such a bundle.
pub(crate) fn outer(inner: &[u8], edit: impl FnOnce(&mut Value)) -> Vec<Entry> {
    outer_of(&zstd(inner, &["-3"]), inner, edit)
}

/// The three entries of a bundle of this payload.
pub(crate) fn outer_of(payload: &[u8], inner: &[u8], edit: impl FnOnce(&mut Value)) -> Vec<Entry> {
    let mut manifest = serde_json::to_value(draft(RunSource::Live)).expect("a manifest is JSON");
    manifest["device"]["key_id"] = key().public().fingerprint().into();
    manifest["redaction"] = json!({"rule_set": 1, "level": "standard"});
    for (form, bytes) in [("inner", inner), ("plain", payload)] {
        manifest["payload"][form] = json!({"size_bytes": bytes.len(), "sha256": sha256_hex(bytes)});
    }
    edit(&mut manifest);
    let bytes = manifest.to_string().into_bytes();
    let signature = sshsig::sign(key(), sshsig::namespace::BUNDLE, &bytes);
    vec![
        file("manifest.json", &bytes),
        file("manifest.json.sig", signature.as_bytes()),
        file("payload.tar.zst", payload),
    ]
}
