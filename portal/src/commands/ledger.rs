//! `assay-portal ledger`: what was sold, what covers it, and who changed that.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use assay_warranty::entitlement_of;
use clap::{Args, Subcommand};

use crate::clock;
use crate::config::Settings;
use crate::display::visible;
use crate::ledger::csv::Limits;
use crate::ledger::import::{self, COLUMNS, Line, MOST_TOLD, Remark};
use crate::ledger::record::{Record, Status, serial};
use crate::ledger::{export, plans};
use crate::store::TenantStore;
use crate::store::ledger::{Actor, Change};
use crate::view::coverage_words;

/// Changes that `show` tells.
const MOST_CHANGES: i64 = 50;

/// What can be asked about the ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Take a table (CSV, comma or semicolon). Every line is right, or nothing is taken.
    ///
    /// Columns: serial, model, sold_to, invoice_date, country, us_state, plans, list_price, currency, status, series,
    /// standard_years, global_years, original_purchaser, channel, on_site_used. An empty cell leaves what is there, - clears it.
    Import {
        /// File.
        file: PathBuf,
        /// Say what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
        /// Who does this.
        #[command(flatten)]
        actor: ByWhom,
    },
    /// One unit: status, purchase, coverage today, and who changed what.
    Show {
        /// Serial number.
        serial: String,
    },
    /// Set columns of one unit, or add it.
    Set {
        /// Serial number.
        serial: String,
        /// What to set, as COLUMN=VALUE; the columns are those of import.
        #[arg(required = true, value_name = "COLUMN=VALUE")]
        values: Vec<String>,
        /// Who does this.
        #[command(flatten)]
        actor: ByWhom,
    },
    /// Nothing ships for this unit from now on, and its holder is told nothing.
    ReportStolen {
        /// Serial number.
        serial: String,
        /// Who does this.
        #[command(flatten)]
        actor: ByWhom,
    },
    /// A unit that came back was put right: it has no coverage, and may be enrolled and shipped again.
    Refurbished {
        /// Serial number.
        serial: String,
        /// Who does this.
        #[command(flatten)]
        actor: ByWhom,
    },
    /// Write the whole ledger as a table that import reads.
    Export,
}

/// Who changes something.
#[derive(Debug, Args)]
pub struct ByWhom {
    /// Your name here (assay-portal user add): whoever edits an entitlement neither confirms nor approves for it.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// What for, for the records here.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl ByWhom {
    /// The person as the portal knows it.
    async fn person(&self, store: TenantStore<'_>) -> anyhow::Result<String> {
        person(store, self.by.as_deref()).await
    }
}

/// The name of a person as first written.
///
/// # Errors
/// Nobody was named, or nobody has that name.
pub(super) async fn person(store: TenantStore<'_>, name: Option<&str>) -> anyhow::Result<String> {
    let name = name.context("say who does this: --by NAME")?;
    let person = store.person(name).await?;
    person.with_context(|| format!("nobody here is called {name:?}: assay-portal user add {name}"))
}

/// Does what was asked.
///
/// # Errors
/// When the rules refuse it, something is not known, or the database fails.
pub async fn run(settings: &Settings, command: LedgerCommand) -> anyhow::Result<()> {
    let opened = super::Opened::of(settings).await?;
    let store = opened.tenant();
    let text = match command {
        LedgerCommand::Import { file, dry_run, actor } => import(store, &file, dry_run, &actor).await?,
        LedgerCommand::Show { serial } => show(store, &serial).await?,
        LedgerCommand::Set { serial, values, actor } => set(store, &serial, &values, &actor).await?,
        LedgerCommand::ReportStolen { serial, actor } => {
            status(store, &serial, Status::ReportedStolen, &actor).await?
        }
        LedgerCommand::Refurbished { serial, actor } => {
            status(store, &serial, Status::Refurbished, &actor).await?
        }
        LedgerCommand::Export => {
            export(store).await?;
            String::new()
        }
    };
    opened.close().await;
    super::print(&text)?;
    Ok(())
}

fn known_serial(text: &str) -> anyhow::Result<String> {
    serial(text).map_err(anyhow::Error::msg)
}

fn today() -> anyhow::Result<jiff::civil::Date> {
    clock::today().context("the portal's clock tells no day: set it")
}

async fn import(
    store: TenantStore<'_>,
    file: &Path,
    dry_run: bool,
    actor: &ByWhom,
) -> anyhow::Result<String> {
    let size = std::fs::metadata(file).with_context(|| format!("cannot read {}", file.display()))?.len();
    if size > import::MOST_BYTES as u64 {
        bail!("{} is larger than {} MiB: split it", file.display(), import::MOST_BYTES >> 20);
    }
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let table = import::read(&bytes, today()?, Limits::default());
    refuse(&table.errors)?;
    let who = if dry_run && actor.by.is_none() { "dry run".to_owned() } else { actor.person(store).await? };
    let actor = Actor { who: &who, reason: &actor.reason, now: clock::now_unix_s() };
    let done = store.outside().ledger_import(&table.lines, dry_run, &actor).await?;
    refuse(&done.errors)?;
    let mut text = told(&table.warnings);
    text.push_str(&format!(
        "{}        {} units: {} new, {} changed, {} as they were\n",
        if dry_run { "would take" } else { "taken     " },
        done.added + done.changed + done.unchanged,
        done.added,
        done.changed,
        done.unchanged
    ));
    if dry_run {
        text.push_str("Nothing was changed. Next: the same without --dry-run\n");
    }
    Ok(text)
}

