//! Requests and their states in words, and as JSON.

use std::fmt::Write as _;

use assay_bundle::consent::Safeguard;
use assay_bundle::support_request::{Scope, SelfTestKind, SupportRequest};
use assay_diagnosis::text::escaped;
use serde_json::{Value, json};

use crate::clock::rfc3339;
use crate::output;
use crate::support::answer::Ended;
use crate::support::session::{ComparedBy, Started, Stopped};
use crate::support::standing::Standing;
use crate::support::state::{Odd, Step, Tests};
use crate::support::store::{Record, Via};

/// How far it is, in few words.
pub(in crate::commands) fn step(record: &Record) -> String {
    let waived = matches!(record.handling.safeguard, Some(Safeguard::Waiver(_)));
    match &record.handling.step {
        Step::Received | Step::Protected if record.handling.tests == Tests::Agreed => {
            "approved to test drives; goes on with `assay support approve` when they are done".to_owned()
        }
        Step::Received => "waits for your answer".to_owned(),
        Step::Protected => "waits for your answer; the recovery copy is taken".to_owned(),
        Step::Sealed => "waits for your answer; its bundle is sealed and held".to_owned(),
        Step::Agreed => "approved; the portal does not have your consent yet".to_owned(),
        Step::Delivered => "approved; the bundle is not sent yet".to_owned(),
        Step::Leaving => "approved; on its way, no receipt yet".to_owned(),
        Step::Ready if waived => "READY for remote support, WITHOUT a recovery copy".to_owned(),
        Step::Ready => "ready for remote support".to_owned(),
        Step::Lapsed => "no longer ready: the waiver of the recovery copy has lapsed".to_owned(),
        Step::Taken => "answered; the portal has the bundle and does not call it ready".to_owned(),
        Step::Denied { .. } => "denied by you".to_owned(),
        Step::Cancelled => "cancelled by the portal".to_owned(),
        Step::Expired => "expired".to_owned(),
        Step::Refused { reason } => format!("refused by the portal: {}", escaped(reason)),
        Step::Void { changed } => Odd::Changed(*changed).to_string(),
    }
}

/// One line.
pub(super) fn line(record: &Record, asked: &SupportRequest) -> String {
    format!("{}  {}  {}\n", asked.id, escaped(&asked.engineer), step(record))
}

/// All, newest last.
pub(super) fn list(all: &[(Record, SupportRequest)]) -> String {
    match all.is_empty() {
        true => "Nobody has asked for anything. `assay support wait` asks the portal.\n".to_owned(),
        false => all.iter().map(|(record, asked)| line(record, asked)).collect(),
    }
}

fn scope(scope: &Scope) -> String {
    match scope {
        Scope::Bundle => "a bundle, collected and redacted for this request".to_owned(),
        Scope::RecoveryCopy => "a recovery copy before anything else; it stays on this NAS".to_owned(),
        Scope::SelfTests(tests) => {
            let kind = match tests.kind {
                SelfTestKind::Short => "short",
                SelfTestKind::Extended => "extended",
            };
            let serials: Vec<_> = tests.serials.iter().map(|serial| escaped(serial)).collect();
            format!("a {kind} self-test of the drives {}", serials.join(", "))
        }
        Scope::RemoteSession(session) => {
            format!("a remote session by {}, at most {} h", session.method.words(), session.most_hours)
        }
    }
}

/// The whole request for the owner.
pub(super) fn request(record: &Record, asked: &SupportRequest) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<11}{value}");
    };
    line("request", &asked.id);
    line("from", &format!("{}, signed by the portal {}", escaped(&asked.engineer), asked.portal_fingerprint));
    let via = match record.via {
        Via::Poll => "from the portal",
        Via::File => "in a file",
    };
    line("came", &format!("{} {via}", rfc3339(record.received_unix_s)));
    line("expires", &rfc3339(asked.expires_unix_s));
    line("state", &step(record));
    for (index, reason) in asked.reason.lines().enumerate() {
        line(if index == 0 { "reason" } else { "" }, &escaped(reason));
    }
    for (index, thing) in asked.scope.iter().enumerate() {
        line(if index == 0 { "asks for" } else { "" }, &scope(thing));
    }
    line("redaction", &format!("at least {}", asked.redaction.word()));
    match &record.handling.safeguard {
        Some(Safeguard::Copy(copy)) => {
            line("copy", &format!("{}, made {}", copy.level.words(), rfc3339(copy.made_unix_s)));
        }
        Some(Safeguard::Waiver(waiver)) => {
            line("copy", &format!("NONE, waived until {}", rfc3339(waiver.expires_unix_s)));
            let words = record.why_no_copy.as_deref().unwrap_or_default();
            line("", &format!("{}: {}", waiver.reason.words(), escaped(words)));
        }
        None => line("copy", "not taken yet"),
    }
    if asked.self_tests().is_some() {
        let tests = match record.handling.tests {
            Tests::NotAsked => "wait for your yes, which `assay support approve` asks for",
            Tests::Agreed => "you agreed; `assay selftest status` says how far they are",
            Tests::Declined => "you declined them",
            Tests::Ended => "ended; the bundle shows what each drive logged",
        };
        line("self-tests", tests);
    }
    if let Some(answers) = &record.answers {
        let at = rfc3339(answers.backup.at_unix_s);
        line("answers", &format!("{at}: {}", answers.backup.answer.words()));
        line("", answers.confidential.answer.words());
    }
    text
}

