//! `cargo xtask dist`: the static programs that ship, one for each kind of processor in a NAS, and the gate that they
//! pass. What does not start on a NAS, or is larger than promised, fails here and not at the owner's.

mod elf;
mod tarball;
mod toolchain;
mod trial;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::elf::Wanted;
use self::toolchain::Toolchain;
use self::trial::Emulator;
use crate::sh;

/// The most that a program of the agent may have: a promise.
pub(crate) const MOST_PROGRAM_BYTES: u64 = 5_000_000;

/// The target of most machines that build, and of most NAS that are sold.
const X86_64_MUSL: &str = "x86_64-unknown-linux-musl";

/// One build takes 6 minutes on two processors that do nothing else.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

/// A kind of processor.
struct Target {
    triple: &'static str,
    machine: u16,
    /// The largest page of its kernels: 32 KB with Annapurna's, 64 KB on some servers.
    page_bytes: u64,
    /// Its machines have a quarter of the memory and of the storage of the others: size goes before speed.
    small: bool,
    /// What only this one is compiled with.
    flags: &'static [&'static str],
    /// What runs its program on a machine with another processor.
    emulator: Option<Emulator>,
}

impl Target {
    /// The name of its program.
    fn program(&self) -> String {
        format!("assay-{}", self.triple)
    }
}

const TARGETS: &[Target] = &[
    Target {
        triple: X86_64_MUSL,
        machine: elf::X86_64,
        page_bytes: 0x1000,
        small: false,
        flags: &[],
        emulator: None,
    },
    Target {
        triple: "aarch64-unknown-linux-musl",
        machine: elf::AARCH64,
        page_bytes: 0x1_0000,
        small: false,
        flags: &["-Clink-arg=-Wl,-z,max-page-size=65536"],
        emulator: Some(Emulator { program: "qemu-aarch64-static", page_bytes: &[0x1000, 0x1_0000] }),
    },
    // Without a floating-point unit in its calls: one program for the processors with and without.
    Target {
        triple: "armv7-unknown-linux-musleabi",
        machine: elf::ARM,
        page_bytes: 0x1_0000,
        small: true,
        // Thumb-2, which every ARMv7 processor has: the same instructions in three quarters of the bytes.
        flags: &["-Clink-arg=-Wl,-z,max-page-size=65536", "-Ctarget-feature=+thumb-mode"],
        emulator: Some(Emulator { program: "qemu-arm-static", page_bytes: &[0x1000, 0x8000] }),
    },
];

/// What all are compiled with.
const FLAGS: &[&str] = &[
    // zig brings musl's start files.
    "-Clink-self-contained=no",
    // Loaded where it was linked: nothing to correct at the start, and no table of what to correct.
    "-Crelocation-model=static",
    // A panic ends the program: nothing unwinds its stack, so no tables of how to, which were an eighth of it.
    "-Cforce-unwind-tables=no",
    // A panic names its file and what was wrong; lines and columns would be 24 bytes for each of thousands of places.
    "-Zlocation-detail=file",
];

/// What only the program itself is compiled with, which is where all code comes together.
const LAST_FLAGS: &[&str] = &["-Cstrip=symbols"];

/// And this for the small machines: instructions that stand in several places become one function that these places call.
const LAST_FLAGS_SMALL: &[&str] = &["-Cllvm-args=-enable-machine-outliner=always"];

/// What C is compiled with: for speed (a recovery copy waits for zstd), without tables for unwinding; of zstd's ways to
/// compress, those of the levels above ours are left out.
const C_FLAGS: &str = "-O2 -fno-asynchronous-unwind-tables -fno-unwind-tables \
    -DZSTD_EXCLUDE_GREEDY_BLOCK_COMPRESSOR -DZSTD_EXCLUDE_LAZY_BLOCK_COMPRESSOR \
    -DZSTD_EXCLUDE_LAZY2_BLOCK_COMPRESSOR -DZSTD_EXCLUDE_BTLAZY2_BLOCK_COMPRESSOR \
    -DZSTD_EXCLUDE_BTOPT_BLOCK_COMPRESSOR -DZSTD_EXCLUDE_BTULTRA_BLOCK_COMPRESSOR";

/// The standard library is built with the program, without the reader of debug information, which a stripped program has
/// none of.
const LIBRARY: &str = "-Zbuild-std=std,panic_abort";

/// Its crates that text goes through, for speed: the workspace's own profile cannot name them.
const LIBRARY_QUICK: &[&str] =
    &["profile.release.package.core.opt-level=\"s\"", "profile.release.package.alloc.opt-level=\"s\""];

/// The library's features: with this one its searching and formatting are small and several times slower.
const LIBRARY_FEATURES: &str = "-Zbuild-std-features=";
const LIBRARY_SMALL: &str = "optimize_for_size";

/// The crates that the workspace's release profile builds for speed at the price of size, and what a small machine's
/// program has them with.
const QUICK_CRATES: &[&str] =
    &["aho-corasick", "assay-bundle", "chacha20", "memchr", "poly1305", "regex-automata"];
const QUICK_CRATES_SMALL: &str = "opt-level=\"z\"";

