//! The poll: asks the portal for support requests, tells the owner of a new one, and tends to what is open.
//!
//! How often is the portal's word (design section 6: every 15 minutes, 10 seconds to six hours), give or take a tenth, so
//! that a fleet does not ask at once. While something is open, and for an hour after `assay support wait`, the portal
//! holds the call instead. A portal that is not reached is no failure of the daemon: it is said, and asked again at the
//! usual time. Nothing that says nothing new is written outside RAM.

use std::fs;

use assay_bundle::poll::{LONGEST_HOLD_S, LONGEST_INTERVAL_S, SHORTEST_INTERVAL_S, USUAL_INTERVAL_S};
use assay_uploader::PortalError;

use crate::context::Context;
use crate::daemon::child::Told;
use crate::daemon::journal;
use crate::output;
use crate::runtime;
use crate::support::desk::{Came, Desk, Looked};
use crate::update;

/// The unit was seen to be the one that was enrolled, under this key and in this boot: what cannot change is not looked
/// at with every poll.
const SEEN: &str = "same-unit";

/// Asks once.
pub(super) fn ask(context: &Context) -> anyhow::Result<Told> {
    // The daemon may not know yet that the owner took the device away from its portal.
    if !context.identity().enrolment_file().is_file() {
        return Ok(told("not enrolled, so nobody is asked", USUAL_INTERVAL_S));
    }
    let desk = Desk::open(context)?;
    runtime::block_on(async {
        same_unit(&desk).await?;
        let begun = std::time::Instant::now();
        let looked = match desk.look().await? {
            Ok(looked) => looked,
            Err(error) => return Ok(not_reached(&error)),
        };
        let held_s = begun.elapsed().as_secs();
        let tended = if desk.tends(&looked)? { tend(&desk).await? } else { Vec::new() };
        let version = update::hear(context, looked.answer.latest.as_ref());
        for line in news(&desk, &looked.came).into_iter().chain(version) {
            journal::to_syslog(&line);
        }
        let words = words(&looked, &tended);
        Ok(told(&words, wait_s(&looked, held_s)))
    })
}

fn told(words: &str, interval_s: u32) -> Told {
    let again_after_s = Some(jittered(interval_s, random()));
    Told { words: words.to_owned(), repeats: true, again_after_s, ..Told::default() }
}

/// One byte of randomness; the middle where the system gives none.
fn random() -> u8 {
    let mut byte = [128];
    let _ = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut byte);
    byte[0]
}

/// An interval give or take a tenth, within what a portal may set.
fn jittered(interval_s: u32, random: u8) -> u64 {
    let interval = u64::from(interval_s.clamp(SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S));
    let tenth = interval / 10;
    let moved = interval - tenth + 2 * tenth * u64::from(random) / 255;
    moved.clamp(u64::from(SHORTEST_INTERVAL_S), u64::from(LONGEST_INTERVAL_S))
}

/// When to ask again: at once after a call that was held, or at the portal's interval. A portal that should have held
/// the call and did not is not asked faster for it.
fn wait_s(looked: &Looked, held_s: u64) -> u32 {
    match looked.was_held && (looked.changed || held_s >= u64::from(LONGEST_HOLD_S / 2)) {
        true => SHORTEST_INTERVAL_S,
        false => looked.answer.interval_s,
    }
}

async fn same_unit(desk: &Desk<'_>) -> anyhow::Result<()> {
    let file = desk.store.ram().join(SEEN);
    let key_id = &desk.enrolment.key_id;
    if fs::read(&file).is_ok_and(|seen| seen == key_id.as_bytes()) {
        return Ok(());
    }
    super::report::same_unit(desk.context, &desk.settings.config, &desk.enrolment).await?;
    output::replace_private(&file, key_id.as_bytes())
}

fn not_reached(error: &PortalError) -> Told {
    told(&format!("the portal could not be asked: {error}"), USUAL_INTERVAL_S)
}

/// Ends sessions that nobody ended, and answers what a standing consent covers: what was done, in words.
async fn tend(desk: &Desk<'_>) -> anyhow::Result<Vec<String>> {
    let mut done = Vec::new();
    for stopped in desk.end_overdue_sessions().await? {
        let id = &stopped.record.session_id;
        done.push(format!("the session {id} is over: remove the access that you opened"));
    }
    desk.note_session_ends()?;
    for (id, ended) in desk.use_standing().await? {
        done.push(match ended {
            Ok(_) => format!("the standing consent was used for the request {id}"),
            Err(error) => format!("the request {id} could not be answered: {error:#}"),
        });
    }
    for line in &done {
        journal::to_syslog(line);
    }
    Ok(done)
}

