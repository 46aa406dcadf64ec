//! `assay judge`: outputs that were gathered by other means, read and judged like a machine's own.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use assay_bundle::manifest::RunSource;
use assay_collector::judge::{self, Judged, MAX_PASTED_BYTES, Part, Pasted};
use assay_diagnosis::report::{Material, Origin, View};

use crate::cli::exit_codes;
use crate::context::Context;
use crate::output;
use crate::pipeline::{self, Run};
use crate::report::ReportArgs;
use crate::trouble::{NextStep, refuse};

/// Judge outputs of other tools: smartctl, kernel logs, mdstat, QTS commands and more
#[derive(clap::Args)]
#[command(after_help = concat!(
    "Known are:\n\
     - smartctl as text or JSON, a kernel log (dmesg, /dev/kmsg, syslog, kept kmsg files), /proc/mdstat;\n\
     - mdadm --detail, zpool status (text or -j), lvs, pvs, dmsetup status, ipmitool sdr and sel, upsc;\n\
     - a shell session with getsysinfo, hal_app, get_hwsn, getcfg or qcli_storage -d, prompts included;\n\
     - enclosure_N.conf, smart_E_P.info, hal_daemon.log, model.conf (printed with cat), pages of QTS's management,\n\
       rows of its event log.\n\n\
     Outputs are recognised by content, not by name; one file may hold several. Paste them whole and as they were\n\
     printed: a map of bays beside a drive's report tells its bay. The result is as good as the paste: it is no\n\
     evidence for a shipment, and what was not pasted is not judged. Nothing is read from this machine.\n\
     Next: `assay explain CODE` for a finding, `assay collect` on the NAS itself for evidence.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The outputs; `-` for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only what the outputs say, as JSON, without a judgement
    #[arg(long, conflicts_with = "json")]
    facts: bool,
    #[command(flatten)]
    report: ReportArgs,
    /// Facts and diagnosis as JSON
    #[arg(long)]
    json: bool,
}

/// Reads, judges, prints; the exit code is the verdict's.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let outputs = args.report.begin(args.json || args.facts)?;
    let mut files = Vec::new();
    for path in &args.files {
        files.push(read(path)?);
    }
    let Judged { collection, parts } = {
        let judged = judge::judge(&files);
        if !judged.found_anything() {
            return Err(refuse(
                format!("nothing that can be judged:\n{}", listed(&judged.parts).join("\n")),
                format!(
                    "give outputs of these forms, whole and as they were printed: {}",
                    judge::formats().join(", ")
                ),
            ));
        }
        judged
    };
    let settings = context.settings()?;
    let key = context.identity().pseudonym_key_for_showing()?;
    let run = pipeline::conclude(collection, RunSource::Judged, &key, settings.config.warranty_invoice_date)?;
    let view = view(&run, &parts);
    match (args.facts, args.json) {
        (true, _) => output::print_json(&output::value(&run.facts)?)?,
        (_, true) => output::print_json(&serde_json::json!({
            "source": run.source,
            "outputs": parts.iter().map(described).collect::<Vec<_>>(),
            "facts": output::value(&run.facts)?,
            "diagnosis": output::value(&run.diagnosis)?,
        }))?,
        _ => output::print(outputs.text(&view, "", ""))?,
    }
    outputs.finish(&view)?;
    Ok(run.diagnosis.overall.exit_code())
}

/// A file, or standard input for `-`.
fn read(path: &Path) -> anyhow::Result<Pasted> {
    let limit = MAX_PASTED_BYTES as u64;
    let mut bytes = Vec::new();
    let name = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(limit + 1)
            .read_to_end(&mut bytes)
            .or_advise("standard input cannot be read", "pipe an output into `assay judge -`")?;
        "standard input".to_owned()
    } else {
        let file = std::fs::File::open(path)
            .or_advise(format!("cannot open {}", path.display()), "name a file that can be read")?;
        file.take(limit + 1)
            .read_to_end(&mut bytes)
            .or_advise(format!("cannot read {}", path.display()), "name a file that can be read")?;
        path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
    };
    if bytes.len() > MAX_PASTED_BYTES {
        return Err(refuse(
            format!("{name} is larger than {} MiB", MAX_PASTED_BYTES / (1024 * 1024)),
            "cut it to the part in question",
        ));
    }
    Ok(Pasted { name, bytes })
}

/// One line for each output.
fn listed(parts: &[Part]) -> Vec<String> {
    let line = |part: &Part| {
        let format = part.format.unwrap_or("not recognised");
        match &part.trouble {
            Some(why) if part.format.is_some() => format!("{}: {format}, not read: {why}", part.place),
            _ => format!("{}: {format}, {} lines", part.place, part.lines),
        }
    };
    parts.iter().map(line).collect()
}

fn described(part: &Part) -> serde_json::Value {
    serde_json::json!({
        "place": part.place,
        "format": part.format,
        "lines": part.lines,
        "trouble": part.trouble,
    })
}

fn view(run: &Run, parts: &[Part]) -> View {
    View::of(&Material {
        entitlement: Some(&run.entitlement),
        inputs: &listed(parts),
        ..Material::new(&run.facts, &run.diagnosis, &run.recommendation, Origin::Judged)
    })
}
