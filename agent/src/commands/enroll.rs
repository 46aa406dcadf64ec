//! `assay enroll`: introduces this device to a portal. The owner compares before anything is promised; a code alone
//! is never enough, and nothing is trusted in silence.

use std::path::PathBuf;

use assay_bundle::enrolment::{EnrolmentRequest, PortalCard};
use assay_bundle::facts::Facts;
use assay_bundle::keys::SigningKey;

use crate::chassis::{self, Mark};
use crate::cli::exit_codes;
use crate::context::Context;
use crate::identity::Enrolment;
use crate::trouble::{NextStep, refuse};
use crate::{output, portal, revoked, runtime, source, terminal};

/// Introduce this device to a portal, with a one-time code from its operator
#[derive(clap::Args)]
#[command(after_help = concat!(
    "Shows who the portal says it is; compare the fingerprint with the one that came with the code. Without a\n\
     terminal --fingerprint is needed. Nothing is sent but model, serial number and digests that bind the key to\n\
     this unit. Next: `assay upload`.\n",
    exit_codes!()
))]
pub(crate) struct Args {
    /// Address of the portal: https://host or https://host:port
    #[arg(long, value_name = "URL")]
    portal: String,
    /// One-time code, as the portal shows it
    #[arg(long, value_name = "CODE")]
    code: String,
    /// Fingerprint of the portal that you expect, as it came with the code
    #[arg(long, value_name = "FINGERPRINT")]
    fingerprint: Option<String>,
    /// Certificates to trust besides the system's, PEM; kept for later uploads
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Proxy for this call, http://…, https://… or socks5://…
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Enrol with a new key: the old one was revoked, or may be known to others
    #[arg(long)]
    new_key: bool,
    /// The result as JSON
    #[arg(long)]
    json: bool,
}

/// Fetches the card, compares, enrols, keeps.
pub(crate) fn run(args: Args, context: &Context) -> anyhow::Result<u8> {
    let ca_file = args.ca_file.as_deref().map(std::path::absolute).transpose()?;
    let ca_flag = ca_file.as_ref().map(|path| ("portal.ca_file", path.display().to_string(), "--ca-file"));
    let proxy_flag = args.proxy.clone().map(|proxy| ("portal.proxy", proxy, "--proxy"));
    let settings = context.settings_with(ca_flag.into_iter().chain(proxy_flag).collect())?;
    portal::check_clock(context.clock)?;
    let ca = match &settings.config.portal_ca_file {
        Some(path) => Some(std::fs::read(path).or_advise(
            format!("cannot read {}", path.display()),
            "name a PEM file with the portal's certificate or its issuer's",
        )?),
        None => None,
    };
    let identity = context.identity();
    let before = identity.enrolment()?;
    runtime::block_on(async {
        let portal = portal::unknown(&args.portal, &settings.config)?;
        let card = portal.card().await?;
        let here = source::who(&settings.config, &context.paths).await?;
        let marks = chassis::marks(&here);
        let moved = before.as_ref().map(|old| chassis::differences(&old.chassis, &marks)).unwrap_or_default();
        // A key that came with drives from another unit stays that unit's.
        let gone = args.new_key || revoked::told(context).is_some();
        let new_key = if moved.is_empty() && !gone { None } else { Some(SigningKey::generate()?) };
        let fingerprint = |key: &SigningKey| key.public().fingerprint();
        let key_id = match (&new_key, identity.key()?) {
            (Some(key), _) => fingerprint(key),
            (None, Some(key)) => fingerprint(&key),
            (None, None) => "a new key, made when you agree".to_owned(),
        };
        if let Some(told) = revoked::told(context) {
            output::say(&format!("The key of before was revoked ({}); this enrols a new one.", told.reason));
        }
        if !moved.is_empty() {
            output::say(&format!(
                "This is not the unit that was enrolled (other {}): it gets a key of its own, and what the other unit \
                 sealed stays unsent.",
                moved.join(", ")
            ));
        }
        compare(&args, &card, portal.url(), &here, &key_id)?;
        let key = match new_key {
            Some(key) => key,
            None => identity.key_or_new()?,
        };
        let request = request(&args, &card, &here, &marks, &key);
        let answer = portal.enrol(&key, &request).await?;
        if gone || !moved.is_empty() {
            // What the same unit sealed under its earlier key is still its own. Of another unit nothing is.
            if moved.is_empty()
                && let Some(old) = identity.public()?
            {
                identity.remember_former(&old, context.clock.now_unix_s, false)?;
            }
            identity.replace_key(&key)?;
        }
        identity.drop_next_key()?;
        revoked::clear(context);
        let enrolment = Enrolment {
            device_id: answer.device_id,
            key_id: answer.key_id,
            card: answer.card,
            chassis: marks,
            enrolled_unix_s: context.clock.now_unix_s,
        };
        identity.keep(&enrolment, ca.as_deref(), answer.last_seq)?;
        match args.json {
            true => output::print_json(&enrolment),
            false => output::print(format!(
                "enrolled   at {} ({}) as {}\n\
                 key        {}\n\
                 next       `assay collect` makes a bundle, `assay upload` sends what waits in the spool\n",
                enrolment.card.name, enrolment.card.url, enrolment.device_id, enrolment.key_id,
            )),
        }
    })?;
    Ok(0)
}

