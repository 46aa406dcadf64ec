//! A bundle as large as wanted that the portal accepts: a real one of this machine with one more file of random bytes,
//! put together with stock `zstd` and `age` and signed with the device's own key.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use assay_bundle::digest::sha256_hex;
use assay_bundle::keys::SigningKey;
use assay_bundle::sshsig::{self, namespace};
use serde_json::{Value, json};

use crate::support::Rng;

/// Writes the sealed form for `recipient` to `to`, from the plain form `from`, with `noise` incompressible bytes in it.
pub(super) fn make(from: &Path, to: &Path, key: &SigningKey, recipient: &str, noise: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let outer = entries(&fs::read(from).expect("the plain form"));
    let mut manifest: Value = serde_json::from_slice(&outer[0].1).expect("a manifest");

    let packed = path("payload.tar.zst");
    fs::write(&packed, &outer[2].1).expect("room");
    let mut inner = entries(&tool("zstd", &["-d", "-q", "-c"], &packed, &path("inner")));
    let noise = Rng::new(0xB16).bytes(noise);
    let mut list: Value = serde_json::from_slice(&inner[0].1).expect("the list");
    let entry = json!({"name": "raw/zz-noise", "size_bytes": noise.len(), "sha256": sha256_hex(&noise)});
    list["entries"].as_array_mut().expect("entries").push(entry);
    inner[0].1 = list.to_string().into_bytes();
    inner.push(("raw/zz-noise".to_owned(), noise));

    let inner_tar = tar(&inner);
    let inner_path = path("inner");
    fs::write(&inner_path, &inner_tar).expect("room");
    let plain = tool("zstd", &["-q", "-c", "-3"], &inner_path, &packed);
    let sealed = tool("age", &["-r", recipient], &packed, &path("payload.tar.zst.age"));
    for (form, bytes) in [("inner", &inner_tar), ("plain", &plain), ("sealed", &sealed)] {
        manifest["payload"][form] = json!({"size_bytes": bytes.len(), "sha256": sha256_hex(bytes)});
    }
    manifest["recipients"] = json!([recipient]);
    let manifest = manifest.to_string().into_bytes();
    let signature = sshsig::sign(key, namespace::BUNDLE, &manifest).into_bytes();
    let name = str::to_owned;
    let outer = [
        (name("manifest.json"), manifest),
        (name("manifest.json.sig"), signature),
        (name("payload.tar.zst.age"), sealed),
    ];
    fs::write(to, tar(&outer)).expect("room");
}

/// Runs a stock tool from a file to a file.
fn tool(program: &str, arguments: &[&str], from: &Path, to: &Path) -> Vec<u8> {
    let status = Command::new(program)
        .args(arguments)
        .stdin(File::open(from).expect("a file"))
        .stdout(File::create(to).expect("a file"))
        .stderr(Stdio::inherit())
        .status()
        .unwrap_or_else(|error| panic!("{program}: {error}; apt-get install {program}"));
    assert!(status.success(), "{program} failed");
    fs::read(to).expect("its output")
}

/// Names and contents of a tar of plain files.
fn entries(tar: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = tar;
    while rest.len() >= 512 && rest[0] != 0 {
        let (header, after) = rest.split_at(512);
        let text = |range: std::ops::Range<usize>| {
            String::from_utf8_lossy(&header[range]).trim_matches(['\0', ' ']).to_owned()
        };
        let size = usize::from_str_radix(&text(124..136), 8).expect("a size");
        let (content, after) = after.split_at(size.next_multiple_of(512));
        // A name too long for its field is told by an entry of its own; those of a manifest's files are short.
        found.push((header[156], text(0..100), content[..size].to_vec()));
        rest = after;
    }
    let mut long = None;
    let mut plain = Vec::new();
    for (kind, name, content) in found {
        match kind {
            b'L' => long = Some(String::from_utf8_lossy(&content).trim_end_matches('\0').to_owned()),
            _ => plain.push((long.take().unwrap_or(name), content)),
        }
    }
    plain
}

fn tar(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in entries {
        if name.len() > 100 {
            let mut bytes = name.as_bytes().to_vec();
            bytes.push(0);
            append(&mut out, "././@LongLink", b'L', &bytes);
        }
        append(&mut out, name, b'0', content);
    }
    out.resize(out.len() + 1024, 0);
    out
}

fn append(out: &mut Vec<u8>, name: &str, kind: u8, content: &[u8]) {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &name.as_bytes()[..name.len().min(100)]);
    put(100, b"0000644\x000000000\x000000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0        ");
    put(156, &[kind]);
    put(257, b"ustar  \0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    out.extend_from_slice(&header);
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
}
