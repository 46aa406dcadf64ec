//! Stock tools agree with the code and with `bundle/FORMAT.md`: `ssh-keygen`, `tar`, `zstd`, `age`, `sha256sum`.
//! A tool that is missing is a failure: `cargo xtask test` installs them.

use std::path::Path;
use std::process::{Command, Output};

use assay_bundle::keys::{PublicKey, SigningKey};
use assay_bundle::manifest::RunSource;
use serde_json::Value;

use super::round_trip::age_identity;
use super::{draft, forge, key, open, seal_with, small_bundle, small_content};
use crate::support::root;

/// Runs a shell script in a folder; it stops at the first command that fails.
fn sh(folder: &Path, script: &str) -> Output {
    for tool in ["ssh-keygen", "tar", "zstd", "age", "sha256sum", "sed", "grep"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().expect("sh");
        assert!(
            found.status.success(),
            "{tool} is needed: apt-get install openssh-client tar zstd age coreutils"
        );
    }
    Command::new("sh").args(["-eu", "-c", script]).current_dir(folder).output().expect("sh")
}

/// What a command said, on both outputs.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(folder.join(name), bytes).expect("a file in a folder of ours");
}

/// Everything that a reader of FORMAT.md has, in an empty folder.
fn folder_with(bundle: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "bundle.assay", bundle);
    write(folder.path(), "device.pub", key().public().to_openssh() + "\n");
    folder
}

/// The `sh` block of FORMAT.md behind a mark.
fn block(mark: &str) -> String {
    let text = std::fs::read_to_string(root().join("bundle/FORMAT.md")).expect("FORMAT.md");
    let (_, rest) =
        text.split_once(&format!("<!-- run: {mark} -->\n```sh\n")).expect("the mark and its block");
    rest.split_once("```").expect("the block ends").0.to_owned()
}

#[test]
fn the_lines_of_the_format_open_a_bundle() {
    let folder = folder_with(&small_bundle());
    let output = sh(folder.path(), &block("plain"));
    assert!(output.status.success(), "{}", said(&output));
    for expected in ["Good \"assay-bundle\" signature for device", "facts.json: OK", "raw/proc/mdstat: OK"] {
        assert!(said(&output).contains(expected), "{expected:?} is not in {}", said(&output));
    }
    let (_, kept, _) = open(&small_bundle()).expect("it opens");
    let files = said(&output).lines().filter(|l| l.ends_with(": OK")).count();
    assert_eq!(files, kept.0.len(), "{}", said(&output));
    for (name, bytes) in kept.0 {
        assert_eq!(std::fs::read(folder.path().join("payload").join(&name)).expect(&name), bytes, "{name}");
    }
}

#[test]
fn the_lines_of_the_format_open_the_encrypted_form() {
    let (identity, recipient) = age_identity();
    let (_, _, sealed) =
        seal_with(draft(RunSource::Live), small_content().0, &[recipient]).expect("it seals");
    let folder = folder_with(&sealed);
    write(folder.path(), "identity.txt", identity);
    let output = sh(folder.path(), &block("sealed"));
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("raw/proc/mdstat"), "{}", said(&output));
}

#[test]
fn the_lines_of_the_format_refuse_what_was_changed() {
    let changed = |name: &str, change: fn(&mut Vec<u8>)| {
        let mut entries = forge::outer(&forge::inner(&[forge::file("raw/a", b"a")]), |_| {});
        let entry = entries.iter_mut().find(|e| e.name == name.as_bytes()).expect("an entry");
        change(&mut entry.bytes);
        let folder = folder_with(&forge::tar(&entries));
        let output = sh(folder.path(), &block("plain"));
        assert!(!output.status.success(), "{name}: {}", said(&output));
        said(&output)
    };
    assert!(changed("manifest.json", |b| b[20] ^= 1).contains("incorrect signature"));
    assert!(!changed("manifest.json.sig", |b| b[240] ^= 1).contains("Good"));
    assert!(changed("payload.tar.zst", |b| b[10] ^= 1).contains("Good"));
}

