//! Jobs that read the machine: the sample of the flight recorder, and the check, which seals a bundle when something is
//! new or worse. A bundle that is sealed here is held: it has no form for the portal, so nothing sends it before a person
//! says `assay upload`.

use std::path::Path;
use std::sync::Arc;

use assay_bundle::manifest::{Reason, Summary};
use assay_bundle::redact::Level;
use assay_bundle::seal::Content;
use assay_collector::remember::any_asleep;

use crate::config::Settings;
use crate::context::Context;
use crate::daemon::board::{self, CHECKED};
use crate::daemon::child::Told;
use crate::daemon::journal;
use crate::daemon::news::{self, Checked, Known};
use crate::pipeline::Run;
use crate::seal::{self, Sealing};
use crate::terminal::Line;
use crate::{output, pipeline, runtime, source, stand_ins};

/// One sample: reads, remembers what changed, judges nothing.
pub(super) fn sample(context: &Context) -> anyhow::Result<Told> {
    let settings = context.settings()?;
    let source = source::live(&settings.config, &context.paths)?;
    let key = context.identity().pseudonym_key_for_showing()?;
    let options = source::options(&settings.config, &Arc::new(Line::new()));
    let memory = context.memory(&settings, true);
    let invoice_date = settings.config.warranty_invoice_date;
    let run = runtime::block_on(pipeline::examine(&source, &options, &key, invoice_date, memory.as_ref()))?;
    let awake = !any_asleep(&run.facts.drives);
    let words = match (awake, memory.is_some()) {
        (_, false) => "read; no data volume is mounted, so nothing is kept",
        (true, true) => "read, and what changed is kept",
        (false, true) => "read; drives sleep, so nothing is written",
    };
    Ok(Told { words: words.to_owned(), drives_awake: Some(awake), ..Told::default() })
}

/// The check: reads, diagnoses, compares with the last one.
pub(super) fn check(context: &Context, folder: &Path) -> anyhow::Result<Told> {
    let settings = context.settings()?;
    let config = &settings.config;
    let source = source::live(config, &context.paths)?;
    let identity = context.identity();
    let pseudonyms = identity.pseudonym_key_or_new()?;
    let options = source::options(config, &Arc::new(Line::new()));
    let memory = context.memory(&settings, true);
    let level = config.collect_redaction;
    let (run, content) = runtime::block_on(pipeline::examine_to_seal(
        &source,
        &options,
        &pseudonyms,
        level,
        config.warranty_invoice_date,
        memory.as_ref(),
    ))?;
    let awake = !any_asleep(&run.facts.drives);
    let before: Option<Checked> = board::read(&folder.join(CHECKED));
    let findings = news::findings(&run.diagnosis);
    let known = before.as_ref().map(|b| b.known.clone()).unwrap_or_default();
    let new: Vec<Known> = news::news(&known, &findings).into_iter().cloned().collect();
    let mut sealed_unix_s = before.map(|b| b.sealed_unix_s).unwrap_or_default();
    let now = context.clock.now_unix_s;
    let overall = run.diagnosis.overall;
    let mut words = overall.words().to_owned();
    // A sleeping drive says little: what is known of it does not end because it sleeps.
    let mut known_now = if awake { findings.clone() } else { known.clone() };
    let allowed = news::may_seal(&mut sealed_unix_s, now, config.run_bundles_per_day);
    let summary = Summary::of(&run.diagnosis);
    let identity_of_run = run.facts.identity.clone();
    let (rule_pack, run_level) = (run.diagnosis.rule_pack, run.level);
    if !new.is_empty() {
        let codes = codes(&new);
        let outcome = match (awake, allowed) {
            (_, false) => "no bundle: today's are sealed already (run.bundles_per_day)".to_owned(),
            (false, true) => "drives sleep, so a bundle is sealed at a later check".to_owned(),
            (true, true) => match hold(context, &settings, run, content) {
                Ok(id) => {
                    sealed_unix_s.push(now);
                    format!("bundle {id} is sealed and held")
                }
                // The check itself went well, and the next one tries again: the finding stays new.
                Err(error) => {
                    known_now = known;
                    format!("no bundle: {error:#}")
                }
            },
        };
        words = format!("{words}; new or worse: {codes}; {outcome}");
        if allowed {
            journal::to_syslog(&format!(
                "{}: new or worse: {codes}; {outcome}; `assay check` shows it, `assay upload` sends a bundle",
                overall.words()
            ));
        }
    }
    let facts = &identity_of_run;
    let checked = Checked {
        at_unix_s: now,
        at_boot_s: board::boot_s(),
        boot_id: board::boot_id(),
        overall,
        cannot_tell: summary.cannot_tell,
        rule_pack,
        model: facts.model.value().cloned(),
        serial: facts.serial.value().cloned().filter(|_| run_level == Level::Standard),
        firmware: facts.firmware.value().cloned(),
        findings,
        known: known_now,
        sealed_unix_s,
    };
    output::replace_private(&folder.join(CHECKED), &serde_json::to_vec(&checked)?)?;
    Ok(Told { words, drives_awake: Some(awake), ..Told::default() })
}

/// Seals a bundle that nobody but the owner can read, and gives its name in the spool: sealing it for the portal is part
/// of sending it.
fn hold(context: &Context, settings: &Settings, mut run: Run, content: Content) -> anyhow::Result<String> {
    let stand_ins = std::mem::take(&mut run.stand_ins);
    let identity = context.identity();
    let slot = context.spool(settings)?.begin()?;
    let draft = seal::draft(&run, context.clock, identity.sequence().next()?, Reason::Finding);
    let sealing = Sealing { draft, content, key: identity.key_or_new()?, recipients: Vec::new() };
    let (clock, table) = (context.clock, context.paths.memory_dir.clone());
    let (_, entry) = runtime::block_on(runtime::blocking(move |stop| {
        if let Some(folder) = table
            && let Err(error) = stand_ins::keep(&folder, stand_ins)
        {
            tracing::warn!("{error:#}; `assay unmask` will not know this bundle's stand-ins");
        }
        sealing.into_spool(slot, clock, stop)
    }))?;
    Ok(entry.id)
}

/// Codes without doubles.
fn codes(findings: &[Known]) -> String {
    let mut codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    codes.dedup();
    codes.join(", ")
}
