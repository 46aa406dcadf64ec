//! Jobs that read the machine: the sample of the flight recorder, and the check, which seals a bundle when something is
//! new or worse. A bundle that is sealed here is held: it has no form for the portal, so nothing sends it before a person
//! says `assay upload`.

use std::path::Path;
use std::sync::Arc;

use assay_bundle::manifest::Reason;
use assay_bundle::redact::Level;
use assay_collector::remember::any_asleep;

use crate::context::Context;
use crate::daemon::board::{self, CHECKED};
use crate::daemon::child::Told;
use crate::daemon::journal;
use crate::daemon::news::{self, Checked, Known};
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
    Ok(Told { words: words.to_owned(), drives_awake: Some(awake) })
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
    let (mut run, content) = runtime::block_on(pipeline::examine_to_seal(
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
    let known = before.as_ref().map(|b| b.findings.clone()).unwrap_or_default();
    let new: Vec<Known> = news::news(&known, &findings).into_iter().cloned().collect();
    let mut sealed_unix_s = before.map(|b| b.sealed_unix_s).unwrap_or_default();
    let now = context.clock.now_unix_s;
    let mut words = run.diagnosis.overall.words().to_owned();
    // What is not sealed now is new again at the next check.
    let mut remembered = findings;
    if !new.is_empty() {
        let codes = codes(&new);
        words = format!("{words}; new or worse: {codes}");
        let allowed = news::may_seal(&mut sealed_unix_s, now, config.run_bundles_per_day);
        let outcome = match (awake, allowed) {
            (false, _) => {
                remembered = known;
                "drives sleep, so a bundle is sealed at the next check".to_owned()
            }
            (true, false) => "no bundle: today's are sealed already (run.bundles_per_day)".to_owned(),
            (true, true) => {
                let stand_ins = std::mem::take(&mut run.stand_ins);
                let slot = context.spool(&settings).and_then(|spool| Ok(spool.begin()?))?;
                let draft = seal::draft(&run, context.clock, identity.sequence().next()?, Reason::Finding);
                let key = identity.key_or_new()?;
                // Nobody but the owner can read it: sealing it for the portal is part of sending it.
                let sealing = Sealing { draft, content, key, recipients: Vec::new() };
                let (clock, table) = (context.clock, context.paths.memory_dir.clone());
                let (_, entry) = runtime::block_on(runtime::blocking(move |stop| {
                    if let Some(folder) = table
                        && let Err(error) = stand_ins::keep(&folder, stand_ins)
                    {
                        tracing::warn!("{error:#}; `assay unmask` will not know this bundle's stand-ins");
                    }
                    sealing.into_spool(slot, clock, stop)
                }))?;
                sealed_unix_s.push(now);
                journal::to_syslog(&format!(
                    "{}: {codes}. A bundle was sealed and is kept here; `assay show` shows it, `assay upload` sends it",
                    run.diagnosis.overall.words()
                ));
                format!("bundle {} is sealed and held", entry.id)
            }
        };
        words = format!("{words}; {outcome}");
    }
    let summary = assay_bundle::manifest::Summary::of(&run.diagnosis);
    let facts = &run.facts.identity;
    let checked = Checked {
        at_unix_s: now,
        at_boot_s: board::boot_s(),
        boot_id: board::boot_id(),
        overall: run.diagnosis.overall,
        cannot_tell: summary.cannot_tell,
        rule_pack: run.diagnosis.rule_pack,
        model: facts.model.value().cloned(),
        serial: facts.serial.value().cloned().filter(|_| run.level == Level::Standard),
        firmware: facts.firmware.value().cloned(),
        findings: remembered,
        sealed_unix_s,
    };
    output::replace_private(&folder.join(CHECKED), &serde_json::to_vec(&checked)?)?;
    Ok(Told { words, drives_awake: Some(awake) })
}

/// Codes without doubles.
fn codes(findings: &[Known]) -> String {
    let mut codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    codes.dedup();
    codes.join(", ")
}
