//! The agent: wires collector, diagnosis, warranty, bundle and uploader into one program on the NAS.
//!
//! It parses no hardware and decides nothing about it. Start with [`commands`] (the list of what it does), then
//! [`pipeline`] (the one sentence that every run is). Data goes to standard output, talk to standard error.

use std::process::ExitCode;

mod audit;
mod backup;
mod browse;
mod bundle_file;
mod chassis;
mod cli;
mod clock;
mod commands;
mod config;
mod context;
mod daemon;
mod identity;
mod leave;
mod log;
mod memory;
mod output;
mod paths;
mod pause;
mod pipeline;
mod portal;
mod portal_keys;
mod qr;
mod record;
mod recovery_key;
mod report;
mod rescue;
mod reseal;
mod revoked;
mod rotation;
mod runtime;
mod seal;
mod selftest;
mod sequence;
mod slip;
mod source;
mod stand_ins;
mod stick;
mod support;
mod terminal;
mod trouble;
mod update;

/// Runs the program with the arguments of this process and says how it ended; see `assay --help` for the codes.
pub fn run() -> ExitCode {
    // A reader child is started for each command that a run asks: it knows what it is without the whole command line.
    if std::env::args_os().nth(1).is_some_and(|word| word == commands::READER) {
        assay_collector::live::reader_main();
    }
    // And the daemon settles down without it.
    if std::env::args_os().nth(1).is_some_and(|word| word == daemon::DAEMON) {
        return daemon::main();
    }
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(code) => return ExitCode::from(code),
    };
    let context = context::Context::new(cli.globals);
    log::start(&context);
    match cli.command.run(&context) {
        Ok(code) => ExitCode::from(code),
        Err(error) => ExitCode::from(trouble::report(&error)),
    }
}
