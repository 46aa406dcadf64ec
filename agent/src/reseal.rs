//! Sealing again what was sealed before enrolment, or for another portal.
//!
//! The encrypted form is part of what is signed, so it cannot be added later: the same content goes through the door
//! once more (which changes nothing that was already replaced) and gets a new manifest with a new number, the clock of
//! now, and the name of the manifest it came from in `resealed`. Only bundles that this device's own key signed are
//! sealed again: nobody else's word is signed here.

use std::path::Path;

use assay_bundle::digest::sha256_hex;
use assay_bundle::facts::Facts;
use assay_bundle::keys::SigningKey;
use assay_bundle::manifest::{Manifest, ManifestRedaction, Payload};
use assay_bundle::redact::{Door, PseudonymKey, Receipt};
use assay_bundle::seal::Content;
use assay_uploader::{Entry, Spool, State};
use serde_json::{Value, json};

use crate::bundle_file::{Entries, Opened};
use crate::clock::Clock;
use crate::identity::Identity;
use crate::runtime;
use crate::seal::{self, Sealing};
use crate::trouble::{NextStep, refuse};

/// Manifest field that names what a bundle was sealed again from.
const RESEALED: &str = "resealed";

/// What sealing again needs besides the bundle.
pub(crate) struct Resealer<'a> {
    /// Whose key and numbers.
    pub(crate) identity: &'a Identity,
    /// Where the new bundle goes.
    pub(crate) spool: &'a Spool,
    /// Who is to read it.
    pub(crate) recipient: &'a str,
    /// What the machine says of itself now (clock, boot, hostname); not redacted.
    pub(crate) here: &'a Facts,
    /// The clock now.
    pub(crate) clock: Clock,
}

/// What became of a bundle that was to be made ready.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// It is encrypted for this portal already.
    AsItIs,
    /// It was sealed again, under this name in the spool.
    Resealed(String),
    /// It is in the spool already, under this name.
    AlreadyThere(String),
    /// It cannot be sent, and why.
    Not(String),
}

impl Resealer<'_> {
    /// Makes an entry of the spool ready for this portal; the old entry goes once the new one is safe.
    pub(crate) async fn entry(&self, entry: &Entry) -> anyhow::Result<Ready> {
        if !matches!(entry.meta.state, State::Waiting | State::Uploading { .. }) {
            return Ok(Ready::AsItIs);
        }
        // Nobody has consented to it, and sealed again it would be another bundle than the one that was shown.
        if entry.held_for.is_some() {
            return Ok(Ready::AsItIs);
        }
        if let Some(sealed) = &entry.sealed {
            let manifest = Opened::read(sealed)?.envelope.manifest;
            // Under a key of an earlier enrolment the portal would not take it; under a replaced one it does.
            if self.is_for_us(&manifest) && self.identity.is_at_portal(&manifest.device.key_id)? {
                return Ok(Ready::AsItIs);
            }
        }
        let Some(plain) = &entry.plain else {
            return Ok(Ready::Not(
                "it is encrypted for another portal and its plain form is gone".to_owned(),
            ));
        };
        let ready = self.file(plain, Some(&entry.id)).await?;
        if matches!(ready, Ready::Resealed(_) | Ready::AlreadyThere(_)) {
            self.spool.remove(&entry.id)?;
        }
        Ok(ready)
    }

    /// Puts a bundle file into the spool for this portal. `from` is the entry that it is the plain form of.
    pub(crate) async fn file(&self, path: &Path, from: Option<&str>) -> anyhow::Result<Ready> {
        let key = self.identity.key_or_new()?;
        let mut opened = Opened::read(path)?;
        let manifest = opened.envelope.manifest.clone();
        let named = opened.named_key()?;
        if !self.identity.is_own(&named)? {
            return Ok(Ready::Not(format!("it was made by another key, {}", named.fingerprint())));
        }
        opened.verify_signature(&named)?;
        if manifest.redaction.rule_set == 0 {
            return Ok(Ready::Not("it has passed no redaction".to_owned()));
        }
        if let Some(request) = &manifest.request_id {
            return Ok(Ready::Not(format!(
                "it answers the support request {request} and leaves only with your consent to exactly its bytes: \
                 `assay support approve {request}`"
            )));
        }
        let digest = sha256_hex(&opened.envelope.manifest_bytes);
        if let Some(id) = self.already_there(&manifest, &digest, from)? {
            return Ok(Ready::AlreadyThere(id));
        }
        if opened.is_sealed() {
            if !self.is_for_us(&manifest) {
                return Ok(Ready::Not("it is encrypted for another portal; name its plain form".to_owned()));
            }
            opened.check_payload()?;
            return self.copy_sealed(path, &manifest).map(Ready::Resealed);
        }
        let (_, entries) = opened.entries(None, &|name| name != "entries.json")?;
        let pseudonyms = self.identity.pseudonym_key_or_new()?;
        let hostname = self.here.identity.hostname.value().map(String::as_str);
        let content = content_again(entries, &pseudonyms, hostname)?;
        let draft = self.draft(manifest, &digest)?;
        self.seal(draft, content, key).await.map(Ready::Resealed)
    }

    fn is_for_us(&self, manifest: &Manifest) -> bool {
        manifest.recipients.iter().any(|recipient| recipient == self.recipient)
    }

    /// The entry that is this bundle (its number is its own), or was sealed again from it: a run that was cut short
    /// between two steps, or a file that was named twice, must not double a bundle.
    fn already_there(
        &self,
        manifest: &Manifest,
        digest: &str,
        except: Option<&str>,
    ) -> anyhow::Result<Option<String>> {
        for entry in self.spool.entries()? {
            if Some(entry.id.as_str()) == except {
                continue;
            }
            if entry.meta.seq == manifest.seq || resealed_from(&entry).as_deref() == Some(digest) {
                return Ok(Some(entry.id));
            }
        }
        Ok(None)
    }

    fn copy_sealed(&self, path: &Path, manifest: &Manifest) -> anyhow::Result<String> {
        let slot = self.spool.begin()?;
        std::fs::copy(path, slot.sealed_path()).or_advise(
            format!("cannot copy {} into the spool", path.display()),
            "free some space on the data volume and call again",
        )?;
        let entry = slot.commit(seal::spool_entry(manifest, self.clock))?;
        Ok(entry.id)
    }

    /// The old manifest's statement under a new number and the clock of now.
    fn draft(&self, old: Manifest, digest: &str) -> anyhow::Result<Manifest> {
        let mut extra = old.extra;
        extra.insert(RESEALED.to_owned(), json!({ "manifest_sha256": digest, "seq": old.seq }));
        Ok(Manifest {
            agent: seal::agent(),
            seq: self.identity.sequence().next()?,
            boot_id: self.here.clock.boot_id.value().cloned(),
            clock: seal::manifest_clock(self.clock, Some(&self.here.clock)),
            payload: Payload::default(),
            redaction: ManifestRedaction::default(),
            recipients: Vec::new(),
            extra,
            ..old
        })
    }

    async fn seal(&self, draft: Manifest, content: Content, key: SigningKey) -> anyhow::Result<String> {
        let slot = self.spool.begin()?;
        let sealing = Sealing { draft, content, key, recipients: vec![self.recipient.to_owned()] };
        let clock = self.clock;
        let (_, entry) = runtime::blocking(move |stop| sealing.into_spool(slot, clock, stop)).await?;
        Ok(entry.id)
    }
}

