//! `assay verify`: is this bundle whole, and whose is it? Says which key, for what purpose, and what was not checked.

use std::path::PathBuf;

use assay_bundle::keys::PublicKey;
use assay_bundle::manifest::RunSource;
use assay_bundle::units::Bytes;

use crate::bundle_file::Opened;
use crate::cli::exit_codes;
use crate::context::Context;
use crate::output;
use crate::trouble::{NextStep, refuse};

/// Check a bundle's signature, digests and every file in it
#[derive(clap::Args)]
#[command(after_help = concat!(
    "Without --key or --signer the bundle must be this device's own. The same with stock tools:\n\
     ssh-keygen -Y verify -f allowed_signers -I NAME -n assay-bundle -s manifest.json.sig < manifest.json\n\
     Next: `assay show FILE` for what it says, `assay replay FILE` to judge its recorded outputs again.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// The bundle (.assay)
    file: PathBuf,
    /// File with the public key that must have signed it (ssh-ed25519 …)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The public key itself, "ssh-ed25519 …"
    #[arg(long, value_name = "KEY", conflicts_with = "key")]
    signer: Option<String>,
    /// Secret key that opens an encrypted bundle (written by age-keygen)
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

/// Verifies; ends with 0 or says why not.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let mut opened = Opened::read(&args.file)?;
    let (key, whose) = expected_key(&args, context, &opened)?;
    opened.verify_signature(&key)?;
    let namespace = opened.envelope.manifest.namespace();
    let live = opened.envelope.manifest.source == RunSource::Live;
    let manifest = opened.envelope.manifest.clone();
    let form = if opened.is_sealed() { "encrypted" } else { "plain" };
    let (files, payload_bytes) = match opened.is_sealed() && args.identity.is_none() {
        true => {
            let size_bytes = opened.envelope.payload_bytes;
            opened.check_payload()?;
            (None, size_bytes)
        }
        false => {
            let (envelope, entries) = opened.entries(args.identity.as_deref(), &|_| false)?;
            (Some(entries.list.len()), envelope.payload_bytes)
        }
    };
    if args.json {
        output::print_json(&serde_json::json!({
            "valid": true,
            "key_id": key.fingerprint(),
            "key_from": whose,
            "namespace": namespace,
            "evidence": live,
            "form": form,
            "entries_checked": files,
            "manifest": manifest,
        }))?;
        return Ok(0);
    }
    let evidence = match live {
        true => "a live run: evidence, as far as this key is trusted",
        false => "not a live run: not evidence",
    };
    let content = match files {
        Some(files) => format!("{files} files, each matches its digest ({})", Bytes(payload_bytes)),
        None => format!(
            "whole and unchanged ({}), its files not opened: encrypted, see --identity",
            Bytes(payload_bytes)
        ),
    };
    output::print(format!(
        "good       signed by {}, {whose}\n\
         purpose    {namespace}: {evidence}\n\
         payload    {content}\n\
         verdict    {} (the device's own; `assay replay` judges again)\n",
        key.fingerprint(),
        manifest.summary.overall.words(),
    ))?;
    Ok(0)
}

/// The key that must have signed it, and where that is known from.
fn expected_key(args: &Args, context: &Context, opened: &Opened) -> anyhow::Result<(PublicKey, String)> {
    let next = "give one line `ssh-ed25519 AAAA…`, as the portal's device page and `assay status` show it";
    if let Some(path) = &args.key {
        let named = path.display();
        let text = std::fs::read_to_string(path).or_advise(format!("cannot read {named}"), next)?;
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        let key = PublicKey::from_openssh(line.unwrap_or_default())
            .or_advise(format!("{named} holds no key"), next)?;
        return Ok((key, format!("the key in {named}")));
    }
    if let Some(line) = &args.signer {
        let key = PublicKey::from_openssh(line.trim()).or_advise("--signer is no key", next)?;
        return Ok((key, "the key that you gave".to_owned()));
    }
    let named = opened.named_key()?;
    match context.identity().public()? {
        Some(own) if own == named => Ok((own, "this device's own key".to_owned())),
        own => Err(refuse(
            format!(
                "the bundle names the key {}, which is not this device's ({})",
                named.fingerprint(),
                own.map_or_else(|| "it has none".to_owned(), |own| own.fingerprint()),
            ),
            "say whose it must be with --key FILE or --signer \"ssh-ed25519 …\", from a source that you trust",
        )),
    }
}
