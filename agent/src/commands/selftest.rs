//! `assay selftest …`: drives test themselves, when their owner says so. Queued, one at a time.

use std::fmt::Write as _;

use assay_bundle::facts::drive::{Drive, SelfTest, SelfTestOutcome};
use assay_bundle::support_request::SelfTestKind;
use assay_diagnosis::text::escaped;
use serde_json::{Value, json};

use crate::audit::{Log, What};
use crate::cli::exit_codes;
use crate::clock::rfc3339;
use crate::context::Context;
use crate::daemon::{board, lock};
use crate::runtime::block_on;
use crate::selftest::drives::{self, is_named};
use crate::selftest::queue::{Entry, Queue, State, kind_word, result_words};
use crate::selftest::store::Store;
use crate::selftest::work::{How, Worker};
use crate::support::questions::{Given, agrees_to};
use crate::trouble::{self, refuse};
use crate::{output, pause};

/// Let drives test themselves: start, watch, stop
#[derive(clap::Args)]
#[command(after_help = concat!(
    "A test reads and never writes data; the drive goes on with it whatever happens to this program. No drive is woken.\n\
     Next: `assay selftest list`, then `assay selftest start DRIVE`.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Queue a self-test; it begins at once when no other runs
    #[command(after_help = concat!(
        "An extended one is refused while an array or pool is degraded or rebuilding, or the drive shows signs of failing.\n\
         Next: `assay selftest status`.\n",
        exit_codes!()
    ))]
    Start(Start),
    /// Look at the drive that tests, and say how far everything is
    #[command(after_help = concat!(
        "Looks at one drive, and not at one that sleeps. Next: `assay check` says what a failed test means.\n",
        exit_codes!()
    ))]
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Stop a self-test that was started here, or take it out of the queue
    #[command(after_help = concat!("Next: `assay selftest status`.\n", exit_codes!()))]
    Abort {
        /// Serial number of the drive, or its bay: 3, or 32/1 in enclosure 32
        drive: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// The drives, and the last self-test that each remembers
    #[command(after_help = concat!("Next: `assay selftest start DRIVE`.\n", exit_codes!()))]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
struct Start {
    /// Serial number of the drive, or its bay: 3, or 32/1 in enclosure 32
    drive: String,
    /// Read the whole surface: hours, in which the NAS answers more slowly
    #[arg(long)]
    extended: bool,
    /// Start without being asked
    #[arg(long)]
    yes: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    match args.action {
        Action::Start(args) => start(&args, context),
        Action::Status { json } => status(json, context),
        Action::Abort { drive, json } => abort(&drive, json, context),
        Action::List { json } => list(json, context),
    }
}

fn start(args: &Start, context: &Context) -> anyhow::Result<u8> {
    pause::check(context)?;
    let worker = Worker::open(context)?;
    let machine = block_on(worker.examine())?;
    let drive = drives::find(&machine.facts, &args.drive)?;
    let (serial, place) = (drive.serial.value().cloned().unwrap_or_default(), drives::place(drive));
    let kind = if args.extended { SelfTestKind::Extended } else { SelfTestKind::Short };
    let why = drives::against(&machine, drive, kind);
    if !why.is_empty() {
        let list: Vec<String> = why.iter().map(|why| format!("\n  {}", escaped(why))).collect();
        return Err(refuse(
            format!("no {} self-test of the drive {serial} ({place}) now:{}", kind_word(kind), list.concat()),
            match kind {
                SelfTestKind::Extended => {
                    "mend that first (`assay check` says how), or start a short one without --extended"
                }
                SelfTestKind::Short => "mend that first; `assay check` says what is known of the drive",
            },
        ));
    }
    if args.extended && !args.yes {
        let given = Given { yes: args.yes, ..Given::default() };
        let question = format!(
            "An extended self-test reads the whole surface of the drive {serial} ({place}), for hours. Start it?"
        );
        if !agrees_to(&given, &question)? {
            output::say("No self-test was started.");
            return Ok(trouble::FAILED);
        }
    }
    let store = worker.store();
    let _held = store.hold()?;
    let mut queue = store.load()?;
    let entry = Entry {
        serial: serial.clone(),
        place,
        kind,
        asked_unix_s: context.clock.now_unix_s,
        request: None,
        state: State::Waiting { why: None, not_before_unix_s: 0 },
    };
    queue.add(entry).map_err(|full| {
        refuse(
            format!("{full}"),
            "`assay selftest status` shows the queue; `assay selftest abort` takes one out",
        )
    })?;
    let text = format!("{} self-test of the drive {serial} was asked for by the owner", kind_word(kind));
    Log::of(context).must_note(What::SelfTest, None, &text)?;
    store.save(&queue, true)?;
    block_on(worker.advance(&mut queue, How { look_now: false, ..How::asked(context) }, Some(machine)))?;
    store.call_daemon();
    show(&queue, store, args.json, context)?;
    let ours = queue.entries.iter().rev().find(|entry| entry.serial == serial);
    Ok(if ours.is_some_and(Entry::is_open) { 0 } else { trouble::FAILED })
}

fn status(json: bool, context: &Context) -> anyhow::Result<u8> {
    let store = Store::of(context);
    let mut queue = store.load()?;
    if queue.entries.iter().any(Entry::is_open) {
        match store.hold() {
            Ok(_held) => {
                queue = store.load()?;
                let worker = Worker::open(context)?;
                block_on(worker.advance(&mut queue, How::asked(context), None))?;
                store.call_daemon();
            }
            // What is kept is shown all the same.
            Err(error) => output::say(&format!("Not looked at anew: {error:#}.")),
        }
    }
    show(&queue, &store, json, context)?;
    Ok(0)
}

fn abort(word: &str, json: bool, context: &Context) -> anyhow::Result<u8> {
    let worker = Worker::open(context)?;
    let store = worker.store();
    let _held = store.hold()?;
    let mut queue = store.load()?;
    let open = |entry: &&Entry| entry.is_open();
    let named: Vec<String> = queue
        .entries
        .iter()
        .filter(open)
        .filter(|entry| is_named(word, &entry.serial, &entry.place))
        .map(|entry| entry.serial.clone())
        .collect();
    let exact = named.iter().find(|serial| serial.eq_ignore_ascii_case(word.trim()));
    let only = named.first().filter(|_| named.len() == 1);
    let Some(at) = exact.or(only).and_then(|serial| queue.open_of(serial)) else {
        return Err(refuse(
            format!("no self-test of the drive {word:?} waits or runs here"),
            "`assay selftest status` shows the queue; one that something else started is stopped there",
        ));
    };
    let how = How { look_now: false, ..How::asked(context) };
    block_on(async {
        worker.abort(&mut queue, at, how).await?;
        worker.advance(&mut queue, how, None).await
    })?;
    store.call_daemon();
    show(&queue, store, json, context)?;
    Ok(0)
}

fn list(json: bool, context: &Context) -> anyhow::Result<u8> {
    let worker = Worker::open(context)?;
    let machine = block_on(worker.examine())?;
    let queue = worker.store().load()?;
    let seen = drives::drives(&machine.facts);
    if json {
        let list: Vec<Value> = seen.iter().map(|drive| row(drive, &queue)).collect();
        output::print_json(&list)?;
        return Ok(0);
    }
    let mut text = String::new();
    if seen.is_empty() {
        let why = machine.facts.drives.why_not().unwrap_or_else(|| "none is there".to_owned());
        let _ = writeln!(text, "No drive was seen: {}", escaped(&why));
    }
    for drive in seen {
        let serial = drive.serial.value().map_or("no serial number", String::as_str);
        let last = match last(drive) {
            Some(test) => format!("{} {}", test.kind, result_words(test)),
            None if drives::is_asleep(drive) => "sleeps, was not woken".to_owned(),
            None => drive.self_tests.why_not().unwrap_or_else(|| "no self-test yet".to_owned()),
        };
        let open = queue.open_of(serial).and_then(|at| queue.entries.get(at));
        let open = open.map(|entry| format!("; {} here", words(entry))).unwrap_or_default();
        let (place, serial) = (drives::place(drive), escaped(serial));
        let _ = writeln!(text, "{place:<11}{serial:<22}{}{open}", escaped(&last));
    }
    output::print(text)?;
    Ok(0)
}

fn last(drive: &Drive) -> Option<&SelfTest> {
    drive.self_tests.value().and_then(|tests| tests.first())
}

fn row(drive: &Drive, queue: &Queue) -> Value {
    let serial = drive.serial.value();
    let open = serial.and_then(|serial| queue.open_of(serial)).and_then(|at| queue.entries.get(at));
    json!({
        "serial": serial,
        "model": drive.model.value(),
        "place": drives::place(drive),
        "device": drive.device,
        "asleep": drives::is_asleep(drive),
        "last": last(drive),
        "why_no_log": drive.self_tests.why_not(),
        "runs_by_somebody": last(drive).is_some_and(|test| test.outcome == SelfTestOutcome::Running),
        "here": open,
    })
}

/// How far a test is, in words.
fn words(entry: &Entry) -> String {
    match &entry.state {
        State::Waiting { why: None, .. } => "waits for its turn".to_owned(),
        State::Waiting { why: Some(why), .. } => format!("waits: {why}"),
        State::Running(run) => {
            let left = match (&run.unseen, run.remaining_percent) {
                (Some(why), _) => format!(", not seen: {why}"),
                (None, Some(left)) => format!(", {left} % left"),
                (None, None) => String::new(),
            };
            let minutes = run.estimate_s / 60;
            let next = rfc3339(run.look_unix_s);
            format!(
                "runs since {}, {minutes} min by the drive's estimate{left}; next look {next}",
                rfc3339(run.started_unix_s)
            )
        }
        State::Ended { test, .. } => result_words(test),
        State::Unknown { why, .. } => format!("its end is not known: {why}"),
        State::Refused { why, .. } => format!("refused: {}", why.join("; ")),
        State::Aborted { why, .. } => format!("stopped: {why}"),
    }
}

/// The queue in lines: name and value; only what is still to come when `open`.
pub(super) fn lines(queue: &Queue, open: bool) -> Vec<(&'static str, String)> {
    let entries = queue.entries.iter().filter(|entry| !open || entry.is_open());
    let lines = entries.map(|entry| {
        let request =
            entry.request.as_ref().map(|id| format!(" for the support request {id}")).unwrap_or_default();
        let (kind, serial) = (kind_word(entry.kind), escaped(&entry.serial));
        format!("{kind}, {} ({serial}){request}: {}", escaped(&entry.place), escaped(&words(entry)))
    });
    lines.enumerate().map(|(at, line)| (if at == 0 { "self-test" } else { "" }, line)).collect()
}

fn show(queue: &Queue, store: &Store, json: bool, context: &Context) -> anyhow::Result<()> {
    if json {
        return output::print_json(&json!({
            "self_tests": queue.entries.iter().map(|entry| json!({ "test": entry, "words": words(entry) })).collect::<Vec<_>>(),
            "in_ram": store.in_ram(),
        }));
    }
    let mut text = String::new();
    for (name, value) in lines(queue, false) {
        let _ = writeln!(text, "{name:<11}{value}");
    }
    let open = queue.entries.iter().any(Entry::is_open);
    let watched = lock::is_held(&board::folder(&context.paths));
    let next = match (queue.entries.is_empty(), open, watched) {
        (true, ..) => "no self-test was started here: `assay selftest start DRIVE`",
        (_, true, true) => "the daemon looks when the drive may be done; `assay selftest status` looks now",
        (_, true, false) => "no daemon runs: `assay selftest status` looks, and begins the next one",
        (_, false, _) => "`assay check` says what the results mean",
    };
    let _ = writeln!(text, "{:<11}{next}", "next");
    output::print(text)?;
    if open && store.in_ram() {
        output::say(
            "No data volume is mounted: the queue is kept in RAM and ends with the boot; a test that runs goes on.",
        );
    }
    Ok(())
}
