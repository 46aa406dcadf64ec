//! `assay-portal session`: offer a remote session for a request that is ready, see its record, close it.
//!
//! Nothing here opens a way into a device, and no credential has a place here: the owner opens the way.

use anyhow::{Context, bail};
use assay_bundle::consent::Safeguard;
use assay_bundle::session::SessionRecord;
use assay_bundle::statement::{self, Statement};
use assay_bundle::support_request::SupportRequest;
use clap::Subcommand;

use super::request::{MOST_LISTED, one_device};
use crate::clock;
use crate::config::Settings;
use crate::display::visible;
use crate::store::TenantStore;
use crate::store::sessions::SupportSession;

/// What can be asked about sessions.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Sessions, newest first, with what differed afterwards.
    List {
        /// Only of this device: its name here, its key's fingerprint or its serial number.
        #[arg(long, value_name = "DEVICE")]
        device: Option<String>,
    },
    /// Offer a session for a request that is ready. It begins when the owner starts it.
    Open {
        /// Id of the request.
        request: String,
        /// Who will look, when it is not who asked.
        #[arg(long, value_name = "NAME")]
        engineer: Option<String>,
    },
    /// End a session from our side; the owner is told to remove the access.
    Close {
        /// Id of the session.
        id: String,
    },
}

/// Does what was asked.
///
/// # Errors
/// When something is not known or not ready, or the database fails.
pub async fn run(settings: &Settings, command: SessionCommand) -> anyhow::Result<()> {
    let opened = super::Opened::of(settings).await?;
    let store = opened.tenant();
    let text = match command {
        SessionCommand::List { device } => list(store, device.as_deref()).await?,
        SessionCommand::Open { request, engineer } => open(store, &request, engineer).await?,
        SessionCommand::Close { id } => close(store, &id).await?,
    };
    opened.close().await;
    super::print(&text)?;
    Ok(())
}

async fn list(store: TenantStore<'_>, device: Option<&str>) -> anyhow::Result<String> {
    let device = match device {
        Some(text) => Some(one_device(store, text).await?.id),
        None => None,
    };
    let now = clock::now_unix_s();
    let mut text = String::new();
    for session in store.newest_support_sessions(device.as_deref(), MOST_LISTED).await? {
        text.push_str(&format!(
            "{}  {}  {:<26}  request {}  by {}\n",
            session.id,
            clock::for_people(session.opened_at),
            session.state_words(now),
            session.request_id,
            visible(&session.engineer)
        ));
        text.push_str(&difference(&session)?);
    }
    if text.is_empty() {
        text.push_str("no sessions; offer one with: assay-portal session open REQUEST\n");
    }
    Ok(text)
}

fn difference(session: &SupportSession) -> anyhow::Result<String> {
    let Some(document) = &session.stop_document else { return Ok(String::new()) };
    let record: SessionRecord = statement::read(document)?;
    let how = record.ended_by.map_or("", assay_bundle::session::SessionEnd::words);
    Ok(match record.difference {
        Some(d) => format!(
            "    {how}; files: {} new, {} gone, {} changed; new: {} accounts, {} keys, {} services\n",
            d.paths_added, d.paths_removed, d.paths_changed, d.new_accounts, d.new_keys, d.new_services
        ),
        None => format!("    {how}; what differed is not known: a copy is missing\n"),
    })
}

async fn open(store: TenantStore<'_>, request: &str, engineer: Option<String>) -> anyhow::Result<String> {
    let row = store
        .request(request)
        .await?
        .with_context(|| format!("there is no request {request:?}: see assay-portal request list"))?;
    let now = clock::now_unix_s();
    if !row.ready.is_set() {
        bail!("request {} is not ready for remote support: it is {}", row.id, row.state_words(now));
    }
    let asked = row.request()?;
    let Some(wanted) = asked.remote_session() else {
        bail!("request {} asked for no session: issue a new one with --session", row.id);
    };
    let kept = store.consent(&row.id).await?.context("the request has no consent any more")?;
    let start_before = match kept.consent()?.safeguard {
        Safeguard::Copy(_) => row.expires_at,
        // Without a copy, "ready" lapses with the waiver.
        Safeguard::Waiver(waiver) => row.expires_at.min(waiver.expires_unix_s),
    };
    if now >= start_before {
        bail!("request {} or its waiver has lapsed: issue a new request", row.id);
    }
    let session = SupportSession {
        id: uuid::Uuid::now_v7().to_string(),
        request_id: row.id.clone(),
        device_id: row.device_id.clone(),
        engineer: engineer.unwrap_or(asked.engineer.clone()),
        method: serde_json::to_string(&wanted.method)?.trim_matches('"').to_owned(),
        most_hours: i64::from(wanted.most_hours),
        opened_at: now,
        start_before,
        started_at: None,
        hard_expiry: None,
        start_document: None,
        stopped_at: None,
        stop_document: None,
        closed_at: None,
    };
    // The rules for a name are those of a request.
    let named = SupportRequest { engineer: session.engineer.clone(), ..asked };
    Statement::check(&named).map_err(anyhow::Error::msg)?;
    if !store.open_support_session(&session).await? {
        bail!("request {} has a session that is not over: see assay-portal session list", row.id);
    }
    Ok(format!(
        "session      {}\nstart before {}\nIt begins when the owner starts it: assay support session start {}\n",
        session.id,
        clock::for_people(start_before),
        session.id
    ))
}

async fn close(store: TenantStore<'_>, id: &str) -> anyhow::Result<String> {
    let session = store
        .support_session(id)
        .await?
        .with_context(|| format!("there is no session {id:?}: see assay-portal session list"))?;
    let now = clock::now_unix_s();
    if !store.close_support_session(&session.id, now).await? {
        bail!("session {} is over: it is {}", session.id, session.state_words(now));
    }
    Ok(format!("session      {} closed; the owner is told to remove the access\n", session.id))
}
