//! The support part of `assay status`: who asks for something, what may leave without asking, who looks in, which drives
//! test themselves. Reads only: what ran out is said here and put away by whoever acts on it.

use assay_diagnosis::text::escaped;
use serde::Serialize;

use crate::clock::rfc3339;
use crate::commands::selftest;
use crate::commands::support::words::step;
use crate::context::Context;
use crate::selftest::queue::{Entry, Queue};
use crate::selftest::store::Store;
use crate::support::desk::Desk;
use crate::support::session::Session;
use crate::trouble;

/// What is open.
#[derive(Default, Serialize)]
pub(super) struct Support {
    /// Requests that are not over.
    open_requests: Vec<Request>,
    /// The standing consent, when one counts.
    standing_consent: Option<Standing>,
    /// The session that runs.
    session: Option<Running>,
    /// Self-tests that wait or run.
    self_tests: Vec<Entry>,
    /// Why something of this is not known.
    not_known: Vec<String>,
}

#[derive(Serialize)]
struct Request {
    id: String,
    engineer: String,
    state_words: String,
    expires_unix_s: i64,
}

#[derive(Serialize)]
struct Standing {
    expires_unix_s: i64,
    /// Bundles that left by it in the last day, of the one that may.
    used_today: u32,
    /// Since it was given.
    uses: u32,
    last_used_unix_s: Option<i64>,
}

#[derive(Serialize)]
struct Running {
    id: String,
    request_id: String,
    engineer: String,
    started_unix_s: i64,
    hard_expiry_unix_s: i64,
    /// Nobody has ended it although its time is over.
    is_overdue: bool,
}

/// Gathers it; a part that cannot be read costs itself only.
pub(super) fn gather(context: &Context, is_enrolled: bool) -> Support {
    let mut support = Support::default();
    let not_known = |what: &str, error: &anyhow::Error| format!("{what}: {}", trouble::parts(error).0);
    let mut lost = Vec::new();
    match Store::of(context).load() {
        Ok(Queue { entries }) => support.self_tests = entries.into_iter().filter(Entry::is_open).collect(),
        Err(error) => lost.push(not_known("self-tests", &error)),
    }
    // A device that is not enrolled can be asked for nothing.
    if is_enrolled {
        match Desk::open(context) {
            Ok(desk) => {
                let now = desk.now_unix_s();
                match requests(&desk) {
                    Ok(requests) => support.open_requests = requests,
                    Err(error) => lost.push(not_known("support requests", &error)),
                }
                match desk.look_at_standing() {
                    Ok(standing) => {
                        support.standing_consent = standing.map(|standing| Standing {
                            expires_unix_s: standing.expires_unix_s,
                            used_today: u32::from(!standing.may_use(now)),
                            uses: standing.uses,
                            last_used_unix_s: standing.last_used_unix_s,
                        });
                    }
                    Err(error) => lost.push(not_known("standing consent", &error)),
                }
                let running = desk.sessions().into_iter().find(Session::runs);
                support.session = running.map(|session| Running {
                    id: session.record.session_id,
                    request_id: session.record.request_id,
                    engineer: session.record.engineer,
                    started_unix_s: session.record.started_unix_s,
                    is_overdue: now >= session.record.hard_expiry_unix_s,
                    hard_expiry_unix_s: session.record.hard_expiry_unix_s,
                });
            }
            Err(error) => lost.push(not_known("support requests", &error)),
        }
    }
    support.not_known = lost;
    support
}

fn requests(desk: &Desk<'_>) -> anyhow::Result<Vec<Request>> {
    let moment = desk.moment();
    let mut open = Vec::new();
    for (id, mut record) in desk.store.all()? {
        record.handling.settle(&moment);
        if !record.handling.is_open() {
            continue;
        }
        let asked = record.asked()?;
        let (engineer, expires_unix_s) = (asked.engineer, asked.expires_unix_s);
        open.push(Request { id, engineer, state_words: step(&record), expires_unix_s });
    }
    Ok(open)
}

/// Lines for a person: name and value.
pub(super) fn lines(support: &Support) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    for (at, request) in support.open_requests.iter().enumerate() {
        let Request { id, engineer, state_words, expires_unix_s } = request;
        let until = rfc3339(*expires_unix_s);
        let name = if at == 0 { "requests" } else { "" };
        lines.push((name, format!("{id} by {}: {state_words}; until {until}", escaped(engineer))));
    }
    if !support.open_requests.is_empty() {
        lines.push(("", "`assay support show ID` says what is asked".to_owned()));
    }
    if let Some(standing) = &support.standing_consent {
        let until = rfc3339(standing.expires_unix_s);
        let last = standing.last_used_unix_s.map(|at| format!(", last {}", rfc3339(at))).unwrap_or_default();
        let (today, uses) = (standing.used_today, standing.uses);
        lines.push((
            "standing",
            format!("bundles may leave for requests without asking until {until}; {today} of 1 used today, {uses} in all{last}"),
        ));
    }
    if let Some(session) = &support.session {
        let (expiry, id) = (rfc3339(session.hard_expiry_unix_s), &session.id);
        let ends = match session.is_overdue {
            true => {
                format!("its time ended {expiry}: close the access and `assay support session stop {id}`")
            }
            false => format!("ends {expiry} at the latest; `assay support session stop {id}` ends it"),
        };
        lines.push(("session", format!("{id} by {}, {ends}", escaped(&session.engineer))));
    }
    let queue = Queue { entries: support.self_tests.clone() };
    lines.extend(selftest::lines(&queue, true));
    lines.extend(support.not_known.iter().map(|why| ("not known", why.clone())));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_in_words() {
        let support = Support {
            open_requests: vec![Request {
                id: "0199-a".to_owned(),
                engineer: "Ada".to_owned(),
                state_words: "waits for your answer".to_owned(),
                expires_unix_s: 86_400,
            }],
            standing_consent: Some(Standing {
                expires_unix_s: 172_800,
                used_today: 1,
                uses: 3,
                last_used_unix_s: Some(0),
            }),
            session: Some(Running {
                id: "0199-s".to_owned(),
                request_id: "0199-a".to_owned(),
                engineer: "Ada".to_owned(),
                started_unix_s: 0,
                hard_expiry_unix_s: 7_200,
                is_overdue: false,
            }),
            self_tests: Vec::new(),
            not_known: vec!["x".to_owned()],
        };
        let text: Vec<String> = lines(&support).into_iter().map(|(n, v)| format!("{n} {v}")).collect();
        let text = text.join("\n");
        for expected in [
            "requests 0199-a by Ada: waits for your answer; until 1970-01-02T00:00:00Z",
            "until 1970-01-03T00:00:00Z; 1 of 1 used today, 3 in all, last 1970-01-01T00:00:00Z",
            "session 0199-s by Ada, ends 1970-01-01T02:00:00Z at the latest",
            "not known x",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert_eq!(lines(&Support::default()), []);
    }
}
