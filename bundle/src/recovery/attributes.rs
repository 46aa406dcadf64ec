//! Which attributes of a file a recovery copy keeps, and how they stand in a PAX header.
//!
//! As `SCHILY.xattr.NAME`, which GNU tar and bsdtar read and write. Refused are names that could not stand there (an
//! equals sign, nothing at all), names that no copy holds, and more than [`MOST_BYTES`] for one entry.

use std::collections::BTreeMap;

use crate::digest::sha256_hex;

/// Name to value, both the kernel's own bytes.
pub type Attributes = BTreeMap<Vec<u8>, Vec<u8>>;

/// Most bytes of names and values of one entry: the largest single value that Linux takes (`XATTR_SIZE_MAX`).
pub const MOST_BYTES: usize = 64 << 10;
/// What the key of a PAX record begins with.
pub(super) const KEY: &[u8] = b"SCHILY.xattr.";

/// Whether a copy keeps an attribute of this name.
pub fn is_kept(name: &[u8]) -> bool {
    let named = |kind: &[u8]| name.strip_prefix(kind).is_some_and(|rest| !rest.is_empty());
    let access_list = matches!(name, b"system.posix_acl_access" | b"system.posix_acl_default");
    (named(b"user.") || named(b"trusted.") || access_list)
        // The longest name that Linux takes; an equals sign would end the key of the record.
        && name.len() <= 255
        && !name.iter().any(|byte| matches!(byte, 0 | b'=' | b'\n'))
}

/// Whether an entry may have these.
pub(super) fn are_whole(attributes: &Attributes) -> bool {
    attributes.keys().all(|name| is_kept(name))
        && attributes.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() <= MOST_BYTES
}

/// What the list of entries says of them: a digest, none where there are none.
pub(super) fn digest(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    for part in attributes.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    Some(sha256_hex(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept() {
        fn check(name: &str, expected: bool) {
            assert_eq!(is_kept(name.as_bytes()), expected, "{name}");
        }
        check("user.comment", true);
        check("trusted.overlay", true);
        check("system.posix_acl_access", true);
        check("system.posix_acl_default", true);
        check("system.nfs4_acl", false);
        check("security.selinux", false);
        check("user.", false);
        check("user.a=b", false);
        check("user.a\nb", false);
        check("", false);
        check(&format!("user.{}", "x".repeat(251)), false);
    }
}
