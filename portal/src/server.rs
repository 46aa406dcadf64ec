//! Serving: open everything, listen, say so, work, and stop within five seconds when asked.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::app::{App, Shared, Worker};
use crate::busy::Busy;
use crate::config::{Settings, Tls};
use crate::files::{DataDir, write_whole};
use crate::identity::Identity;
use crate::password::Passwords;
use crate::polls::Polls;
use crate::refusal::chain;
use crate::store::news::News;
use crate::store::{Kind, Place, Store};
use crate::uploads::Locks;
use crate::{clock, ingest, routes, tls, uploads};

/// How long open connections may finish after the signal to stop.
const GRACE: Duration = Duration::from_secs(4);
/// How often what has run out is removed.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// How long until the line of news is tried again.
const DEAF: Duration = Duration::from_secs(5);
/// How long failed tries are remembered, in seconds: the longest window that counts them.
const FAILURES_KEPT_S: i64 = 3_600;

/// Serves until it is told to stop.
///
/// # Errors
/// When something that is needed cannot be opened, or the address cannot be listened on.
pub async fn serve(settings: Settings) -> anyhow::Result<()> {
    let dir = DataDir::open(&settings.data_dir)?;
    let place = settings.database(&dir);
    let _taken = match place {
        Place::Sqlite(_) => dir.take()?,
        Place::Postgres(_) => dir.share()?,
    };
    let identity = Identity::open(&dir)?;
    let listener = TcpListener::bind(settings.listen).with_context(|| {
        format!("cannot listen on {}: choose a free address with --listen", settings.listen)
    })?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let url = public_url(&settings, address)?;
    let host = url.strip_prefix("https://").map(|authority| host_of(authority).to_owned());
    let tls = tls::prepare(&settings.tls, &dir, host.as_deref())?;
    let card = identity.card(&settings.name, &url, &tls.pin);
    write_whole(&dir.card(), &serde_json::to_vec_pretty(&card)?, 0o644)?;
    let app: Shared = Arc::new(App {
        store: Store::open(&place).await?,
        card,
        online: identity.online,
        keys_number: identity.number,
        former_recipients: identity.former_recipients,
        busy: Busy::default(),
        exporting: tokio::sync::Mutex::new(()),
        worker: Worker {
            program: match settings.ingest_worker {
                Some(program) => program,
                None => std::env::current_exe().context("cannot find our own program")?,
            },
            deadline: Duration::from_secs(settings.worker_deadline_s),
        },
        locks: Locks::default(),
        me: uuid::Uuid::new_v4().to_string(),
        bell: Notify::new(),
        polls: Polls::default(),
        passwords: Passwords::new()?,
        dir,
    });
    uploads::sweep(&app).await?;
    if app.store.kind() == Kind::Sqlite {
        // Nobody else serves from this file: what the last run had in hand is free.
        app.store.end_leases(None).await?;
    }
    let mut workers = ingest::start(&app);
    workers.spawn(hear(app.clone()));
    let housekeeper = tokio::spawn(keep_house(app.clone()));

    let handle = Handle::new();
    tokio::spawn(stop_on_signal(handle.clone(), app.clone())?);
    let service = routes::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
    announce(&settings.tls, address)?;
    tracing::info!(%address, url = %app.card.url, name = %app.card.name, "serving");
    match tls.server {
        Some(config) => {
            let server = axum_server::from_tcp_rustls(listener, RustlsConfig::from_config(config))?;
            server.handle(handle).serve(service).await?;
        }
        None => axum_server::from_tcp(listener)?.handle(handle).serve(service).await?,
    }
    // A bundle in the worker's hands stays pending and is read at the next start.
    housekeeper.abort();
    workers.abort_all();
    app.store.end_leases(Some(&app.me)).await?;
    app.store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// The base address: as configured, or as listened on.
fn public_url(settings: &Settings, address: SocketAddr) -> anyhow::Result<String> {
    if let Some(url) = &settings.public_url {
        return Ok(url.clone());
    }
    if settings.tls == Tls::Elsewhere {
        anyhow::bail!(
            "no TLS: give --self-signed, or --tls-cert and --tls-key, or --public-url of the proxy that ends TLS"
        );
    }
    // An address that means "all" names no host; devices elsewhere need --public-url anyway.
    if address.ip().is_unspecified() {
        return Ok(format!("https://localhost:{}", address.port()));
    }
    Ok(format!("https://{address}"))
}

fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// The one line on stdout: whoever started us waits for it.
fn announce(tls: &Tls, address: SocketAddr) -> std::io::Result<()> {
    let scheme = if *tls == Tls::Elsewhere { "http" } else { "https" };
    let mut out = std::io::stdout().lock();
    writeln!(out, "listening on {scheme}://{address}")?;
    out.flush()
}

fn stop_on_signal(
    handle: Handle<SocketAddr>,
    app: Shared,
) -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        app.polls.stop();
        handle.graceful_shutdown(Some(GRACE));
    })
}

/// Wakes what waits for something that another portal wrote, for as long as we serve.
async fn hear(app: Shared) {
    loop {
        let lost = match app.store.news().await {
            Ok(None) => return,
            Ok(Some(mut line)) => loop {
                match line.next().await {
                    Ok(News::Bundle) => app.bell.notify_one(),
                    Ok(News::Device(id)) => app.polls.wake(Some(&id)),
                    Ok(News::Anything) => {
                        app.bell.notify_one();
                        app.polls.wake(None);
                    }
                    Err(error) => break error,
                }
            },
            Err(error) => error,
        };
        tracing::warn!(error = %chain(&lost), "other portals are not heard; it is tried again");
        tokio::time::sleep(DEAF).await;
    }
}

/// Removes what has run out, for as long as we serve.
async fn keep_house(app: Shared) {
    let mut tick = tokio::time::interval(HOUSEKEEPING);
    loop {
        tick.tick().await;
        if let Err(error) = remove_expired(&app, clock::now_unix_s()).await {
            tracing::error!(error = %format!("{error:#}"), "housekeeping failed; it is tried again");
        }
    }
}

async fn remove_expired(app: &App, now: i64) -> anyhow::Result<()> {
    app.store.prune_nonces(now).await?;
    app.store.prune_sessions(now).await?;
    app.store.prune_failures(now - FAILURES_KEPT_S).await?;
    for (tenant, id) in app.store.expired_uploads(now).await? {
        if uploads::drop_upload(app, &tenant, &id).await.is_ok_and(|dropped| dropped) {
            tracing::info!(upload = %id, "gave up an upload that ran out");
        }
    }
    Ok(())
}