/// Digest of the manifest that an entry was sealed again from. A damaged neighbour says nothing, and is no reason to
/// refuse another bundle: sending it says what is wrong with it.
fn resealed_from(entry: &Entry) -> Option<String> {
    let opened = Opened::read(entry.plain.as_deref().or(entry.sealed.as_deref())?).ok()?;
    let digest = opened.envelope.manifest.extra.get(RESEALED)?.get("manifest_sha256")?;
    digest.as_str().map(str::to_owned)
}

/// The content of an opened bundle through the door once more.
fn content_again(entries: Entries, key: &PseudonymKey, hostname: Option<&str>) -> anyhow::Result<Content> {
    let first: Receipt = entries.document("redaction.json")?;
    let mut door = Door::open(key, first.level)?;
    if let Some(hostname) = hostname {
        door.learn_host(hostname);
    }
    let mut clean = Vec::new();
    for (name, bytes) in entries.bytes {
        if let Some(path) = name.strip_prefix("raw/") {
            clean.extend(door.raw(path, &bytes));
        } else if name != "redaction.json" {
            let document: Value = serde_json::from_slice(&bytes).map_err(|_| {
                refuse(format!("{name} in the bundle is no JSON"), "collect anew; this bundle is damaged")
            })?;
            clean.push(door.document(&name, document)?.0);
        }
    }
    Ok(Content { entries: clean, receipt: merged(first, door.close()?) })
}

/// The first receipt says what was replaced; the second pass adds what it still found.
fn merged(first: Receipt, mut second: Receipt) -> Receipt {
    for (kind, count) in first.replaced {
        *second.replaced.entry(kind).or_default() += count;
    }
    for (path, why) in first.left_out {
        second.left_out.entry(path).or_insert(why);
    }
    second
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(replaced: &[(&str, u64)], left_out: &[(&str, &str)]) -> Receipt {
        Receipt {
            rule_set: 1,
            replaced: replaced.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
            left_out: left_out.iter().map(|(path, why)| ((*path).to_owned(), (*why).to_owned())).collect(),
            ..Receipt::default()
        }
    }

    #[test]
    fn the_second_pass_forgets_nothing() {
        let first = receipt(&[("mac", 3), ("host", 1)], &[("etc/shadow", "secret")]);
        let second = receipt(&[("mac", 1)], &[("etc/x", "new")]);
        let expected = receipt(&[("host", 1), ("mac", 4)], &[("etc/shadow", "secret"), ("etc/x", "new")]);
        assert_eq!(merged(first, second), expected);
    }
}
