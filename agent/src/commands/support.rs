//! `assay support …`: what an engineer asks of this NAS, what would leave, and what its owner answers.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use assay_bundle::consent::{BackupAnswer, ConfidentialAnswer};

use crate::audit::What;
use crate::cli::exit_codes;
use crate::context::Context;
use crate::runtime::block_on;
use crate::support::answer::{Ended, Whose};
use crate::support::desk::{Came, Desk};
use crate::support::questions::Given;
use crate::trouble::{self, refuse};
use crate::{output, pause};

pub(in crate::commands) mod words;

/// Support requests: see what is asked, see what would leave, approve or deny
#[derive(clap::Args)]
#[command(after_help = concat!(
    "Nothing of a request happens before you approve it. Next: `assay support list`, then `assay support show ID`.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Every request on this NAS and how far it is
    #[command(after_help = concat!("Next: `assay support show ID`.\n", exit_codes!()))]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// What a request asks for, and exactly what would leave
    #[command(after_help = concat!(
        "The bundle is shown once `assay support approve ID` has sealed it; it shows it too, before it asks.\n\
         Next: `assay support approve ID` or `assay support deny ID`.\n",
        exit_codes!()
    ))]
    Show {
        /// The request
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a recovery copy, seal the bundle, show it, ask you, and send it
    #[command(after_help = concat!(
        "Nothing leaves before you have seen the sealed bundle and answered. A call that was cut short goes on where it\n\
         stopped. Next: `assay support session start ID` when somebody is to look in.\n",
        exit_codes!(),
        " 3 when it is not ready."
    ))]
    Approve(Approve),
    /// Say no
    #[command(after_help = concat!(
        "A bundle that was sealed for it is removed. Next: `assay support list`.\n",
        exit_codes!()
    ))]
    Deny {
        /// The request
        id: String,
        /// Why, for your support engineer; at most 500 bytes
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Ask the portal for requests, and wait for one
    #[command(after_help = concat!(
        "Ends with the first request that waits for you. For an hour afterwards the daemon asks without a pause.\n\
         Next: `assay support show ID`.\n",
        exit_codes!(),
        " 2 when none came."
    ))]
    Wait {
        /// How long to wait, 0 to 3600; 0 asks once
        #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=3600))]
        seconds: u64,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Let bundles for requests leave without asking you, for some days; without a flag: what is given now
    #[command(after_help = concat!(
        "One bundle a day, never a self-test, a session or a waiver of the copy. It ends with any change of key,\n\
         recipient, portal or administrators. Next: `assay log` shows each use.\n",
        exit_codes!()
    ))]
    Standing(StandingArgs),
    /// The record of a remote session: when it began and ended, and what was different afterwards
    #[command(after_help = concat!("Next: `assay support session start ID`.\n", exit_codes!()))]
    Session {
        #[command(subcommand)]
        action: SessionAction,
    },
    /// Take a request out of a file that somebody brought
    #[command(after_help = concat!("Next: `assay support show ID`.\n", exit_codes!()))]
    Fetch {
        /// The signed request
        file: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Subcommand)]
