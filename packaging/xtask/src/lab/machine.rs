//! The emulated machine: QEMU's arguments of a scenario, its drives' images, and one run with all its boots.
//!
//! A power cut is QEMU killed: what the guest had handed to its drives stays, what it held in memory is gone.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::cpio::Archive;
use super::image::{Image, MODULES};
use super::scenario::{Boot, Bus, Drive, Scenario};
use super::{control, scenario};
use crate::sh;

/// Kernel's command line of every guest. Pages of the kernel's log are kept from its first line.
const KERNEL: &str = "console=ttyS0 quiet panic=1 log_buf_len=1M rdinit=/init";

/// Runs a scenario; the folder that comes back holds what the guest left in `/host`.
pub(crate) fn run(scenario: &Scenario, image: &Image, limit: Duration) -> Result<PathBuf> {
    let work = sh::root().join("target/lab/run").join(&scenario.name);
    if work.exists() {
        std::fs::remove_dir_all(&work).with_context(|| format!("{}", work.display()))?;
    }
    let shared = work.join("host");
    std::fs::create_dir_all(&shared).with_context(|| format!("{}", shared.display()))?;
    for drive in &scenario.about.drive {
        let file =
            std::fs::File::create(work.join(format!("{}.img", drive.name))).context("a drive's image")?;
        file.set_len(drive.size_mib << 20).context("a drive's image")?;
    }
    let end = Instant::now() + limit;
    for (number, boot) in scenario.about.boot.iter().enumerate() {
        let overlay = work.join("overlay.cpio");
        std::fs::write(&overlay, own_archive(scenario, number + 1)?).context("the scenario's archive")?;
        let both = work.join("initrd");
        let mut bytes = std::fs::read(&image.root).context("target/lab/root.cpio")?;
        bytes.extend(std::fs::read(&overlay).context("the scenario's archive")?);
        std::fs::write(&both, bytes).context("the scenario's archive")?;
        one_boot(scenario, boot, number + 1, image, &work, end)
            .with_context(|| format!("switched on for the {}. time", number + 1))?;
    }
    Ok(shared)
}

/// Sockets have short names only, so they stand in the folder for temporary files.
struct Sockets(PathBuf);

