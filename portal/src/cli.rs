//! The command line: what can be asked, and with what exit code it ends: 0 done, 3 failed, 64 not understood.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::commands::bundle::BundleCommand;
use crate::commands::device::DeviceCommand;
use crate::commands::key::KeyCommand;
use crate::commands::ledger::LedgerCommand;
use crate::commands::request::RequestCommand;
use crate::commands::session::SessionCommand;
use crate::commands::tenant::TenantCommand;
use crate::commands::update_notice::NoticeCommand;
use crate::config::{ConfigError, Layer, Secret, Settings};
use crate::roles::Role;
use crate::store::tenants;
use crate::{commands, worker};

/// The operation failed.
const FAILED: u8 = 3;
/// The command line was not understood (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;

/// The portal of Assay: devices enrol and upload signed bundles, engineers see what is defective and on what evidence.
#[derive(Debug, Parser)]
#[command(name = "assay-portal", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Common {
    /// Configuration file (TOML; the words are those of the options, with underscores).
    /// Options win over ASSAY_PORTAL_* in the environment, and those over the file.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of keys, database and bundles [default: /var/lib/assay-portal].
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Tenant that the command is about; see assay-portal tenant list.
    #[arg(long, global = true, value_name = "TENANT", default_value = tenants::DEFAULT)]
    tenant: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve. Makes keys and database on the first start; prints `listening on ...` when ready.
    Serve(Serve),
    /// People who may look.
    #[command(subcommand)]
    User(User),
    /// Make a one-time code with which one device can enrol, and show the card to compare.
    EnrollCode {
        /// Only the unit with this serial number may use it.
        #[arg(long, value_name = "SERIAL")]
        serial: Option<String>,
        /// Minutes until it expires.
        #[arg(long, value_name = "N", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1440))]
        minutes: u32,
        /// Your name here: it is kept with the device that enrols with this code.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Bundles that were brought by hand.
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// Ask a device for a bundle, self-tests or a session; see what became of it.
    #[command(subcommand)]
    Request(RequestCommand),
    /// Remote sessions for requests that are ready.
    #[command(subcommand)]
    Session(SessionCommand),
    /// Devices: their keys, what is in doubt about them, units that are replaced.
    #[command(subcommand)]
    Device(DeviceCommand),
    /// The portal's own keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// The serial ledger: what was sold, what covers it, where it is.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Who shares this portal without seeing one another.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// The latest version of Assay that devices are told of.
    #[command(subcommand)]
    UpdateNotice(NoticeCommand),
    /// Write all that is kept of a device into a new folder.
    Export {
        /// The device: its name here, its key's fingerprint or its serial number.
        device: String,
        /// Folder to make.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Destroy all that is kept of a device and print the signed receipt. Stop the portal first.
    Delete {
        /// The device: its name here, its key's fingerprint or its serial number.
        device: String,
        /// Really.
        #[arg(long)]
        yes: bool,
    },
    /// Verdict slips of devices that reach nobody.
    #[command(subcommand)]
    Slip(SlipCommand),
    /// Bring the database to this version and end; or copy all of it into another, empty one. Stop the portal first.
    /// Exit codes: 0 copied and compared, 3 nothing was copied, 64 not understood.
    Migrate {
        /// Database to copy: sqlite:FILE or postgres://USER@HOST/NAME (a password comes from PGPASSWORD or ~/.pgpass).
        #[arg(long, value_name = "DATABASE", requires = "to")]
        from: Option<Secret>,
        /// Empty database to copy into.
        #[arg(long, value_name = "DATABASE", requires = "from")]
        to: Option<Secret>,
    },
    /// Show the portal's card: what a person compares at enrolment.
    Card,
    /// Read one job from stdin, answer on stdout: started by `serve`, once for each bundle.
    #[command(hide = true)]
    IngestWorker,
}

#[derive(Debug, Args)]
struct Serve {
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:8443].
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Base address by which devices and people reach us [default: from --listen].
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Name shown on devices and pages [default: Assay portal].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Make a certificate of our own; devices trust it through ca.pem of the data folder.
    #[arg(long)]
    self_signed: bool,
    /// Certificate chain (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Program that reads bundles instead of our own.
    #[arg(long, value_name = "FILE", hide = true)]
    ingest_worker: Option<PathBuf>,
    /// Seconds after which reading one bundle is given up [default: 120].
    #[arg(long, value_name = "N", hide_short_help = true)]
    worker_deadline_s: Option<u64>,
    /// Log lines as JSON.
    #[arg(long)]
    log_json: bool,
}