/// What the owner is told of requests that are new.
fn news(desk: &Desk<'_>, came: &[Came]) -> Vec<String> {
    let line = |came: &Came| match came {
        Came::New(id) => {
            let who = desk.load(id).map(|(_, asked)| asked.engineer).unwrap_or_default();
            Some(format!("{who} asks for a bundle: `assay support show {id}` says what for"))
        }
        Came::Known(_) => None,
        Came::Not(why) => Some(format!("a support request was not listened to: {why}")),
    };
    came.iter().filter_map(line).collect()
}

/// What happened, or what there is.
fn words(looked: &Looked, tended: &[String]) -> String {
    if looked.answer.revoked {
        return "the portal has revoked this device's key, so it is asked for nothing: `assay enroll` with a new code"
            .to_owned();
    }
    let line = |came: &Came| match came {
        Came::New(id) => {
            Some(format!("the support request {id} came and waits for you: `assay support show {id}`"))
        }
        Came::Known(_) => None,
        Came::Not(why) => Some(format!("a support request was not listened to: {why}")),
    };
    let mut parts: Vec<String> = looked.came.iter().filter_map(line).chain(tended.iter().cloned()).collect();
    let (requests, sessions) = (looked.answer.requests.len(), looked.answer.sessions.len());
    if parts.is_empty() && requests + sessions > 0 {
        let count = |number: usize, noun: &str| {
            let end = if number == 1 { "" } else { "s" };
            (number > 0).then(|| format!("{number} {noun}{end}"))
        };
        let open = [count(requests, "support request"), count(sessions, "session")];
        parts.push(format!(
            "open: {}; `assay support list`",
            open.into_iter().flatten().collect::<Vec<_>>().join(", ")
        ));
    }
    if parts.is_empty() { "nobody asks for anything".to_owned() } else { parts.join("; ") }
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use assay_bundle::poll::PollAnswer;
    use assay_bundle::statement::Signed;

    #[test]
    fn a_fleet_does_not_ask_at_once() {
        fn check(interval_s: u32, least: u64, most: u64) {
            let all: Vec<u64> = (0..=255).map(|random| jittered(interval_s, random)).collect();
            assert_eq!((all.iter().min(), all.iter().max()), (Some(&least), Some(&most)), "{interval_s}");
        }
        check(900, 810, 990);
        check(30, 27, 33);
        check(10, 10, 11);
        check(1, 10, 11);
        check(21_600, 19_440, 21_600);
        check(u32::MAX, 19_440, 21_600);
    }

    fn looked(requests: usize, came: Vec<Came>) -> Looked {
        let signed = Signed { document: String::new(), signature: String::new() };
        let answer = PollAnswer {
            format: 1,
            device_id: "d".to_owned(),
            key_id: "k".to_owned(),
            call_nonce: "n".to_owned(),
            made_unix_s: 0,
            state: "s".to_owned(),
            interval_s: 30,
            requests: vec![signed; requests],
            cancelled: Vec::new(),
            sessions: Vec::new(),
            closed_sessions: Vec::new(),
            latest: None,
            last_seq: 0,
            revoked: false,
            revoked_why: None,
            keys_number: 0,
            replacement: None,
        };
        Looked { answer, came, changed: false, was_held: false }
    }

    #[test]
    fn asked_again_when_it_is_time() {
        fn check(was_held: bool, changed: bool, held_s: u64, expected: u32) {
            let looked = Looked { was_held, changed, ..looked(1, Vec::new()) };
            assert_eq!(wait_s(&looked, held_s), expected);
        }
        check(false, true, 0, 30);
        check(true, true, 3, 10);
        check(true, false, 55, 10);
        check(true, false, 0, 30);
    }

    #[test]
    fn what_is_said() {
        fn check(looked: &Looked, tended: &[String], expected: &str) {
            let words = words(looked, tended);
            assert!(words.contains(expected), "{words}");
        }
        check(&looked(0, Vec::new()), &[], "nobody asks for anything");
        check(&looked(2, Vec::new()), &[], "open: 2 support requests; ");
        check(&looked(1, vec![Came::New("R1".to_owned())]), &[], "R1 came and waits for you");
        check(&looked(1, vec![Came::Known("R1".to_owned())]), &[], "open: 1 support request; ");
        check(
            &looked(1, vec![Came::Not("it has expired".to_owned())]),
            &[],
            "not listened to: it has expired",
        );
        check(&looked(1, Vec::new()), &["the session S is over".to_owned()], "the session S is over");
        let mut revoked = looked(1, Vec::new());
        revoked.answer.revoked = true;
        check(&revoked, &[], "revoked");
    }
}