enum SessionAction {
    /// Record that somebody looks in now
    #[command(after_help = concat!(
        "Opens no access: you do, after this, in the way that is named. Next: `assay support session stop ID`.\n",
        exit_codes!()
    ))]
    Start {
        /// The session, or its request
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Record the end, take a copy, show what differs
    #[command(after_help = concat!(
        "Remove the access that you opened; nothing here can. Next: look at what differs.\n",
        exit_codes!()
    ))]
    Stop {
        /// The session, or its request
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
struct StandingArgs {
    /// Give one for N days, at most 30
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// End it now
    #[arg(long, conflicts_with = "days")]
    end: bool,
    /// First question, are the data backed up: yes, or risk-accepted
    #[arg(long, value_name = "ANSWER", value_parser = ["yes", "risk-accepted"])]
    backed_up: Option<String>,
    /// Second question, is confidential information removed or locked: yes, or accepted when it is not
    #[arg(long, value_name = "ANSWER", value_parser = ["yes", "accepted"])]
    removed: Option<String>,
    /// Agree without being asked
    #[arg(long)]
    yes: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
struct Approve {
    /// The request
    id: String,
    /// First question, are the data backed up: yes, or risk-accepted
    #[arg(long, value_name = "ANSWER", value_parser = ["yes", "risk-accepted"])]
    backed_up: Option<String>,
    /// Second question, is confidential information removed or locked: yes, or accepted when it is not
    #[arg(long, value_name = "ANSWER", value_parser = ["yes", "accepted"])]
    removed: Option<String>,
    /// Go on without a recovery copy for this reason, as it was shown; for 24 hours
    #[arg(long, value_name = "REASON")]
    waive_copy: Option<String>,
    /// Whether the self-tests that are asked for may run, before the bundle; --yes does not answer this
    #[arg(long, value_name = "ANSWER", value_parser = ["yes", "no"])]
    self_tests: Option<String>,
    /// Agree to what is shown, without being asked
    #[arg(long)]
    yes: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The answers that were given as flags.
fn given(backed_up: Option<&str>, removed: Option<&str>, waive: Option<&str>, yes: bool) -> Given {
    Given {
        backup: backed_up.map(|answer| match answer {
            "yes" => BackupAnswer::BackedUp,
            _ => BackupAnswer::NoBackupRiskAccepted,
        }),
        confidential: removed.map(|answer| match answer {
            "yes" => ConfidentialAnswer::RemovedOrLocked,
            _ => ConfidentialAnswer::NotRemovedAccepted,
        }),
        waive: waive.map(str::to_owned),
        tests: None,
        yes,
    }
}

/// Longest reason that the portal takes, in bytes.
const LONGEST_DENIAL: usize = 500;

/// Does what was asked.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let desk = Desk::open(context)?;
    match args.action {
        Action::List { json } => list(&desk, json),
        Action::Show { id, json } => show(&desk, &id, json),
        Action::Approve(args) => approve(&desk, &args),
        Action::Deny { id, reason, json } => deny(&desk, &id, &reason, json),
        Action::Standing(args) => standing(&desk, &args),
        Action::Session { action: SessionAction::Start { id, json } } => {
            let started = block_on(desk.start_session(&id))?;
            match json {
                true => output::print_json(&started.record)?,
                false => output::print(words::session_started(&started))?,
            }
            Ok(0)
        }
        Action::Session { action: SessionAction::Stop { id, json } } => {
            let stopped = block_on(desk.stop_session(&id))?;
            match json {
                true => output::print_json(&words::stopped_document(&stopped))?,
                false => output::print(words::session_stopped(&stopped))?,
            }
            Ok(0)
        }
        Action::Wait { seconds, json } => wait(&desk, Duration::from_secs(seconds), json),
        Action::Fetch { file, json } => {
            let came = desk.fetch(&file)?;
            tell(&desk, &[came], json)
        }
    }
}

fn list(desk: &Desk<'_>, json: bool) -> anyhow::Result<u8> {
    let mut all = Vec::new();
    for (id, _) in desk.store.all()? {
        let (record, asked) = desk.load(&id)?;
        all.push((record, asked));
    }
    match json {
        true => output::print_json(&all.iter().map(|(r, a)| words::document(r, a)).collect::<Vec<_>>())?,
        false => output::print(words::list(&all))?,
    }
    if desk.store.in_ram {
        output::say("No data volume is mounted: requests are kept in RAM and end with the boot.");
    }
    Ok(0)
}

fn show(desk: &Desk<'_>, id: &str, json: bool) -> anyhow::Result<u8> {
    let (mut record, asked) = desk.load(id)?;
    if json {
        output::print_json(&words::document(&record, &asked))?;
        return Ok(0);
    }
    let mut text = words::request(&record, &asked);
    if record.handling.sealed.is_some() {
        // Another call may be answering it: then it is shown there.
        let shown = desk.store.hold(id).and_then(|_held| desk.preview(id, &mut record));
        match shown {
            Ok(bundle) => {
                text.push_str(&format!("\nWhat would leave\n{bundle}"));
                desk.log.note(What::Look, Some(id), "the bundle that would leave was shown");
            }
            Err(error) => text.push_str(&format!("\nThe bundle cannot be shown: {error:#}\n")),
        }
    }
    output::print(text)?;
    Ok(0)
}

fn approve(desk: &Desk<'_>, args: &Approve) -> anyhow::Result<u8> {
    let mut given =
        given(args.backed_up.as_deref(), args.removed.as_deref(), args.waive_copy.as_deref(), args.yes);
    given.tests = args.self_tests.as_deref().map(|answer| answer == "yes");
    let ended = block_on(async {
        pause::check(desk.context)?;
        // What was cancelled meanwhile, and the portal's time. Without a line, everything up to the upload still works.
        if let Err(error) = desk.poll(None).await {
            output::say(&format!("The portal could not be asked first: {error:#}"));
        }
        desk.approve(&args.id, Whose::Owner(&given)).await
    })?;
    let (record, asked) = desk.load(&args.id)?;
    match args.json {
        true => output::print_json(&words::document(&record, &asked))?,
        false => output::print(words::ended(&args.id, &ended, &record, &asked))?,
    }
    Ok(if ended == Ended::Ready { 0 } else { trouble::FAILED })
}

fn deny(desk: &Desk<'_>, id: &str, reason: &str, json: bool) -> anyhow::Result<u8> {
    if reason.len() > LONGEST_DENIAL || reason.chars().any(char::is_control) {
        return Err(refuse(
            format!("the reason is longer than {LONGEST_DENIAL} bytes or is not plain text"),
            "say it shorter; nothing was denied",
        ));
    }
    let told = block_on(desk.deny(id, reason))?;
    let next = match told {
        true => "the portal knows; a new request needs a new answer of yours",
        false => {
            "the portal could not be told: `assay support deny` again tells it; nothing leaves in any case"
        }
    };
    match json {
        true => output::print_json(&serde_json::json!({ "id": id, "denied": true, "portal_told": told }))?,
        false => output::print(format!("denied     {id}\nnext       {next}\n"))?,
    }
    Ok(0)
}

/// Gives, ends or shows the standing consent.
fn standing(desk: &Desk<'_>, args: &StandingArgs) -> anyhow::Result<u8> {
    if args.end {
        let was = desk.end_standing("by the owner")?;
        if !was {
            output::say("There is no standing consent.");
        }
    }
    let standing = match args.days {
        Some(days) => {
            let given = given(args.backed_up.as_deref(), args.removed.as_deref(), None, args.yes);
            Some(desk.give_standing(days, &given)?)
        }
        None => desk.standing()?,
    };
    match args.json {
        true => output::print_json(&standing)?,
        false => output::print(words::standing(standing.as_ref()))?,
    }
    Ok(0)
}

/// Asks until there is something that waits for the owner.
fn wait(desk: &Desk<'_>, at_most: Duration, json: bool) -> anyhow::Result<u8> {
    pause::check(desk.context)?;
    desk.store.note_wait()?;
    let begin = Instant::now();
    let came = block_on(async {
        let mut state: Option<String> = None;
        loop {
            let (answer, came) = desk.poll(state.as_deref()).await?;
            let news = desk.store.all()?.iter().any(|(_, record)| record.handling.is_open());
            let left = at_most.saturating_sub(begin.elapsed());
            if news || left.is_zero() {
                return Ok(came);
            }
            // A portal that holds the call answers when there is news; one that does not is asked at its own interval.
            let asked_at = Instant::now();
            state = Some(answer.state);
            if let Some(known) = state.as_deref() {
                match tokio::time::timeout(left, desk.poll(Some(known))).await {
                    Err(_) => return Ok(came),
                    Ok(polled) => {
                        let (answer, came) = polled?;
                        let unchanged = state.as_deref() == Some(answer.state.as_str());
                        if !came.is_empty() {
                            return Ok(came);
                        }
                        if unchanged && asked_at.elapsed() < Duration::from_secs(1) {
                            let pause = Duration::from_secs(u64::from(answer.interval_s));
                            tokio::time::sleep(pause.min(at_most.saturating_sub(begin.elapsed()))).await;
                        }
                    }
                }
            }
        }
    })?;
    block_on(async {
        for stopped in desk.end_overdue_sessions().await? {
            output::say(&words::session_stopped(&stopped));
        }
        for (id, ended) in desk.use_standing().await? {
            match ended {
                Ok(_) => output::say(&format!("The standing consent was used for the request {id}.")),
                Err(error) => output::say(&format!("The request {id} could not be answered: {error:#}")),
            }
        }
        Ok(())
    })?;
    let open = desk.store.all()?.iter().any(|(_, record)| record.handling.is_open());
    let code = tell(desk, &came, json)?;
    Ok(if open { code } else { 2 })
}

/// What came, in words.
fn tell(desk: &Desk<'_>, came: &[Came], json: bool) -> anyhow::Result<u8> {
    let mut code = 0;
    let mut text = String::new();
    let mut list = Vec::new();
    for one in came {
        match one {
            Came::New(id) | Came::Known(id) => {
                let (record, asked) = desk.load(id)?;
                text.push_str(&words::line(&record, &asked));
                list.push(words::document(&record, &asked));
            }
            Came::Not(why) => {
                code = trouble::FAILED;
                output::say(&format!("A request was not listened to: {why}"));
                list.push(serde_json::json!({ "refused": why }));
            }
        }
    }
    if text.is_empty() && code == 0 {
        text.push_str("Nobody asks for anything.\n");
    } else if code == 0 {
        text.push_str("next       `assay support show ID` says what is asked\n");
    }
    match json {
        true => output::print_json(&list)?,
        false => output::print(text)?,
    }
    Ok(code)
}