/// The same for programs.
pub(super) fn document(record: &Record, asked: &SupportRequest) -> Value {
    let handling = &record.handling;
    json!({
        "id": asked.id,
        "request": output::value(asked).unwrap_or_default(),
        "received_unix_s": record.received_unix_s,
        "state": output::value(&handling.step).unwrap_or_default(),
        "state_words": step(record),
        "safeguard": output::value(&handling.safeguard).unwrap_or_default(),
        "why_no_copy": record.why_no_copy,
        "spool_entry": handling.sealed.as_ref().map(|sealed| &sealed.entry),
        "manifest_sha256": handling.sealed.as_ref().map(|sealed| &sealed.manifest_sha256),
        "self_tests": output::value(&handling.tests).unwrap_or_default(),
        "answers": output::value(&record.answers).unwrap_or_default(),
        "denial_untold": record.denial_untold,
    })
}

/// How an approval ended, and what is next.
pub(super) fn ended(id: &str, ended: &Ended, record: &Record, asked: &SupportRequest) -> String {
    let next = match ended {
        Ended::Ready if asked.remote_session().is_some() => {
            format!("`assay support session start {id}` when somebody is to look in")
        }
        Ended::Ready => "nothing needs doing; `assay log` says what happened".to_owned(),
        Ended::Taken => "the portal has the bundle; your support engineer says what is missing".to_owned(),
        Ended::StillReading => {
            format!("the portal still reads it: `assay support approve {id}` fetches the receipt")
        }
        Ended::Testing => {
            format!(
                "`assay selftest status` says how far the drives are; then `assay support approve {id}` makes the bundle"
            )
        }
        Ended::NotAgreed => {
            format!(
                "nothing was sent; `assay support approve {id}` asks again, `assay support deny {id}` says no"
            )
        }
    };
    format!("request    {id}\nstate      {}\nnext       {next}\n", step(record))
}

/// The standing consent.
pub(super) fn standing(standing: Option<&Standing>) -> String {
    let Some(standing) = standing else {
        return "standing   none: every request waits for your answer\n".to_owned();
    };
    let used = match standing.last_used_unix_s {
        Some(at) => format!("{} times, last {}", standing.uses, rfc3339(at)),
        None => "never".to_owned(),
    };
    format!(
        "standing   until {}: bundles for support requests, one a day\n\
         answers    {}; {}\n\
         used       {used}\n\
         next       `assay support standing --end` ends it\n",
        rfc3339(standing.expires_unix_s),
        standing.answers.backup.answer.words(),
        standing.answers.confidential.answer.words(),
    )
}

/// A session that began.
pub(super) fn session_started(started: &Started) -> String {
    let record = &started.record;
    let copy = match &started.copy {
        Ok(copy) => format!("taken before it, {}", copy.level.words()),
        Err(why) => format!("NONE before it: {}", escaped(why)),
    };
    format!(
        "session    {} by {}, {}\n\
         copy       {copy}\n\
         ends       {} at the latest\n\
         next       open the access now; when it is over, close it and `assay support session stop {}`\n",
        record.session_id,
        escaped(&record.engineer),
        record.method.words(),
        rfc3339(record.hard_expiry_unix_s),
        record.session_id,
    )
}

/// A session that ended, and what differs.
pub(super) fn session_stopped(stopped: &Stopped) -> String {
    let record = &stopped.record;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<11}{value}");
    };
    line("session", &record.session_id);
    let by = record.ended_by.map_or("runs", |by| by.words());
    line("ended", &format!("{} ({by})", rfc3339(record.stopped_unix_s.unwrap_or_default())));
    match (&record.copy_after, &stopped.why_no_copy) {
        (Some(copy), _) => line("copy", &format!("taken after it, {}", copy.level.words())),
        (None, why) => {
            line("copy", &format!("NONE after it: {}", escaped(why.as_deref().unwrap_or("not taken"))))
        }
    }
    let difference = &stopped.difference;
    match stopped.compared_by {
        Some(ComparedBy::Copies) => line("compared", "the recovery copies before and after it"),
        Some(ComparedBy::Looks) => {
            line("compared", "two looks at the configuration: there was no copy before it")
        }
        Some(ComparedBy::Nothing) => line("compared", "no files; accounts, keys and services only"),
        None => line("compared", "when it ended; what differed was shown then"),
    }
    for (name, list) in [
        ("NEW ACCOUNT", &difference.accounts),
        ("NEW KEY", &difference.keys),
        ("NEW SERVICE", &difference.services),
        ("added", &difference.added),
        ("removed", &difference.removed),
        ("changed", &difference.changed),
    ] {
        for one in list {
            line(name, &format!(" {}", escaped(one)));
        }
    }
    if difference.cut {
        line("", "there are more files than were compared");
    }
    if !stopped.told {
        line("portal", "not told yet: call `assay support session stop` again");
    }
    line("next", "remove the access that you opened, and the accounts and keys above that are not yours");
    text
}

/// The same for programs.
pub(super) fn stopped_document(stopped: &Stopped) -> Value {
    let difference = &stopped.difference;
    json!({
        "record": output::value(&stopped.record).unwrap_or_default(),
        "portal_told": stopped.told,
        "compared_by": output::value(&stopped.compared_by).unwrap_or_default(),
        "why_no_copy": stopped.why_no_copy,
        "added": difference.added,
        "removed": difference.removed,
        "changed": difference.changed,
        "new_accounts": difference.accounts,
        "new_keys": difference.keys,
        "new_services": difference.services,
        "more_files": difference.cut,
    })
}