/// What to build.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this target; may be repeated
    #[arg(long, value_name = "TRIPLE", value_parser = clap::builder::PossibleValuesParser::new(TARGETS.iter().map(|t| t.triple)))]
    target: Vec<String>,
    /// Build nothing: judge what an earlier run left in target/dist
    #[arg(long)]
    built: bool,
}

/// Builds, judges, packs what runs, and shows the sizes. One that is too large is packed and fails the run all the same.
pub(crate) fn run(args: &Args) -> Result<()> {
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|t| args.target.is_empty() || args.target.iter().any(|name| name == t.triple))
        .collect();
    if !args.built {
        let toolchain = Toolchain::ready()?;
        sh::say(&format!("compiler: {}", toolchain.version));
        for target in &chosen {
            build(&toolchain, target)?;
        }
    }
    let mut table = Vec::new();
    let mut wrong = Vec::new();
    for target in chosen {
        let program = out().join(target.program());
        let file = std::fs::read(&program).with_context(|| program.display().to_string())?;
        let wanted =
            Wanted { machine: target.machine, page_bytes: target.page_bytes, most_bytes: MOST_PROGRAM_BYTES };
        let faults = elf::faults(&file, &wanted).with_context(|| program.display().to_string())?;
        let align = elf::read(&file)?.loads.iter().map(|load| load.align).min().unwrap_or_default();
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let ran = match trial::run(target, &program, shipped().as_deref()) {
            Ok(ran) => {
                let release = format!("assay-{}-{}", env!("CARGO_PKG_VERSION"), target.triple);
                tarball::pack(&program, &out(), &release, &date().unwrap_or_else(|| "0".to_owned()))?;
                ran
            }
            Err(error) => {
                wrong.push(format!("{error:#}"));
                "does not run".to_owned()
            }
        };
        let verdict = if faults.is_empty() { "ships" } else { "REFUSED" };
        table.push(format!(
            "{name:<40} {:>10} {:>10} {align:>8}  {verdict}, {ran}",
            file.len(),
            MOST_PROGRAM_BYTES
        ));
        wrong.extend(faults.into_iter().map(|fault| format!("{name} {fault}")));
    }
    tarball::sums(&out())?;
    sh::say(&format!("\n{:<40} {:>10} {:>10} {:>8}", "target/dist", "bytes", "limit", "aligned"));
    table.iter().for_each(|row| sh::say(row));
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("\n")) }
}

/// The program that ships for this machine's processor, where it has been built.
pub(crate) fn shipped() -> Option<PathBuf> {
    let target = TARGETS.iter().find(|target| target.triple.starts_with(std::env::consts::ARCH))?;
    Some(out().join(target.program())).filter(|program| program.is_file())
}

/// Where what ships is put.
fn out() -> PathBuf {
    sh::root().join("target/dist")
}

/// Builds one program and puts it into `target/dist`.
fn build(toolchain: &Toolchain, target: &Target) -> Result<()> {
    sh::say(&format!("building assay for {}", target.triple));
    let folder = sh::root().join("target/cross");
    let folder_name = folder.to_string_lossy();
    let mut args = vec!["--release", "--locked", "--package", "assay-agent", "--target", target.triple];
    args.extend(["--target-dir", &folder_name]);
    let library = format!("{LIBRARY_FEATURES}{}", if target.small { LIBRARY_SMALL } else { "" });
    args.extend([LIBRARY, library.as_str()]);
    let small: Vec<String> = QUICK_CRATES
        .iter()
        .filter(|_| target.small)
        .map(|name| format!("profile.release.package.{name}.{QUICK_CRATES_SMALL}"))
        .collect();
    let quick = LIBRARY_QUICK.iter().filter(|_| !target.small).copied();
    args.extend(small.iter().map(String::as_str).chain(quick).flat_map(|setting| ["--config", setting]));
    // No path of this machine in the program: two folders make the same bytes.
    args.extend(["-Ztrim-paths", "--config", "profile.release.trim-paths=\"object\""]);
    // Stripped once, at the end, and not in every crate on the way.
    args.extend(["--bin", "assay", "--config", "profile.release.strip=false", "--"]);
    args.extend(LAST_FLAGS);
    args.extend(LAST_FLAGS_SMALL.iter().filter(|_| target.small));
    let flags: Vec<&str> = FLAGS.iter().chain(target.flags).copied().collect();
    let mut command = toolchain.zig_rustc(&args);
    command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    command.env(format!("CFLAGS_{}", target.triple.replace('-', "_")), C_FLAGS);
    if let Some(date) = date() {
        command.env("SOURCE_DATE_EPOCH", date);
    }
    sh::must(&mut command, BUILD_LIMIT, true)?;
    let built = folder.join(target.triple).join("release/assay");
    std::fs::create_dir_all(out()).context("target/dist")?;
    let program = out().join(target.program());
    std::fs::copy(&built, &program).with_context(|| built.display().to_string())?;
    Ok(())
}

/// The build's date: that of the environment, else of the commit, so that a rebuild makes the same bytes.
fn date() -> Option<String> {
    if let Ok(date) = std::env::var("SOURCE_DATE_EPOCH") {
        return Some(date);
    }
    let log =
        sh::must(&mut sh::command("git", &["log", "-1", "--format=%ct"]), Duration::from_secs(30), false);
    log.ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}
