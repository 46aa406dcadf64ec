//! What the owner is asked before anything leaves: to go without a copy, and the two questions of the service terms (L9).
//! Both answers of each are offered; none is the default. Without a terminal an answer is a flag, never a guess.

use std::io::{BufRead, Write};

use assay_bundle::consent::{BackupAnswer, ConfidentialAnswer, Dated, WaiverReason};
use assay_bundle::support_request::{SelfTestKind, SelfTests};
use assay_diagnosis::text::escaped;

use super::store::Answers;
use crate::output;
use crate::terminal;
use crate::trouble::{NextStep, refuse};

/// What was answered on the command line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// First question.
    pub(crate) backup: Option<BackupAnswer>,
    /// Second question.
    pub(crate) confidential: Option<ConfidentialAnswer>,
    /// The reason for going without a copy, as it was shown.
    pub(crate) waive: Option<String>,
    /// Whether the drives that a request names may be tested.
    pub(crate) tests: Option<bool>,
    /// The bundle was looked at.
    pub(crate) yes: bool,
}

const RED: &str = "\u{1b}[1;31m";
const PLAIN: &str = "\u{1b}[0m";

/// Asks until one of `choices` (a key and its meaning) is typed; an empty answer is none.
fn choose<T: Copy>(question: &str, choices: &[(&str, &str, T)], flag: &str) -> anyhow::Result<T> {
    if !terminal::can_ask() {
        return Err(refuse(
            format!("nobody is here to answer: {question}"),
            format!("give the answer with {flag}, or call from a terminal"),
        ));
    }
    loop {
        output::say(question);
        for (key, meaning, _) in choices {
            output::say(&format!("  {key}  {meaning}"));
        }
        let _ = write!(std::io::stderr().lock(), "> ");
        let mut line = String::new();
        let read = std::io::stdin()
            .lock()
            .read_line(&mut line)
            .or_advise("your answer could not be read", "call again")?;
        if read == 0 {
            return Err(refuse("there was no answer", "call again; nothing was sent"));
        }
        let typed = line.trim().to_ascii_lowercase();
        if let Some((_, _, answer)) = choices.iter().find(|(key, _, _)| *key == typed) {
            return Ok(*answer);
        }
    }
}

/// The two questions, dated.
pub(crate) fn both(given: &Given, now_unix_s: i64) -> anyhow::Result<Answers> {
    let backup = match given.backup {
        Some(answer) => answer,
        None => choose(
            "1 of 2: Are the data on this NAS backed up somewhere else?",
            &[
                ("b", BackupAnswer::BackedUp.words(), BackupAnswer::BackedUp),
                ("r", BackupAnswer::NoBackupRiskAccepted.words(), BackupAnswer::NoBackupRiskAccepted),
            ],
            "--backed-up yes|risk-accepted",
        )?,
    };
    let confidential = match given.confidential {
        Some(answer) => answer,
        None => choose(
            "2 of 2: Is confidential information removed from this NAS or locked, before somebody looks in?",
            &[
                ("l", ConfidentialAnswer::RemovedOrLocked.words(), ConfidentialAnswer::RemovedOrLocked),
                ("a", ConfidentialAnswer::NotRemovedAccepted.words(), ConfidentialAnswer::NotRemovedAccepted),
            ],
            "--removed yes|accepted",
        )?,
    };
    Ok(Answers {
        backup: Dated { answer: backup, at_unix_s: now_unix_s },
        confidential: Dated { answer: confidential, at_unix_s: now_unix_s },
    })
}

/// Whether the owner agrees that exactly what was shown leaves.
pub(crate) fn agrees(given: &Given) -> anyhow::Result<bool> {
    agrees_to(given, "Exactly this bundle, and nothing else, would leave. Do you agree?")
}

/// Whether the owner agrees to what a question says.
pub(crate) fn agrees_to(given: &Given, question: &str) -> anyhow::Result<bool> {
    if given.yes {
        return Ok(true);
    }
    choose(question, &[("y", "yes, I consent", true), ("n", "no", false)], "--yes")
}

/// Whether the owner lets drives be tested. A general yes is none to this.
pub(crate) fn lets_test(given: &Given, tests: &SelfTests) -> anyhow::Result<bool> {
    if let Some(answer) = given.tests {
        return Ok(answer);
    }
    let (kind, takes) = match tests.kind {
        SelfTestKind::Short => ("short", "some minutes each"),
        SelfTestKind::Extended => ("extended", "hours each, in which the NAS answers more slowly"),
    };
    let serials: Vec<_> = tests.serials.iter().map(|serial| escaped(serial)).collect();
    choose(
        &format!(
            "Your support engineer asks for {kind} self-tests of the drives {}: {takes}. The bundle is made after them. Do \
             you agree?",
            serials.join(", ")
        ),
        &[("t", "yes, test them", true), ("n", "no, go on without", false)],
        "--self-tests yes|no",
    )
}

/// Whether the owner goes on without a recovery copy, knowing why there is none.
pub(crate) fn waives(given: &Given, reason: WaiverReason, words: &str) -> anyhow::Result<bool> {
    let colour = terminal::colour();
    let (red, plain) = if colour { (RED, PLAIN) } else { ("", "") };
    output::say(&format!(
        "{red}NO RECOVERY COPY: {}{plain}\n  {words}\n  Whatever goes wrong with the configuration after this cannot be \
         undone. A waiver counts for 24 hours and\n  ends at once when the configuration changes.",
        reason.words()
    ));
    let shown = output::word(&reason);
    if let Some(given) = &given.waive {
        // The flag repeats the reason, so that a script that waives one thing does not waive another.
        return match *given == shown || given == reason.words() {
            true => Ok(true),
            false => Err(refuse(
                format!("the waiver was given for {given:?}, but the reason is {:?}", reason.words()),
                format!("`--waive-copy {shown}` if that is what you accept"),
            )),
        };
    }
    choose(
        "Go on without a recovery copy?",
        &[("w", "yes, I waive it", true), ("n", "no", false)],
        &format!("--waive-copy {shown}"),
    )
}