impl Sockets {
    fn make(name: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("assay-lab-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// QEMU, killed when dropped.
struct Machine(Child);

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn one_boot(
    scenario: &Scenario,
    boot: &Boot,
    number: usize,
    image: &Image,
    work: &Path,
    end: Instant,
) -> Result<()> {
    let sockets = Sockets::make(&format!("{}-{number}", scenario.name))?;
    let log = work.join(format!("console.{number}"));
    let mut command = Command::new("qemu-system-x86_64");
    command
        .args([
            "-machine",
            "q35",
            "-accel",
            "tcg",
            "-cpu",
            "max",
            "-display",
            "none",
            "-no-reboot",
            "-nic",
            "none",
        ])
        // Pulled cards are told by the port itself, as on a NAS, and not by the firmware of a virtual board.
        .args(["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"])
        .args(["-m", &scenario.about.memory_mib.to_string()])
        .arg("-kernel")
        .arg(&image.kernel)
        .arg("-initrd")
        .arg(work.join("initrd"))
        .args(["-append", &format!("{KERNEL} {}", scenario.about.kernel)])
        .args(["-serial", &format!("file:{}", log.display())])
        .args(["-chardev", &format!("socket,id=port,path={}/port,server=on,wait=off", sockets.0.display())])
        .args(["-serial", "chardev:port"])
        .args(["-qmp", &format!("unix:{}/qmp,server=on,wait=off", sockets.0.display())])
        .args(["-virtfs", &format!("local,path={}/host,mount_tag=host,security_model=none", work.display())]);
    if let Some(clock) = &scenario.about.clock {
        command.args(["-rtc", &format!("base={clock}")]);
    }
    command.args(drives(scenario, boot, work));
    command.args(&scenario.about.qemu);
    let errors = std::fs::File::create(work.join(format!("qemu.{number}"))).context("QEMU's own messages")?;
    let child = command
        .current_dir(work)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .process_group(0)
        .spawn()
        .context("cannot start qemu-system-x86_64")?;
    let mut machine = Machine(child);
    let cut = Arc::new(AtomicBool::new(false));
    let (folder, asked) = (sockets.0.clone(), Arc::clone(&cut));
    let helper = std::thread::spawn(move || control::serve(&folder, end, &asked));
    let ended = loop {
        if cut.load(Ordering::SeqCst) {
            break None;
        }
        if let Some(status) = machine.0.try_wait().context("QEMU")? {
            break Some(status);
        }
        if Instant::now() >= end {
            bail!("the time is over; the last lines of its console:\n{}", last_lines(&log));
        }
        std::thread::park_timeout(Duration::from_millis(50));
    };
    drop(machine);
    let helped = helper.join();
    if let Some(status) = ended
        && !status.success()
    {
        let said = std::fs::read_to_string(work.join(format!("qemu.{number}"))).unwrap_or_default();
        bail!("QEMU ended with {status}: {}", said.trim());
    }
    if ended.is_some() && !work.join(format!("host/end.{number}")).is_file() {
        bail!("the guest did not come to its end; the last lines of its console:\n{}", last_lines(&log));
    }
    if let Ok(Err(error)) = helped
        && ended.is_none()
    {
        return Err(error);
    }
    Ok(())
}

fn last_lines(log: &Path) -> String {
    let text =
        std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// The drives that are there this time, and what they hang on.
fn drives(scenario: &Scenario, boot: &Boot, work: &Path) -> Vec<String> {
    let present: Vec<&Drive> =
        scenario.about.drive.iter().filter(|drive| !boot.without.contains(&drive.name)).collect();
    let any = |bus: Bus| present.iter().any(|drive| drive.bus == bus);
    let mut arguments: Vec<String> = Vec::new();
    let mut device = |text: String| arguments.extend(["-device".to_owned(), text]);
    if any(Bus::SataCard) {
        device("pcie-root-port,id=card-slot,chassis=1,slot=1".to_owned());
        device("ahci,id=card,bus=card-slot".to_owned());
    }
    if any(Bus::UsbDom) {
        device("qemu-xhci,id=xhci".to_owned());
    }
    for (index, drive) in present.iter().enumerate() {
        let Drive { name, serial, properties, .. } = drive;
        let port = boot.ports.get(name).copied().unwrap_or(drive.port).saturating_sub(1);
        let more = if properties.is_empty() { String::new() } else { format!(",{properties}") };
        if drive.bus == Bus::Nvme {
            let slot = index + 2;
            device(format!("pcie-root-port,id={name}-slot,chassis={slot},slot={slot}"));
        }
        device(match drive.bus {
            Bus::Sata => format!("ide-hd,id={name}-dev,drive={name},bus=ide.{port},serial={serial}{more}"),
            Bus::SataCard => {
                format!("ide-hd,id={name}-dev,drive={name},bus=card.{port},serial={serial}{more}")
            }
            Bus::UsbDom => format!("usb-storage,id={name}-dev,drive={name},bus=xhci.0,serial={serial}{more}"),
            Bus::Nvme => format!("nvme,id={name}-dev,drive={name},bus={name}-slot,serial={serial}{more}"),
        });
    }
    // Devices name their drives, and QEMU wants these first.
    let mut all = Vec::new();
    for drive in &present {
        all.extend(["-blockdev".to_owned(), block_device(drive, work)]);
    }
    all.extend(arguments);
    all
}

/// The image behind a drive, with the faults that blkdebug puts between.
fn block_device(drive: &Drive, work: &Path) -> String {
    let file = json!({ "driver": "file", "filename": work.join(format!("{}.img", drive.name)) });
    let mut faults: Vec<_> = drive
        .unreadable_sectors
        .iter()
        .map(|sector| json!({ "event": "read_aio", "errno": 5, "sector": sector, "once": false }))
        .collect();
    if drive.fails_writes {
        faults.push(json!({ "event": "write_aio", "errno": 5, "once": false }));
    }
    let under = if faults.is_empty() {
        file
    } else {
        json!({ "driver": "blkdebug", "image": file, "inject-error": faults })
    };
    json!({ "driver": "raw", "node-name": drive.name, "file": under }).to_string()
}

/// What only this scenario's guest has: its script, its answers of QTS's commands, and which boot this is.
fn own_archive(scenario: &Scenario, boot: usize) -> Result<Vec<u8>> {
    let mut archive = Archive::new();
    let file = |archive: &mut Archive, name: &str, text: &str| archive.file(name, text.as_bytes(), false);
    archive.folder("lab")?;
    file(&mut archive, "lab/boot", &format!("{boot}\n"))?;
    let mut modules: Vec<&str> = MODULES.to_vec();
    modules.extend(scenario.about.modules.iter().map(String::as_str));
    file(&mut archive, "lab/modules", &(modules.join("\n") + "\n"))?;
    let script = std::fs::read(scenario.folder.join("guest.sh")).context("guest.sh")?;
    archive.file("lab/guest.sh", &script, true)?;
    if scenario.about.qts {
        file(&mut archive, "lab/qts", "yes\n")?;
        archive.folder("lab/commands")?;
        let base = std::fs::read_to_string(scenario::folder().join("commands.toml"))
            .context("tests/lab/commands.toml")?;
        let mut answers: std::collections::BTreeMap<String, String> =
            toml::from_str(&base).context("tests/lab/commands.toml")?;
        answers.extend(scenario.about.commands.clone());
        for (line, answer) in answers {
            // A command line is a file's name there: only its slashes have to go.
            file(&mut archive, &format!("lab/commands/{}", line.replace('/', "|")), &answer)?;
        }
    }
    let root = scenario.folder.join("root");
    if root.is_dir() {
        archive.tree(&root, "")?;
    }
    archive.finish()
}
