//! `assay setup`: the guided first run. Says what will and will not happen, makes what is missing, asks what the owner
//! may choose, and ends with what comes next. A second run says what is already done and changes only what is asked.
//!
//! Nothing is sent and no portal is asked. It offers only what this binary has.

use std::fmt::Write as _;
use std::path::PathBuf;

use assay_bundle::redact::Level;
use clap::CommandFactory as _;
use serde::Serialize;

use super::recovery_key::belongs;
use crate::cli::{Cli, exit_codes};
use crate::config::{Origin, SETTINGS, Settings};
use crate::context::Context;
use crate::recovery_key::RecoveryKey;
use crate::recovery_key::ceremony::{Caller, Ceremony, Person};
use crate::trouble::refuse;
use crate::{config, output, terminal};

/// Set this device up: keys, recovery key, what is remembered, how much is redacted
#[derive(clap::Args)]
#[command(after_help = concat!(
    "Sends nothing and asks no portal. Called again it says what is done and does what is missing.\n\
     Next: `assay check`; with a portal, `assay enroll`.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// Ask nothing: keep every setting as it is. The recovery key is then made only with --sheet
    #[arg(long, short)]
    yes: bool,
    /// With --yes: make the recovery key and write its sheet here (0600; it holds the key). It counts as never proven
    #[arg(long, value_name = "FILE", requires = "yes")]
    sheet: Option<PathBuf>,
    /// Take the answers from standard input, also where it is no terminal
    #[arg(long, conflicts_with = "yes")]
    answers: bool,
    /// What was done as JSON
    #[arg(long, requires = "yes")]
    json: bool,
}

/// What became of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// This call made or changed it.
    Done,
    /// It was so before.
    Already,
    /// It is still to do.
    Open,
}

#[derive(Serialize)]
struct Part {
    name: &'static str,
    state: State,
    /// In words, for a person.
    about: String,
    /// What the owner does about it, when there is something to do.
    #[serde(skip)]
    next: Option<&'static str>,
}

/// Goes through the parts.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    if !args.yes && !args.answers && !terminal::can_ask() {
        return Err(refuse(
            "nobody is here to answer",
            "call from a terminal, or with --yes to keep every setting as it is",
        ));
    }
    let settings = context.settings()?;
    if !args.json {
        output::say(&opening(context));
    }
    let parts = vec![
        device_key(context)?,
        recovery_key(&args, context)?,
        recorder(&args, context, &settings)?,
        redaction(&args, context, &settings)?,
        enrolment(context)?,
    ];
    match args.json {
        true => {
            output::print_json(&serde_json::json!({ "parts": output::value(&parts)?, "next": next(&parts) }))?
        }
        false => output::print(words(&parts))?,
    }
    Ok(0)
}

fn opening(context: &Context) -> String {
    format!(
        "What this does: makes this device's own key (in {}),\n\
         makes your recovery key when you are ready to write its words down,\n\
         and writes what you choose into {}.\n\
         What it does not: nothing is sent, no portal is asked, and nothing is installed or started.\n",
        context.paths.identity_dir.display(),
        context.config_file().display()
    )
}

fn device_key(context: &Context) -> anyhow::Result<Part> {
    let identity = context.identity();
    let state = if identity.public()?.is_some() { State::Already } else { State::Done };
    let about = format!("{}; signs this device's bundles", identity.key_or_new()?.public().fingerprint());
    Ok(Part { name: "device key", state, about, next: None })
}

fn recovery_key(args: &Args, context: &Context) -> anyhow::Result<Part> {
    let name = "recovery key";
    let there = |key: RecoveryKey, state| match key.warning(context.clock) {
        Some(warning) => Part {
            name,
            state: State::Open,
            about: format!("{}; {warning}", key.recipient),
            next: Some("`assay recovery-key prove`, with the words or the sheet at hand"),
        },
        None => Part {
            name,
            state,
            about: key.recipient,
            next: has("backup").then_some("`assay backup create` makes a recovery copy"),
        },
    };
    if let Some(key) = RecoveryKey::load(&context.paths.identity_dir)? {
        return Ok(there(key, State::Already));
    }
    let open = |why: &str| Part {
        name,
        state: State::Open,
        about: why.to_owned(),
        next: Some("`assay recovery-key new` makes the key that recovery copies need"),
    };
    let ceremony = || -> anyhow::Result<Ceremony<'_>> {
        let belongs = belongs(context)?;
        terminal::secret::guard_memory();
        Ok(Ceremony { paths: &context.paths, clock: context.clock, belongs, html: None, lost: None })
    };
    match &args.sheet {
        Some(sheet) => return Ok(there(ceremony()?.unattended(sheet)?, State::Done)),
        None if args.yes => {
            return Ok(open(
                "none: its words have to be written down; `assay recovery-key new` at a terminal",
            ));
        }
        None => {}
    }
    output::say(
        "The recovery key opens the encrypted copies of this device's configuration. It is 24 words that are shown\n\
         once; without them nobody opens a copy, we neither. You need pen and paper.",
    );
    match yes("Make it now?", true)? {
        true => Ok(there(ceremony()?.perform(&mut Caller)?, State::Done)),
        false => Ok(open("not yet; `assay recovery-key new` when pen and paper are at hand")),
    }
}

