//! What every guest starts with: the kernel, BusyBox, the tools, their libraries, the modules and the agent, as one
//! archive that is made once and used by all scenarios. A scenario adds its own small archive behind it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::cpio::Archive;
use super::{packages, scenario};
use crate::{setup, sh};

/// Modules that every guest loads, in this order.
pub(crate) const MODULES: &[&str] = &[
    "crc32c_generic",
    "virtio_pci",
    "9pnet_virtio",
    "9p",
    "ahci",
    "sd_mod",
    "sg",
    "nvme",
    "xhci_pci",
    "usb_storage",
    "raid1",
    "raid456",
    "ext4",
    "dm_mod",
];

/// Tools of the guest, where Debian puts them.
const TOOLS: &[&str] = &["/sbin/mdadm", "/usr/sbin/smartctl", "/sbin/dmsetup", "/sbin/mke2fs"];

/// Longest that building or stripping may take.
const LIMIT: Duration = Duration::from_secs(900);

/// What is the same for all scenarios.
pub(crate) struct Image {
    /// The kernel.
    pub(crate) kernel: PathBuf,
    /// The archive of the root file system.
    pub(crate) root: PathBuf,
}

impl Image {
    /// Fetches, builds and packs what is missing.
    pub(crate) fn prepare(binary: Option<PathBuf>) -> Result<Self> {
        setup::ensure(setup::FOR_LAB)?;
        let tree = packages::ensure()?;
        let binary = match binary {
            Some(binary) => binary,
            None => {
                let mut build = sh::cargo(&["build", "--locked", "--workspace", "--bin", "assay"]);
                sh::must(&mut build, LIMIT, true)?;
                sh::root().join("target/debug/assay")
            }
        };
        let version = packages::kernel_version(&tree)?;
        let root = sh::root().join("target/lab/root.cpio");
        let bytes = pack(&tree, &version, &binary)?;
        std::fs::write(&root, bytes).context("target/lab/root.cpio")?;
        Ok(Self { kernel: tree.join("boot").join(format!("vmlinuz-{version}")), root })
    }
}

fn pack(tree: &Path, version: &str, binary: &Path) -> Result<Vec<u8>> {
    let mut files: BTreeMap<String, (PathBuf, bool)> = BTreeMap::new();
    let stripped = sh::root().join("target/lab/assay");
    sh::must(sh::command("strip", &["-o"]).arg(&stripped).arg(binary), LIMIT, false)?;
    files.insert("usr/bin/assay".to_owned(), (stripped.clone(), true));
    files.insert("bin/busybox".to_owned(), (find(tree, "/bin/busybox")?, true));
    let mut programs = vec![stripped];
    for tool in TOOLS {
        let path = find(tree, tool)?;
        files.insert(tool.trim_start_matches('/').to_owned(), (path.clone(), true));
        programs.push(path);
    }
    for program in &programs {
        for library in libraries(program)? {
            files.insert(library.trim_start_matches('/').to_owned(), (PathBuf::from(library), true));
        }
    }
    for module in modules(tree, version)? {
        let name = format!("lib/modules/{version}/{module}");
        files.insert(name.clone(), (find(tree, &format!("/{name}"))?, false));
    }
    for index in ["modules.dep", "modules.alias", "modules.symbols", "modules.builtin", "modules.order"] {
        let name = format!("lib/modules/{version}/{index}");
        files.insert(name.clone(), (find(tree, &format!("/{name}"))?, false));
    }
    files.insert("init".to_owned(), (scenario::folder().join("init"), true));
    for script in ["lib.sh", "qts.sh"] {
        files.insert(format!("lab/{script}"), (scenario::folder().join(script), true));
    }
    let mut archive = Archive::new();
    let mut folders: BTreeSet<String> =
        ["proc", "sys", "dev", "tmp", "run", "host", "mnt", "etc", "var/log", "sbin", "usr/sbin", "share"]
            .map(str::to_owned)
            .into();
    for name in files.keys() {
        if let Some((folder, _)) = name.rsplit_once('/') {
            folders.insert(folder.to_owned());
        }
    }
    let mut made = BTreeSet::new();
    for folder in folders {
        let mut path = String::new();
        for part in folder.split('/') {
            if !path.is_empty() {
                path.push('/');
            }
            path.push_str(part);
            if made.insert(path.clone()) {
                archive.folder(&path)?;
            }
        }
    }
    for (name, (path, executable)) in files {
        let bytes = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
        archive.file(&name, &bytes, executable)?;
    }
    archive.finish()
}

/// A file of the unpacked packages: `/bin` may be `/usr/bin` there.
fn find(tree: &Path, name: &str) -> Result<PathBuf> {
    let name = name.trim_start_matches('/');
    [tree.join(name), tree.join("usr").join(name)].into_iter().find(|path| path.is_file()).with_context(
        || format!("the packages in target/lab hold no {name}: remove that folder and try again"),
    )
}

/// The libraries that a program loads, as the host has them.
fn libraries(program: &Path) -> Result<Vec<String>> {
    let said = sh::run(sh::command("ldd", &[]).arg(program), LIMIT, false)?;
    if said.stdout.contains("not found") {
        bail!("a library of {} is missing here:\n{}", program.display(), said.stdout);
    }
    Ok(said
        .stdout
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(|word| word.trim_end_matches(':').to_owned())
        .filter(|word| Path::new(word) != program)
        .collect())
}

/// All modules that some scenario loads, with what they need, as paths below the folder of the version.
fn modules(tree: &Path, version: &str) -> Result<BTreeSet<String>> {
    let index = find(tree, &format!("/lib/modules/{version}/modules.dep"))?;
    let text = std::fs::read_to_string(&index).context("modules.dep")?;
    let stem = |path: &str| -> String {
        let file = path.rsplit('/').next().unwrap_or(path);
        file.split('.').next().unwrap_or(file).replace('-', "_")
    };
    let mut wanted: BTreeSet<String> = MODULES.iter().map(|name| (*name).to_owned()).collect();
    for scenario in scenario::all()? {
        wanted.extend(
            scenario
                .about
                .modules
                .iter()
                .map(|line| line.split_whitespace().next().unwrap_or_default().replace('-', "_")),
        );
    }
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let Some((module, needs)) = line.split_once(':') else { continue };
        if wanted.remove(&stem(module)) {
            found.insert(module.to_owned());
            found.extend(needs.split_whitespace().map(str::to_owned));
        }
    }
    // What is left is built into the kernel, or there is no such module: the guest's modprobe says which.
    Ok(found)
}
