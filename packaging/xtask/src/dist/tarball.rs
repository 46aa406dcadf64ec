//! The archive for a machine with systemd, and the digests of everything that ships. The same files give the same bytes,
//! on any machine and in any folder: names sorted, one date, no owners, the modes named here.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::{setup, sh};

/// Packing and digesting takes seconds.
const PACK_LIMIT: Duration = Duration::from_secs(300);

/// What stands beside the program: where from below the project, under which name.
const BESIDE: &[(&str, &str)] = &[
    ("packaging/systemd/README.md", "README.md"),
    ("packaging/systemd/assay.service", "assay.service"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("THIRD_PARTY.md", "THIRD_PARTY.md"),
];

/// Packs a program, with what belongs to it, into `out/<name>.tar.gz`; `date` in seconds since 1970 is that of all files.
pub(super) fn pack(program: &Path, out: &Path, name: &str, date: &str) -> Result<PathBuf> {
    setup::ensure(&["tar"])?;
    let stage = out.join(".stage");
    let folder = stage.join(name);
    let _ = std::fs::remove_dir_all(&stage);
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    place(program, &folder.join("assay"), 0o755)?;
    for (from, to) in BESIDE {
        place(&sh::root().join(from), &folder.join(to), 0o644)?;
    }
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755))?;
    let plain = out.join(format!("{name}.tar"));
    let (file, from, date) =
        (plain.display().to_string(), stage.display().to_string(), format!("--mtime=@{date}"));
    let args = ["--create", "--file", &file, "--directory", &from, "--format=ustar", "--sort=name", &date];
    let mut tar = sh::command("tar", &args);
    sh::must(tar.args(["--owner=0", "--group=0", "--numeric-owner", name]), PACK_LIMIT, false)?;
    std::fs::remove_dir_all(&stage).with_context(|| stage.display().to_string())?;
    sh::must(&mut sh::command("gzip", &["--no-name", "--best", "--force", &file]), PACK_LIMIT, false)?;
    Ok(plain.with_extension("tar.gz"))
}

/// Writes `out/SHA256SUMS` over all files of the folder, for `sha256sum --check`.
pub(super) fn sums(out: &Path) -> Result<()> {
    let list = out.join("SHA256SUMS");
    let _ = std::fs::remove_file(&list);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(out).with_context(|| out.display().to_string())? {
        names.push(entry.with_context(|| out.display().to_string())?.file_name());
    }
    names.sort();
    let text = sh::must(sh::command("sha256sum", &[]).args(&names).current_dir(out), PACK_LIMIT, false)?;
    std::fs::write(&list, text).with_context(|| list.display().to_string())
}

fn place(from: &Path, to: &Path, mode: u32) -> Result<()> {
    std::fs::copy(from, to).with_context(|| from.display().to_string())?;
    std::fs::set_permissions(to, std::fs::Permissions::from_mode(mode))
        .with_context(|| to.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes when the test ends, however it ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("assay-tarball-{}-{name}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn two_folders_give_the_same_bytes() {
        let folders = ["one", "another"].map(Folder::new);
        let packed = folders.each_ref().map(|Folder(folder)| {
            let program = folder.join("program");
            std::fs::write(&program, "not really").unwrap();
            let out = folder.join("out");
            std::fs::create_dir(&out).unwrap();
            let made = pack(&program, &out, "assay-0-test", "1700000000").unwrap();
            sums(&out).unwrap();
            let list = std::fs::read_to_string(out.join("SHA256SUMS")).unwrap();
            assert!(list.ends_with("  assay-0-test.tar.gz\n") && list.lines().count() == 1, "{list}");
            let file = made.display().to_string();
            let listed = sh::must(&mut sh::command("tar", &["-tvzf", &file]), PACK_LIMIT, false).unwrap();
            (std::fs::read(made).unwrap(), listed)
        });
        let [(one, listed), (another, _)] = packed;
        assert_eq!(one, another);
        let program = listed.lines().find(|line| line.ends_with("assay-0-test/assay")).unwrap();
        assert!(program.starts_with("-rwxr-xr-x 0/0"), "{program}");
        assert_eq!(listed.lines().count(), BESIDE.len() + 2, "{listed}");
    }
}
