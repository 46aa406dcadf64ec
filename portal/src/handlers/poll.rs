//! `GET /api/v1/poll`: what is open for a device, signed and bound to the call.
//!
//! With `known=STATE` in the query the answer is held for at most a minute, while that is still the state and a request
//! or session is open, or `wait=1` says that somebody waits at the device. A revoked key is told that it is revoked,
//! and nothing else. Requests are issued by other processes too, so a held poll looks at the database each second, or when
//! PostgreSQL tells of a change.

use std::time::Duration;

use assay_bundle::digest::sha256_hex;
use assay_bundle::health_report::is_boot_id;
use assay_bundle::poll::{
    LONGEST_HOLD_S, LONGEST_INTERVAL_S, MOST_CANCELLED, MOST_REQUESTS, PollAnswer, ReplacementHint,
    ReplacementRole, SessionOffer, USUAL_INTERVAL_S, VersionNotice,
};
use assay_bundle::statement::{STATEMENT_FORMAT, Signed};
use axum::Json;
use axum::extract::{Request, State};
use tokio::time::Instant;

use crate::app::{App, Shared};
use crate::boots::{Heard, Used};
use crate::clock;
use crate::device_call::{self, Caller};
use crate::display::visible;
use crate::ledger::record::Status;
use crate::refusal::Refusal;
use crate::store::Kind;
use crate::store::devices::Device;
use crate::store::sessions::SupportSession;

/// Interval while a request or session is open, in seconds (judgement: an owner at the page waits no longer).
const OPEN_INTERVAL_S: u32 = 30;
/// How often a held poll looks.
const LOOK: Duration = Duration::from_secs(1);
/// How often it looks where the database tells of changes: for what it could not tell.
const LOOK_IF_TOLD: Duration = Duration::from_secs(15);
/// Held for less than what is promised, so that the answer is on its way in time.
const HOLD: Duration = Duration::from_secs(LONGEST_HOLD_S as u64 - 5);

/// Answers, sooner or later.
pub(super) async fn handle(State(app): State<Shared>, request: Request) -> Result<Json<Signed>, Refusal> {
    let (parts, _) = request.into_parts();
    let Caller { device, nonce } = device_call::known(&parts)?;
    let query = parts.uri.query().unwrap_or_default();
    let known = query.split('&').find_map(|pair| pair.strip_prefix("known="));
    let waits = query.split('&').any(|pair| pair == "wait=1");
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    heard(&app, &device, value("boot"), value("seq").and_then(|seq| seq.parse().ok())).await?;
    let mut answer = look(&app, &device, &nonce).await?;
    let held = match known {
        Some(known) if known == answer.state && !answer.revoked && (waits || is_open(&answer)) => {
            app.polls.hold(&device.id)
        }
        _ => None,
    };
    if let Some(held) = held {
        let until = Instant::now() + HOLD;
        let state = answer.state.clone();
        let look_every = if app.store.kind() == Kind::Sqlite { LOOK } else { LOOK_IF_TOLD };
        while answer.state == state && held.goes_on() && Instant::now() < until {
            held.rest(look_every).await;
            // Read anew: the key may be revoked while its poll is held.
            let Some(device) = app.store.of(&device.tenant).device(&device.id).await? else { break };
            answer = look(&app, &device, &nonce).await?;
        }
    }
    let signed = Signed::new(&answer, &app.online).map_err(|error| Refusal::internal(&error))?;
    Ok(Json(signed))
}

/// Keeps which boot of a device called, where it tells.
pub(super) async fn heard(
    app: &App,
    device: &Device,
    boot_id: Option<&str>,
    seq: Option<u64>,
) -> Result<(), Refusal> {
    let Some(boot_id) = boot_id.filter(|id| is_boot_id(id) && device.revoked_at.is_none()) else {
        return Ok(());
    };
    let heard = Heard {
        boot_id: boot_id.to_owned(),
        at: clock::now_unix_s(),
        is_live: true,
        made_at: None,
        seq: seq.and_then(|seq| i64::try_from(seq).ok()),
        used: Used::No,
    };
    if let Some(doubt) = app.store.of(&device.tenant).heard(&device.id, &heard).await? {
        tracing::warn!(device = %device.id, doubt = doubt.kind(), "doubt about the unit behind a key");
    }
    Ok(())
}

