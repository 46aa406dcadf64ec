//! ZFS pools: `zpool status`, where the kernel knows ZFS at all (`/proc/filesystems`).
//!
//! QuTS hero's fork is asked the same plain words as OpenZFS: options beyond them are not documented for it. Never with
//! `-v`: it lists the names of damaged files. A pool on a device that is gone can hang the command; it has its deadline
//! like every other. Which pools are the system's own is known on QuTS hero only (`/etc/platform.conf` is there).

use assay_bundle::Observed;
use assay_bundle::facts::zfs::{ZfsPool, ZfsRole};

use crate::command::{Command, StorageCommand};
use crate::door::{Door, Missing};
use crate::source::Request;
use crate::zpool;

const FILESYSTEMS: &str = "/proc/filesystems";
/// Only QTS and QuTS hero have it.
const PLATFORM_CONF: &str = "/etc/platform.conf";
/// What zpool says where there is none.
const NO_POOLS: &str = "no pools available";

/// Reads every pool.
pub(crate) async fn collect(door: &Door<'_>) -> Observed<Vec<ZfsPool>> {
    match door.text(FILESYSTEMS).await {
        Observed::Seen { value, .. } if value.split_whitespace().any(|name| name == "zfs") => {}
        Observed::Seen { .. } | Observed::Absent => return Observed::Absent,
        Observed::Unreadable { why } => return Observed::Unreadable { why },
        Observed::NotCollected => return Observed::NotCollected,
    }
    let fetched = match door.ask(&Request::Run(Command::Storage(StorageCommand::ZpoolStatus))).await {
        Ok(fetched) => fetched,
        // A recording of a version that did not ask.
        Err(Missing::NotThere) => return Observed::NotCollected,
        Err(missing) => return missing.observed(),
    };
    let text = fetched.text();
    let mut pools = zpool::parse(&text, &fetched.place);
    if pools.is_empty() {
        if text.contains(NO_POOLS) || String::from_utf8_lossy(&fetched.stderr).contains(NO_POOLS) {
            return Observed::Absent;
        }
        return door.noted(Observed::unreadable(format!("{}: it describes no pool", fetched.place)));
    }
    let named_by = door.text(PLATFORM_CONF).await;
    for pool in &mut pools {
        pool.role = named_by.as_ref().map(|_| role(&pool.name));
    }
    Observed::seen(pools, fetched.place)
}

/// Names that QuTS hero gives to its own pools (qnap-platform.md 1.5b).
fn role(name: &str) -> ZfsRole {
    if matches!(name, "zpool256" | "zpool257" | "zpoolExt2") { ZfsRole::System } else { ZfsRole::Data }
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::commutes;
    use crate::door::testing::run;

    const POOL: &str = "  pool: zpool256\n state: ONLINE\n  scan: none requested\nconfig:\n    NAME      STATE     READ WRITE CKSUM\n    zpool256  ONLINE       0     0     0\nerrors: No known data errors\n";
    const STDOUT: &str = "cmd/zpool-status/stdout";

    fn check(files: &[(&str, &str)], expected: Result<Option<ZfsRole>, &str>) {
        let found = run(files, async |door| collect(door).await);
        match (&found, expected) {
            (Observed::Seen { value, from }, Ok(role)) => {
                assert_eq!((value.len(), from.as_str()), (1, STDOUT));
                assert_eq!(value[0].role.value().copied(), role);
            }
            (Observed::Absent, Err("")) => {}
            (Observed::Unreadable { why }, Err(words)) => {
                assert!(!words.is_empty() && why.contains(words), "{why}")
            }
            _ => panic!("{found:?}"),
        }
    }

    #[test]
    fn pools_where_there_are_any() {
        let zfs = ("proc/filesystems", "nodev\tsysfs\n\text4\nnodev\tzfs\n");
        check(&[], Err(""));
        check(&[("proc/filesystems", "\text4\n"), (STDOUT, POOL)], Err(""));
        check(&[zfs, (STDOUT, POOL)], Ok(None));
        check(&[zfs, (STDOUT, POOL), ("etc/platform.conf", "[MISC]\n")], Ok(Some(ZfsRole::System)));
        check(&[zfs, (STDOUT, "no pools available\n")], Err(""));
        check(&[zfs, (STDOUT, "")], Err("describes no pool"));
        let old = run(&[zfs], async |door| collect(door).await);
        assert_eq!(old, Observed::NotCollected);
        check(
            &[zfs, ("cmd/zpool-status.unreadable", r#"{"no_tool":{"name":"zpool"}}"#)],
            Err("not installed"),
        );
        assert_eq!(
            (role("zpool1"), role("zpoolExt2"), role("tank")),
            (ZfsRole::Data, ZfsRole::System, ZfsRole::Data)
        );
    }

    #[test]
    fn redaction_leaves_the_same_pools() {
        let pool = "  pool: tank\n state: ONLINE\nstatus: gone since 192.168.1.20 left\n  scan: none requested\nconfig:\n\tNAME STATE READ WRITE CKSUM\n\ttank ONLINE 0 0 0\n\t  qzfs/enc_0/disk_0x4_5000C500A1B2C3D4_3 UNAVAIL 0 0 0 was /dev/disk/by-id/ata-X_WD-WCC4J1ZHDJHN-part1\n\t  /share/alice/file.img ONLINE 0 0 0\nerrors: No known data errors\n";
        commutes::check(&[("proc/filesystems", "nodev\tzfs\n"), (STDOUT, pool)], collect);
    }
}
