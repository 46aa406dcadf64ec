//! The recovery copy: what its receipt, its head and its list of entries say. The copy itself never leaves the device.
//!
//! A receipt travels in manifests, so it holds no path, no name and no serial number: digests, sizes, counts, the
//! owner's public recipients. What a note is about in particular stands inside the copy, encrypted. Paths are bytes on
//! a NAS and text in JSON; [`path_text`] is the one lossless way between the two. Read next: [`tape`] (the tar inside),
//! [`sealing`] (compression and encryption around it).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub mod attributes;
pub mod sealing;
mod stream;
pub mod tape;

/// The format version of a recovery copy.
pub const COPY_FORMAT: u32 = 1;
/// Folder of our own documents inside the tar; no file of the machine stands below it.
pub const OWN_FOLDER: &str = "assay/";
/// The first entry: [`CopyHead`].
pub const HEAD_NAME: &str = "assay/copy.json";
/// What was noted, with paths: a JSON list of [`CopyNote`].
pub const NOTES_NAME: &str = "assay/notes.json";
/// The last entry: the list of all entries before it that are the machine's.
pub const LIST_NAME: &str = "assay/entries.json";

/// How far a copy has been proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyLevel {
    /// Written and flushed; nobody has looked at it since (a pipe can be no more than that).
    Written,
    /// Read back from where it lies, with the digest that was written.
    ReadBack,
    /// Opened with the owner's key, and every entry has its digest.
    OpenedWithKey,
}

impl CopyLevel {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::ReadBack => "read back",
            Self::OpenedWithKey => "opened with the key",
        }
    }
}

/// What stands beside a copy, and in the manifest of a run for a support request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyReceipt {
    /// Format of the copy; see [`COPY_FORMAT`].
    pub format: u32,
    /// File name of the copy.
    pub name: String,
    /// Device time at its beginning, RFC 3339 in UTC.
    pub made_at: String,
    /// The same as seconds since 1970.
    pub made_unix_s: i64,
    /// Version of the program.
    pub agent_version: String,
    /// Profile: which lists of places were copied, `qts` or `linux`.
    pub profile: String,
    /// Size of the encrypted file.
    pub size_bytes: u64,
    /// SHA-256 of the encrypted file, lower-case hex.
    pub sha256: String,
    /// Files, folders and links of the machine in it.
    pub entries: u64,
    /// Bytes of file content in it.
    pub content_bytes: u64,
    /// age recipients, public keys of the owner.
    pub recipients: Vec<String>,
    /// How far it is proven.
    pub level: CopyLevel,
    /// Whether saved volume keys are in it, which only the owner can ask for.
    pub volume_keys: bool,
    /// What was noted while reading, by kind, how often.
    pub notes: BTreeMap<String, u64>,
    /// What was left out, by reason, how often.
    pub left_out: BTreeMap<String, u64>,
    /// Fields of a later minor revision, kept as they came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What the machine was when the copy was made: the first entry of the copy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CopyHead {
    /// Format of the copy.
    pub format: u32,
    /// Profile, `qts` or `linux`.
    pub profile: String,
    /// Model as the configuration names it, where it does.
    pub model: Option<String>,
    /// Serial number, where it was seen.
    pub serial: Option<String>,
    /// Firmware version and build, where they were seen.
    pub firmware: Option<String>,
    /// Device time, RFC 3339 in UTC.
    pub made_at: String,
    /// Version of the program.
    pub agent_version: String,
    /// Installed packages and their versions.
    pub packages: BTreeMap<String, String>,
    /// Whether saved volume keys are in it.
    pub volume_keys: bool,
    /// Fields of a later minor revision, kept as they came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Something the owner should know about one path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyNote {
    /// Kind: `changed-while-read`, `database-not-locked`, `attributes-not-kept`, or the reason of a thing left out: `no-permission`,
    /// `read-error`, `not-a-file`, `gone-while-read`, `another-file-system`, `too-deep`, `volume-key-not-asked-for`,
    /// `key-of-this-device`, `boot-partition-not-mounted`.
    pub kind: String,
    /// Path as [`path_text`].
    pub path: String,
    /// Whether it was left out of the copy.
    pub left_out: bool,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// Another name of a file that came before (a hard link).
    HardLink,
}

/// One entry of a copy, in the words of `entries.json`: one line each, in the order of the tar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyEntry {
    /// Path below the root, without a leading slash, as [`path_text`].
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits with set-id and sticky bits, as a number.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of the last change of its content, whole seconds since 1970.
    pub mtime_s: i64,
    /// Nanoseconds of it.
    pub mtime_ns: u32,
    /// Bytes of content; zero for all but files.
    pub size_bytes: u64,
    /// SHA-256 of the content, taken while it was read and before it was encrypted; files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Target of a link, as it is stored; of a hard link: the path that came before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// SHA-256 of access lists and extended attributes, where there are any: of each name and value in the order of
    /// names, its length as eight bytes and then itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes_sha256: Option<String>,
}

/// A path as text: UTF-8 as it is, a backslash doubled, every byte that is no UTF-8 as `\xNN`.
pub fn path_text(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for chunk in path.utf8_chunks() {
        text.extend(
            chunk.valid().chars().flat_map(|c| std::iter::repeat_n(c, if c == '\\' { 2 } else { 1 })),
        );
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// The path that [`path_text`] made a text of; `None` when the text is none of those.
pub fn path_bytes(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, after) = rest.split_at(at);
        bytes.extend_from_slice(before.as_bytes());
        if let Some(after) = after.strip_prefix("\\\\") {
            bytes.push(b'\\');
            rest = after;
        } else {
            let digits = after.strip_prefix("\\x")?.get(..2)?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after.get(4..)?;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &[u8], expected: &str) {
        assert_eq!(path_text(path), expected);
        assert_eq!(path_bytes(expected).as_deref(), Some(path));
    }

    #[test]
    fn paths_survive_as_text() {
        check(b"etc/config/uLinux.conf", "etc/config/uLinux.conf");
        check("etc/Größe".as_bytes(), "etc/Größe");
        check(b"etc/\xff\xfe", "etc/\\xff\\xfe");
        check(b"a\\b", "a\\\\b");
        check(b"a\\x41", "a\\\\x41");
        check(b"", "");
        for text in ["a\\", "\\x4", "\\xzz", "\\n"] {
            assert_eq!(path_bytes(text), None, "{text}");
        }
    }

    #[test]
    fn levels_are_ordered() {
        assert!(CopyLevel::Written < CopyLevel::ReadBack && CopyLevel::ReadBack < CopyLevel::OpenedWithKey);
    }

    #[test]
    fn a_later_receipt_survives() {
        let text = r#"{"format":1,"name":"a","made_at":"","made_unix_s":0,"agent_version":"","profile":"qts","size_bytes":1,
            "sha256":"","entries":1,"content_bytes":1,"recipients":[],"level":"read_back","volume_keys":false,"notes":{},
            "left_out":{},"later":7}"#;
        let receipt: CopyReceipt = serde_json::from_str(text).expect("a receipt");
        assert_eq!(serde_json::to_value(&receipt).expect("JSON")["later"], 7);
    }
}