fn recorder(args: &Args, context: &Context, settings: &Settings) -> anyhow::Result<Part> {
    let name = "recorder";
    let on = settings.config.collect_recorder;
    let Some(folder) = &context.paths.memory_dir else {
        let about = "no data volume is mounted, so nothing can be remembered".to_owned();
        return Ok(Part { name, state: State::Open, about, next: None });
    };
    let mut wanted = on;
    if !args.yes {
        output::say(
            "The flight recorder keeps what changed between runs (counters, temperatures, log lines) on the data volume:\n\
             it is how a slow failure is told from an old one. It stays on this device.",
        );
        wanted = yes("Keep it?", on)?;
    }
    let state =
        put(context, settings, "collect.recorder", &wanted.to_string(), &wanted.to_string(), wanted != on)?;
    let about = match wanted {
        true => format!("on, below {}", folder.display()),
        false => "off: every run starts from nothing (collect.recorder)".to_owned(),
    };
    Ok(Part { name, state, about, next: None })
}

fn redaction(args: &Args, context: &Context, settings: &Settings) -> anyhow::Result<Part> {
    let now = settings.config.collect_redaction;
    let mut wanted = now;
    if !args.yes {
        output::say(
            "Bundles never hold passwords, keys, names or addresses as they are. At the level `strict` serial numbers are\n\
             replaced too: then a return needs them another way.",
        );
        wanted = match yes("Stricter than standard?", now == Level::Strict)? {
            true => Level::Strict,
            false => Level::Standard,
        };
    }
    let text = match wanted {
        Level::Strict => "strict",
        Level::Standard => "standard",
    };
    let toml = format!("\"{text}\"");
    let state = put(context, settings, "collect.redaction", &toml, text, wanted != now)?;
    Ok(Part { name: "redaction", state, about: format!("{text} (collect.redaction)"), next: None })
}

fn enrolment(context: &Context) -> anyhow::Result<Part> {
    let name = "portal";
    Ok(match context.identity().enrolment()? {
        Some(enrolment) => Part {
            name,
            state: State::Already,
            about: format!("enrolled at {} as {}", enrolment.card.name, enrolment.device_id),
            next: None,
        },
        None => Part {
            name,
            state: State::Open,
            about: "not enrolled: nothing leaves this machine".to_owned(),
            next: Some("`assay enroll --portal URL --code CODE`, when an operator gave you a code"),
        },
    })
}

/// Writes a setting that changed. One that the environment or a flag says cannot be changed in the file.
fn put(
    context: &Context,
    settings: &Settings,
    name: &str,
    toml: &str,
    text: &str,
    changed: bool,
) -> anyhow::Result<State> {
    let found = SETTINGS.iter().zip(&settings.effective).find(|(setting, _)| setting.name == name);
    let (Some((setting, effective)), true) = (found, changed) else { return Ok(State::Already) };
    if let origin @ (Origin::Environment(_) | Origin::Flag(_)) = &effective.origin {
        return Err(refuse(
            format!("{name} is set by the {origin}, which the file cannot change"),
            "take it away there and call again; what is done stays done",
        ));
    }
    config::edit::put(&context.config_file(), setting, toml, text)?;
    Ok(State::Done)
}

/// Asks until the answer is yes or no; Enter means `usual`.
fn yes(question: &str, usual: bool) -> anyhow::Result<bool> {
    let choice = if usual { "[Y/n]" } else { "[y/N]" };
    loop {
        let Some(answer) = Caller.ask(&format!("{question} {choice} "), false)? else {
            return Err(refuse("nobody answered", "call again; what is done stays done"));
        };
        match answer.trim().to_ascii_lowercase().as_str() {
            "" => return Ok(usual),
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => output::say("yes or no?"),
        }
    }
}

/// Whether this binary has a command.
fn has(name: &str) -> bool {
    Cli::command().get_subcommands().any(|command| command.get_name() == name)
}

/// What comes next.
fn next(parts: &[Part]) -> Vec<&'static str> {
    let first = "`assay check` says what is wrong with this machine, and sends nothing";
    let last = "`assay status` shows all of this at any time";
    [first].into_iter().chain(parts.iter().filter_map(|part| part.next)).chain([last]).collect()
}

fn words(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        let state = match part.state {
            State::Done => "done",
            State::Already => "already",
            State::Open => "open",
        };
        let _ = writeln!(text, "{:<13} {state:<8} {}", part.name, part.about);
    }
    for (index, step) in next(parts).into_iter().enumerate() {
        let _ = writeln!(text, "{:<13} {step}", if index == 0 { "next" } else { "" });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_next_exists() {
        let folder = tempfile::tempdir().expect("a folder");
        let globals = crate::cli::Globals {
            config: None,
            state_dir: Some(folder.path().to_owned()),
            verbose: 0,
            log_format: None,
        };
        let context = Context::new(globals);
        let args = Args { yes: true, sheet: None, answers: false, json: false };
        let parts = [recovery_key(&args, &context).expect("none"), enrolment(&context).expect("none")];
        let all = next(&parts);
        assert_eq!(all.len(), 4, "both are open: {all:?}");
        for step in all {
            let named = step.split("`assay ").nth(1).and_then(|rest| rest.split([' ', '`']).next());
            assert!(named.is_some_and(has), "{step}");
        }
    }
}