fn request(
    args: &Args,
    card: &PortalCard,
    here: &Facts,
    marks: &[Mark],
    key: &SigningKey,
) -> EnrolmentRequest {
    EnrolmentRequest {
        code: args.code.clone(),
        public_key: key.public().to_openssh(),
        model: here.identity.model.value().cloned(),
        serial: here.identity.serial.value().cloned(),
        chassis: marks.iter().map(|mark| mark.sha256.clone()).collect(),
        card_fingerprint: card.fingerprint(),
    }
}

/// Shows both sides and takes the owner's word; without a terminal only a fingerprint that was given beforehand.
fn compare(args: &Args, card: &PortalCard, asked: &str, here: &Facts, key_id: &str) -> anyhow::Result<()> {
    let fingerprint = card.fingerprint();
    let or_unknown = |text: Option<&String>| text.cloned().unwrap_or_else(|| "not read".to_owned());
    output::say(&format!(
        "portal       {}\n\
         address      {}{}\n\
         fingerprint  {fingerprint}\n\
         encrypts to  {}\n\
         this device  {}, serial {}\n\
         its key      {key_id}",
        card.name,
        card.url,
        if card.url == asked { String::new() } else { format!(" (you typed {asked})") },
        card.recipient,
        or_unknown(here.identity.model.value()),
        or_unknown(here.identity.serial.value()),
    ));
    if let Some(expected) = &args.fingerprint {
        if plain(expected) == plain(&fingerprint) {
            return Ok(());
        }
        return Err(refuse(
            format!("the portal's fingerprint is {fingerprint}, not {expected}"),
            "this is another portal than the one that your code came from, or somebody is in between: do not enrol; \
             ask the operator",
        ));
    }
    if !terminal::can_ask() {
        return Err(refuse(
            "nobody is here to compare the portal's fingerprint",
            "give the fingerprint that came with the code: --fingerprint XXXX-XXXX-…, or call from a terminal",
        ));
    }
    match terminal::said_yes("Is this the fingerprint that came with your code?")? {
        true => Ok(()),
        false => Err(refuse(
            "not enrolled: you did not confirm the fingerprint",
            "ask the operator for the right one",
        )),
    }
}

/// A fingerprint as people type it: case, dashes and spaces do not matter.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_as_people_type_them() {
        assert_eq!(plain("ab1c-d2ef 34GH"), plain("AB1C-D2EF-34GH"));
        assert_ne!(plain("AB1C"), plain("AB1D"));
    }
}