#[test]
fn ssh_keygen_tells_namespaces_apart() {
    for (source, namespace) in [(RunSource::Live, "assay-bundle"), (RunSource::Recorded, "assay-replay")] {
        let (_, plain, _) = seal_with(draft(source), small_content().0, &[]).expect("it seals");
        let folder = folder_with(&plain);
        for asked in ["assay-bundle", "assay-replay", "assay-receipt"] {
            let script = format!(
                "tar -xf bundle.assay\n echo \"device $(cat device.pub)\" > allowed_signers\n\
                 ssh-keygen -Y verify -f allowed_signers -I device -n {asked} -s manifest.json.sig < manifest.json"
            );
            let output = sh(folder.path(), &script);
            assert_eq!(
                output.status.success(),
                asked == namespace,
                "{source:?} as {asked}: {}",
                said(&output)
            );
        }
    }
}

#[test]
fn ssh_keygen_reads_our_keys_and_we_read_its() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "ours", key().to_openssh("assay device key").as_bytes());
    write(folder.path(), "message", b"hello");
    let script = "chmod 600 ours\n ssh-keygen -y -f ours\n ssh-keygen -l -f ours\n\
                  ssh-keygen -q -t ed25519 -N '' -C 'theirs here' -f theirs\n ssh-keygen -l -f theirs.pub\n\
                  ssh-keygen -q -t ed25519 -N 'a passphrase' -f locked\n\
                  ssh-keygen -q -t ecdsa -N '' -f other\n\
                  ssh-keygen -Y sign -f theirs -n assay-bundle message";
    let output = sh(folder.path(), script);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains(&key().public().to_openssh()), "{}", said(&output));
    assert!(said(&output).contains(&key().public().fingerprint()), "{}", said(&output));

    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);
    let theirs = SigningKey::from_openssh(&read("theirs")).expect("an Ed25519 key");
    assert_eq!(PublicKey::from_openssh(&read("theirs.pub")).expect("its line"), theirs.public());
    assert!(said(&output).contains(&theirs.public().fingerprint()), "{}", said(&output));
    assert_eq!(
        assay_bundle::sshsig::verify(&theirs.public(), "assay-bundle", b"hello", &read("message.sig")),
        Ok(())
    );
    // What they make and we make of the same key and message is the same, byte for byte.
    assert_eq!(assay_bundle::sshsig::sign(&theirs, "assay-bundle", b"hello"), read("message.sig"));
    for (name, expected) in [("locked", "passphrase"), ("other", "another kind")] {
        let refused = SigningKey::from_openssh(&read(name)).map(drop).expect_err(name).to_string();
        assert!(refused.contains(expected), "{name}: {refused}");
    }
}

/// The other way round: who follows FORMAT.md with stock tools writes what we read.
#[test]
fn a_bundle_made_by_stock_tools_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = format!("raw/sys/devices/{}/temp1_input", "pci0000:00/".repeat(12).trim_end_matches('/'));
    let files = [forge::file("facts.json", b"{}"), forge::file(&long, b"34000\n")];
    for file in [forge::file("entries.json", forge::list(&files).to_string().as_bytes())].iter().chain(&files)
    {
        let path = folder.path().join("in").join(String::from_utf8_lossy(&file.name).as_ref());
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, &file.bytes).expect("a file");
    }
    write(folder.path(), "key", key().to_openssh("").as_bytes());
    let tar = "tar --format=gnu --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=0644";
    let script = format!(
        "{tar} -C in -cf inner.tar entries.json facts.json {long}\n zstd -q -19 inner.tar -o payload.tar.zst\n chmod 600 key"
    );
    let output = sh(folder.path(), &script);
    assert!(output.status.success(), "{}", said(&output));
    let read = |name: &str| std::fs::read(folder.path().join(name)).expect(name);
    let entries = forge::outer_of(&read("payload.tar.zst"), &read("inner.tar"), |_: &mut Value| {});
    write(folder.path(), "manifest.json", &entries[0].bytes);
    let script = format!(
        "ssh-keygen -q -Y sign -f key -n assay-bundle manifest.json\n\
         {tar} -cf bundle.assay manifest.json manifest.json.sig payload.tar.zst"
    );
    let output = sh(folder.path(), &script);
    assert!(output.status.success(), "{}", said(&output));
    let (_, kept, _) = open(&read("bundle.assay")).expect("it follows FORMAT.md");
    assert_eq!(kept.0[&long], b"34000\n");
}