#[derive(Debug, Subcommand)]
enum SlipCommand {
    /// Show what a slip says, and whether an enrolled key signed it. For triage only.
    Check {
        /// File with the slip; `-` reads it from stdin.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum User {
    /// Add a person, or give one a new password. Without --password-stdin a password is made and shown once.
    Add {
        /// Name to log in with.
        name: String,
        /// What the person may do; may be given several times. A new person without one is an engineer; somebody who
        /// was there before keeps the roles.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<Role>,
        /// Read the password from the first line of stdin.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Give a person these roles and no others. Open sessions of the person end.
    Role {
        /// Name.
        name: String,
        /// What the person may do; may be given several times.
        #[arg(long = "role", value_name = "ROLE", required = true)]
        roles: Vec<Role>,
    },
    /// List the people with their roles.
    List,
    /// Keep a person from logging in, and end open sessions. The name stays taken, because records name it.
    Disable {
        /// Name.
        name: String,
    },
    /// Let a person log in again.
    Enable {
        /// Name.
        name: String,
    },
}

/// Runs the program.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not failures. A closed stdout leaves nobody to tell.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    if matches!(cli.command, Command::IngestWorker) {
        return worker::main();
    }
    let settings = match settings(&cli) {
        Ok(settings) => settings,
        Err(error) => {
            say(&anyhow::Error::from(error));
            return ExitCode::from(USAGE);
        }
    };
    match dispatch(cli.command, settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error);
            ExitCode::from(FAILED)
        }
    }
}

fn settings(cli: &Cli) -> Result<Settings, ConfigError> {
    let mut flags = Layer { data_dir: cli.common.data_dir.clone(), ..Layer::default() };
    if let Command::Serve(serve) = &cli.command {
        flags = Layer {
            listen: serve.listen,
            public_url: serve.public_url.clone(),
            name: serve.name.clone(),
            self_signed: serve.self_signed.then_some(true),
            tls_cert: serve.tls_cert.clone(),
            tls_key: serve.tls_key.clone(),
            ingest_worker: serve.ingest_worker.clone(),
            worker_deadline_s: serve.worker_deadline_s,
            log_json: serve.log_json.then_some(true),
            ..flags
        };
    }
    let environment = Layer::from_environment(|name| std::env::var_os(name))?;
    let file =
        cli.common.config.clone().or_else(|| std::env::var_os("ASSAY_PORTAL_CONFIG").map(PathBuf::from));
    let file = file.map(|path| Layer::from_file(&path)).transpose()?.unwrap_or_default();
    let settings = flags.over(environment.over(file)).settings()?;
    Ok(Settings { tenant: cli.common.tenant.clone(), ..settings })
}

fn dispatch(command: Command, settings: Settings) -> anyhow::Result<()> {
    let runtime = match command {
        Command::Serve(_) => tokio::runtime::Builder::new_multi_thread().enable_all().build()?,
        _ => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
    };
    runtime.block_on(async {
        match command {
            Command::Serve(_) => commands::serve::run(settings).await,
            Command::User(User::Add { name, roles, password_stdin }) => {
                commands::user::add(&settings, &name, &roles, password_stdin).await
            }
            Command::User(User::Role { name, roles }) => commands::user::role(&settings, &name, &roles).await,
            Command::User(User::List) => commands::user::list(&settings).await,
            Command::User(User::Disable { name }) => commands::user::disable(&settings, &name, true).await,
            Command::User(User::Enable { name }) => commands::user::disable(&settings, &name, false).await,
            Command::EnrollCode { serial, minutes, by } => {
                commands::enroll_code::run(&settings, serial.as_deref(), minutes, by.as_deref()).await
            }
            Command::Bundle(command) => commands::bundle::run(&settings, command).await,
            Command::Request(command) => commands::request::run(&settings, command).await,
            Command::Session(command) => commands::session::run(&settings, command).await,
            Command::Device(command) => commands::device::run(&settings, command).await,
            Command::Key(command) => commands::key::run(&settings, &command),
            Command::Ledger(command) => commands::ledger::run(&settings, command).await,
            Command::Tenant(command) => commands::tenant::run(&settings, command).await,
            Command::UpdateNotice(command) => commands::update_notice::run(&settings, command).await,
            Command::Export { device, out } => commands::erasure::export(&settings, &device, &out).await,
            Command::Delete { device, yes } => commands::erasure::delete(&settings, &device, yes).await,
            Command::Slip(SlipCommand::Check { file }) => commands::slip::check(&settings, &file).await,
            Command::Migrate { from: Some(from), to: Some(to) } => {
                commands::migrate::copy(&settings, &from, &to).await
            }
            Command::Migrate { .. } => commands::migrate::run(&settings).await,
            Command::Card => commands::card::run(&settings),
            Command::IngestWorker => Ok(()),
        }
    })
}

/// An error for a person: its chain in one line on stderr.
#[expect(clippy::print_stderr, reason = "the edge of the program: this is where a person is told")]
fn say(error: &anyhow::Error) {
    eprintln!("assay-portal: {error:#}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
