//! `assay backup list` and `show`: what copies there are, and what one holds.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use assay_bundle::units::Bytes;
use assay_diagnosis::text::escaped;

use super::words;
use crate::backup::{self, keys, shelf};
use crate::context::Context;
use crate::output;

pub(super) fn list(json: bool, context: &Context) -> anyhow::Result<u8> {
    let lost = keys::Known::read(context)?.lost;
    let held: Vec<_> = shelf::folders(context).iter().flat_map(|folder| shelf::held(folder)).collect();
    if json {
        let rows: Vec<_> = held
            .iter()
            .map(|held| {
                serde_json::json!({
                    "path": held.path,
                    "number": held.number,
                    "size_bytes": held.size_bytes,
                    "receipt": held.receipt,
                    "key_lost": held.is_lost(&lost),
                })
            })
            .collect();
        output::print_json(&rows)?;
        return Ok(0);
    }
    let mut text = String::new();
    for held in &held {
        let state = match &held.receipt {
            _ if held.is_lost(&lost) => "unreadable: its key is lost".to_owned(),
            None => "unproven: it has no receipt".to_owned(),
            Some(receipt) if receipt.size_bytes != held.size_bytes => {
                "damaged: it has another size".to_owned()
            }
            Some(receipt) => {
                format!("{}, {} entries, {}", receipt.made_at, receipt.entries, receipt.level.words())
            }
        };
        let _ = writeln!(
            text,
            "{:>5}  {:>9}  {state}\n       {}",
            held.number,
            Bytes(held.size_bytes),
            held.path.display()
        );
    }
    if held.is_empty() {
        text.push_str("There is no recovery copy. `assay backup create` makes one.\n");
    }
    output::print(text)?;
    Ok(0)
}

pub(super) fn show(copy: &str, identity: Option<&Path>, json: bool, context: &Context) -> anyhow::Result<u8> {
    let path = shelf::find(context, copy)?;
    let receipt = shelf::receipt(&path);
    let Some(identity) = identity else {
        let receipt = receipt?;
        match json {
            true => output::print_json(&receipt)?,
            false => output::print(format!("{}\n{}", path.display(), words(&receipt)))?,
        }
        return Ok(0);
    };
    let key = keys::identity(Some(identity))?;
    if json {
        let (head, entries) = backup::verify(&path, &key)?;
        output::print_json(
            &serde_json::json!({ "receipt": receipt.ok(), "head": head, "entries": entries }),
        )?;
        return Ok(0);
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (head, entries) = backup::list(&path, &key, &mut out)?;
    let known = |value: &Option<String>| escaped(value.as_deref().unwrap_or("unknown"));
    let mut text = format!(
        "{entries} entries of model {}, firmware {}, made at {}\n",
        known(&head.model),
        known(&head.firmware),
        escaped(&head.made_at)
    );
    for (name, version) in &head.packages {
        let _ = writeln!(text, "package {} {}", escaped(name), escaped(version));
    }
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(0)
}