/// Remarks in lines, the first of them in words.
fn told(remarks: &[Remark]) -> String {
    let mut text = String::new();
    for remark in remarks.iter().take(MOST_TOLD) {
        text.push_str(&visible(&remark.to_string()));
        text.push('\n');
    }
    if let Some(more) = remarks.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        text.push_str(&format!("and {more} more\n"));
    }
    text
}

fn refuse(errors: &[Remark]) -> anyhow::Result<()> {
    if errors.is_empty() {
        return Ok(());
    }
    bail!("nothing was taken; mend these lines and try again:\n{}", told(errors).trim_end());
}

async fn show(store: TenantStore<'_>, typed: &str) -> anyhow::Result<String> {
    let serial = known_serial(typed)?;
    let record = store.outside().ledger_record(&serial).await?;
    let record = record.with_context(|| {
        format!("{serial} is not in the ledger: import it, or add it with assay-portal ledger set")
    })?;
    let mut text = lines(&record);
    let granted = entitlement_of(clock::today(), &record.purchase());
    for (name, coverage) in [
        ("standard", &granted.standard),
        ("extended", &granted.extended),
        ("advanced", &granted.advanced_replacement),
        ("on-site", &granted.on_site),
    ] {
        text.push_str(&format!("{name:<12} {}\n", visible(&coverage_words(coverage))));
    }
    for change in store.outside().ledger_history(&serial, MOST_CHANGES).await? {
        text.push_str(&change_line(&change));
    }
    Ok(text)
}

fn lines(record: &Record) -> String {
    let bought = &record.bought;
    let or = |value: Option<&str>| visible(value.unwrap_or("not recorded"));
    let mut text = format!(
        "serial       {}\nstatus       {}\nmodel        {}\nsold to      {}\ninvoice      {}\nplace        {} {}\n\
         plans        {}\nlist price   {}\n",
        record.serial,
        record.status,
        or(bought.model.as_deref()),
        or(record.sold_to.as_deref()),
        or(bought.invoice_date.as_deref()),
        or(bought.region.country.as_deref()),
        visible(bought.region.us_state.as_deref().unwrap_or_default()),
        if bought.plans.is_none() {
            "not recorded".to_owned()
        } else {
            plans::write(bought.plans.as_deref())
        },
        record.list_price.as_ref().map_or_else(|| "not recorded".to_owned(), ToString::to_string),
    );
    if let Some(serial) = &record.replaced_by {
        text.push_str(&format!("replaced by  {serial}\n"));
    }
    if let Some(serial) = &record.replaces {
        text.push_str(&format!("replaces     {serial}\n"));
    }
    if let Some(why) = record.status.bars_shipping() {
        text.push_str(&format!("SHIPS NOT    {why}\n"));
    }
    text
}

fn change_line(change: &Change) -> String {
    format!(
        "changed      {}  {} by {}{}{}\n",
        clock::for_people(change.at),
        change.action,
        visible(&change.who),
        if change.reason.is_empty() { "" } else { ": " },
        visible(&change.reason)
    )
}

async fn set(
    store: TenantStore<'_>,
    typed: &str,
    values: &[String],
    actor: &ByWhom,
) -> anyhow::Result<String> {
    let serial = known_serial(typed)?;
    let mut cells = Vec::new();
    for value in values {
        let (name, cell) = value.split_once('=').with_context(|| format!("{value:?} is not COLUMN=VALUE"))?;
        let column =
            COLUMNS.iter().map(|(column, _)| *column).find(|column| *column == name && name != "serial");
        let column = column.with_context(|| {
            let known: Vec<_> =
                COLUMNS.iter().skip(1).map(|(column, means)| format!("{column} ({means})")).collect();
            format!("{name:?} is no column that can be set: use {}", known.join(", "))
        })?;
        if cell.trim().is_empty() {
            bail!("{column} is set to nothing: write {column}=- to clear it");
        }
        cells.push((column, cell.trim()));
    }
    let (edits, errors) = import::edits(&cells, today()?);
    if !errors.is_empty() {
        let errors: Vec<_> = errors.iter().map(|(column, why)| format!("{column}: {why}")).collect();
        bail!("nothing was changed: {}", errors.join("; "));
    }
    let who = actor.person(store).await?;
    let actor = Actor { who: &who, reason: &actor.reason, now: clock::now_unix_s() };
    let record = store.outside().ledger_set(&Line { line: 1, serial, edits }, "set", &actor).await?;
    Ok(lines(&record))
}

async fn status(store: TenantStore<'_>, typed: &str, to: Status, actor: &ByWhom) -> anyhow::Result<String> {
    let serial = known_serial(typed)?;
    let who = actor.person(store).await?;
    let actor = Actor { who: &who, reason: &actor.reason, now: clock::now_unix_s() };
    let record = store.outside().ledger_status(&serial, to, &actor).await?;
    Ok(lines(&record))
}

/// Page by page, so that a large ledger takes no memory.
async fn export(store: TenantStore<'_>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(export::header().as_bytes())?;
    let mut last = String::new();
    loop {
        let page = store.outside().ledger_after(&last).await?;
        let Some(end) = page.last() else { break };
        last = end.serial.clone();
        for record in &page {
            out.write_all(export::line(record).as_bytes())?;
        }
    }
    out.flush()?;
    Ok(())
}
