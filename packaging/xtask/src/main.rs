//! `cargo xtask`: everything a person does with the project besides writing it. Drives cargo, files and the built
//! binaries; links none of the product's crates.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod adopt;
mod bench;
mod demo;
mod dist;
mod docs;
mod foreign;
mod lab;
mod pair;
mod policy;
mod qpkg;
mod setup;
mod sh;
mod test;

/// Work on Assay.
#[derive(Parser)]
#[command(name = "cargo xtask", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Show the main job on this machine: read, diagnose, redact, seal, upload, verify, show in a browser
    Demo(demo::Args),
    /// Run every check and test, each step with its time and its budget
    Test(test::Args),
    /// Measure, side by side in one run; prints a table of ratios
    Bench(bench::Args),
    /// Boot the virtual NAS with faults in its hardware and compare what is found with what was put in
    Lab(lab::Args),
    /// Build the static programs that ship, and refuse what would not start on a NAS or is too large
    Dist(dist::Args),
    /// Write the generated parts of the documents, or check that they are fresh
    Docs(docs::Args),
    /// Make a test device of a bundle from the field, or of a recording
    Adopt(adopt::Args),
    /// Write a package for QTS, or take one apart
    Qpkg(qpkg::Args),
    /// Check licences, bans, sources and duplicate versions by the lists in deny.toml
    Policy,
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Demo(args) => demo::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Lab(args) => lab::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::Docs(args) => docs::run(&args),
        Task::Adopt(args) => adopt::run(&args),
        Task::Qpkg(args) => qpkg::run(&args),
        Task::Policy => policy::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            sh::say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