fn is_open(answer: &PollAnswer) -> bool {
    !answer.requests.is_empty() || !answer.sessions.is_empty()
}

/// What there is to tell now.
async fn look(app: &App, device: &Device, nonce: &str) -> Result<PollAnswer, Refusal> {
    let now = clock::now_unix_s();
    let mut answer = PollAnswer {
        format: STATEMENT_FORMAT,
        device_id: device.id.clone(),
        key_id: device.key_id.clone(),
        call_nonce: nonce.to_owned(),
        made_unix_s: now,
        state: String::new(),
        interval_s: USUAL_INTERVAL_S,
        requests: Vec::new(),
        cancelled: Vec::new(),
        sessions: Vec::new(),
        closed_sessions: Vec::new(),
        latest: None,
        last_seq: u64::try_from(device.last_seq).unwrap_or_default(),
        revoked: device.revoked_at.is_some(),
        replacement: None,
        revoked_why: device.revoked_at.map(|_| visible(device.revoked_words()).chars().take(120).collect()),
        keys_number: app.keys_number,
    };
    if answer.revoked {
        answer.interval_s = LONGEST_INTERVAL_S;
    } else {
        fill(app, device, now, &mut answer).await?;
        if is_open(&answer) {
            answer.interval_s = OPEN_INTERVAL_S;
        }
    }
    answer.state = state(&answer)?;
    Ok(answer)
}

async fn fill(app: &App, device: &Device, now: i64, answer: &mut PollAnswer) -> Result<(), Refusal> {
    let open = app.store.of(&device.tenant).open_requests(&device.id, now).await?;
    answer.requests = open.iter().take(MOST_REQUESTS).map(|row| row.signed()).collect();
    answer.cancelled =
        app.store.of(&device.tenant).cancelled_requests(&device.id, now, MOST_CANCELLED as i64).await?;
    let sessions =
        app.store.of(&device.tenant).newest_support_sessions(Some(&device.id), MOST_REQUESTS as i64).await?;
    answer.sessions = sessions.iter().filter_map(|session| offer(session, now)).collect();
    answer.closed_sessions =
        sessions.iter().filter(|s| is_over(s, now)).map(|session| session.id.clone()).collect();
    answer.latest = app.store.of(&device.tenant).notice().await?.map(|notice| VersionNotice {
        version: notice.version,
        sha256: notice.sha256,
        url: notice.url,
    });
    // The holder of a unit that was reported stolen is told of no replacement.
    let unit = app.store.ledger_of_device(device.serial.as_deref()).await?;
    if unit.is_none_or(|unit| unit.status != Status::ReportedStolen)
        && let Some(serial) = &device.serial
        && let Some(replacement) = app.store.of(&device.tenant).replacement_of(serial).await?
    {
        let role = if replacement.old_serial == *serial {
            ReplacementRole::Replaced
        } else {
            ReplacementRole::Replacement
        };
        answer.replacement = Some(ReplacementHint {
            role,
            old_serial: replacement.old_serial,
            new_serial: replacement.new_serial,
        });
    }
    Ok(())
}

/// A session that the owner can still start.
fn offer(session: &SupportSession, now: i64) -> Option<SessionOffer> {
    let waits = session.started_at.is_none() && session.closed_at.is_none() && now < session.start_before;
    if !waits {
        return None;
    }
    Some(SessionOffer {
        id: session.id.clone(),
        request_id: session.request_id.clone(),
        engineer: session.engineer.clone(),
        method: serde_json::from_value(session.method.clone().into()).ok()?,
        most_hours: u32::try_from(session.most_hours).ok()?,
        start_before_unix_s: session.start_before,
    })
}

/// A session that runs no longer, whatever the device thinks, and of which the end is not known yet.
fn is_over(session: &SupportSession, now: i64) -> bool {
    session.stopped_at.is_none()
        && (session.closed_at.is_some() || session.hard_expiry.is_some_and(|end| now >= end))
}

/// Digest of all that is open: what changes with every call and every second is left out.
fn state(answer: &PollAnswer) -> Result<String, Refusal> {
    let still = PollAnswer {
        call_nonce: String::new(),
        made_unix_s: 0,
        state: String::new(),
        last_seq: 0,
        ..answer.clone()
    };
    let text = serde_json::to_vec(&still).map_err(|error| Refusal::internal(&error))?;
    Ok(sha256_hex(&text))
}
