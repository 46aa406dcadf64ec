//! Debian's packages for the guest, unpacked below `target/lab` and never installed: the kernel of the guest is not the
//! host's, and installing a kernel or mdadm changes how the host starts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::sh;

/// The package that depends on the newest kernel: Debian's name, then Ubuntu's.
const KERNELS: [&str; 2] = ["linux-image-amd64", "linux-image-generic"];

/// Tools of the guest besides the kernel.
const TOOLS: [&str; 5] = ["busybox-static", "mdadm", "smartmontools", "dmsetup", "e2fsprogs"];

/// Longest that a download or an unpacking may take.
const LIMIT: Duration = Duration::from_secs(240);

/// The folder with the unpacked packages; fetched when it is not there.
pub(crate) fn ensure() -> Result<PathBuf> {
    let lab = sh::root().join("target/lab");
    let tree = lab.join("packages");
    // Of another list of tools, it is not complete.
    if std::fs::read_to_string(tree.join("complete")).is_ok_and(|tools| tools == TOOLS.join(" ")) {
        return Ok(tree);
    }
    let new = lab.join("packages.new");
    if new.exists() {
        std::fs::remove_dir_all(&new).context("target/lab/packages.new")?;
    }
    std::fs::create_dir_all(&new).context("target/lab/packages.new")?;
    let mut names = kernel_packages()?;
    names.extend(TOOLS.map(str::to_owned));
    sh::say(&format!("fetching for the virtual NAS: {}", names.join(" ")));
    let mut fetch = sh::command("apt-get", &["download"]);
    fetch.args(&names).current_dir(&new);
    // apt gives its privileges up for the download; the folder belongs to whoever runs this.
    fetch.args(["--option", "APT::Sandbox::User=root"]);
    sh::must(&mut fetch, LIMIT, false).context("run `apt-get update`, then try again")?;
    for entry in std::fs::read_dir(&new).context("target/lab/packages.new")? {
        let path = entry.context("target/lab/packages.new")?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            let mut unpack = sh::command("dpkg-deb", &["--extract"]);
            sh::must(unpack.arg(&path).arg(&new), LIMIT, false)?;
            std::fs::remove_file(&path).with_context(|| format!("{}", path.display()))?;
        }
    }
    let version = kernel_version(&new)?;
    sh::must(sh::command("depmod", &["--basedir"]).arg(&new).arg(&version), LIMIT, false)?;
    std::fs::write(new.join("complete"), TOOLS.join(" ")).context("target/lab/packages.new/complete")?;
    if tree.exists() {
        std::fs::remove_dir_all(&tree).context("target/lab/packages")?;
    }
    std::fs::rename(&new, &tree).context("target/lab/packages")?;
    Ok(tree)
}

/// The kernel's own packages: what the first name that is known here depends on.
fn kernel_packages() -> Result<Vec<String>> {
    for meta in KERNELS {
        let said = sh::run(&mut sh::command("apt-cache", &["depends", meta]), LIMIT, false)?;
        let wanted: Vec<String> = said
            .stdout
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Depends: "))
            .filter(|name| name.starts_with("linux-image-") || name.starts_with("linux-modules-"))
            .map(str::to_owned)
            .collect();
        if let Some(image) = wanted.first() {
            // Ubuntu keeps the modules apart, and those of servers apart again.
            let version = image.trim_start_matches("linux-image-").trim_start_matches("unsigned-");
            let mut all = vec![image.clone()];
            if meta.ends_with("generic") {
                all.push(format!("linux-modules-{version}"));
                all.push(format!("linux-modules-extra-{version}"));
            }
            return Ok(all);
        }
    }
    bail!("no kernel package is known here ({}): run `apt-get update`, then try again", KERNELS.join(", "))
}

/// The version of the unpacked kernel.
pub(crate) fn kernel_version(tree: &Path) -> Result<String> {
    for folder in ["lib/modules", "usr/lib/modules"] {
        if let Ok(mut entries) = std::fs::read_dir(tree.join(folder))
            && let Some(Ok(entry)) = entries.next()
        {
            return Ok(entry.file_name().to_string_lossy().into_owned());
        }
    }
    bail!("the kernel package holds no modules")
}
