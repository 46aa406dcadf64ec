//! The verdict slip of a run: signed by the device's key, and drawn for a telephone.
//!
//! A device without a key, or one whose key cannot be read, signs with one that lives as long as the call: such a slip
//! still says whether it came whole, and nobody can say whose it is. Making a slip makes no key and writes nothing.

use assay_bundle::keys::SigningKey;
use assay_bundle::manifest::{RunSource, Summary};
use assay_bundle::redact::Level;
use assay_bundle::slip::{Slip, code_text};
use assay_bundle::statement::{STATEMENT_FORMAT, StatementError};
use assay_diagnosis::report::SlipDrawing;
use qrcodegen::QrCode;

use crate::context::Context;
use crate::pipeline::Run;
use crate::qr::{self, Style};
use crate::terminal;
use crate::trouble::NextStep;

/// A signed slip and its code.
pub(crate) struct MadeSlip {
    /// The slip, `ASSAY1.…`.
    pub(crate) text: String,
    /// What it says.
    pub(crate) slip: Slip,
    /// Whether the device's own key signed it.
    pub(crate) own_key: bool,
    /// Address of the portal's page that reads it, where the device is enrolled.
    pub(crate) page: Option<String>,
    code: QrCode,
}

/// Signs the slip of a run.
pub(crate) fn make(run: &Run, context: &Context) -> anyhow::Result<MadeSlip> {
    let identity = context.identity();
    let own = identity.key().unwrap_or_else(|error| {
        tracing::warn!("{error:#}; the slip is signed with a key of its own");
        None
    });
    let own_key = own.is_some();
    let key = match own {
        Some(key) => key,
        None => SigningKey::generate().or_advise("no key could be made", "try again in a minute")?,
    };
    // Without an enrolment that can be read there is no page to name; the slip is the same.
    let portal = identity.enrolment().ok().flatten().map(|enrolment| enrolment.card.url);
    let (slip, text) = sign(slip(run, context.clock.now_unix_s, &key), &key)
        .or_advise("no slip could be made of this run", "please report this; `assay check` says the same")?;
    let code = qr::code(&code_text(&text, portal.as_deref()))?;
    let page = portal.map(|url| format!("{}{}", url.trim_end_matches('/'), assay_bundle::slip::PAGE));
    Ok(MadeSlip { text, slip, own_key, page, code })
}

fn slip(run: &Run, now_unix_s: i64, key: &SigningKey) -> Slip {
    let identity = &run.facts.identity;
    Slip {
        format: STATEMENT_FORMAT,
        source: run.source,
        // At a level that masks serial numbers the facts hold a stand-in, which names no device.
        serial: identity.serial.value().filter(|_| run.level == Level::Standard).cloned(),
        model: identity.model.value().cloned(),
        summary: Summary::of(&run.diagnosis),
        made_unix_s: now_unix_s,
        key_id: key.public().fingerprint(),
    }
}

/// Signs; a machine may call itself anything, and a name that no slip may carry is left out.
fn sign(mut slip: Slip, key: &SigningKey) -> Result<(Slip, String), StatementError> {
    match slip.to_text(key) {
        Err(StatementError::Content { .. } | StatementError::TooLong { .. }) => {
            (slip.serial, slip.model) = (None, None);
            slip.to_text(key).map(|text| (slip, text))
        }
        signed => signed.map(|text| (slip, text)),
    }
}

impl MadeSlip {
    /// For a page.
    pub(crate) fn drawing(&self) -> SlipDrawing {
        SlipDrawing { text: self.text.clone(), rows: qr::rows(&self.code) }
    }

    /// A picture for a file.
    pub(crate) fn svg(&self) -> String {
        qr::svg(&self.code, "QR code of the verdict slip")
    }

    /// The slip for a person: what it is, its text, its code where there is room, what comes next.
    pub(crate) fn words(&self, wanted: Wanted) -> String {
        let style = match wanted {
            Wanted::Auto => qr::style_of(|name| std::env::var(name).ok()),
            Wanted::Blocks => Style::HalfBlocks,
            Wanted::Ascii | Wanted::None => Style::Ascii,
        };
        let needed = qr::columns(&self.code, style);
        let room = terminal::columns();
        let drawn = match (wanted, room) {
            (Wanted::None, _) => String::new(),
            (Wanted::Auto, Some(room)) if room < needed => format!(
                "The code needs a terminal of {needed} columns, and this one has {room}: widen it and call again, or \
                 `assay slip --svg FILE`.\n"
            ),
            _ => format!("{}\n", qr::terminal(&self.code, style, terminal::colour())),
        };
        let whose = match (self.own_key, self.slip.source) {
            (_, RunSource::Recorded | RunSource::Judged) => "of a recording: it says nothing of this machine",
            (true, RunSource::Live) => "signed by this device's key",
            (false, RunSource::Live) => {
                "signed with a key of this call, because the device's was not found: nobody can say whose it is"
            }
        };
        let next = match &self.page {
            Some(page) => {
                format!("read the code or send the line to your support engineer, who opens {page}")
            }
            None => "send the line or a photograph of the code to your support engineer".to_owned(),
        };
        format!(
            "VERDICT SLIP  for triage only: it is no evidence, and nothing ships on it\n\
             verdict    {}\nslip       {whose}\n\n{}\n\n{drawn}next       {next}\n",
            self.slip.summary.overall.words(),
            self.text
        )
    }
}

/// Whether and how the code is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Wanted {
    /// As the locale allows, where it fits.
    #[default]
    Auto,
    /// Half blocks.
    Blocks,
    /// Plain signs.
    Ascii,
    /// Not at all.
    None,
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use assay_bundle::diagnosis::Overall;

    #[test]
    fn a_name_that_no_slip_may_carry_is_left_out() {
        fn check(serial: &str, kept: bool) {
            let key = SigningKey::generate().expect("a key");
            let slip = Slip {
                format: STATEMENT_FORMAT,
                source: RunSource::Live,
                serial: Some(serial.to_owned()),
                model: Some("TS-453D".to_owned()),
                summary: Summary {
                    overall: Overall::Healthy,
                    confirmed: 0,
                    suspected: 0,
                    watch: 0,
                    cannot_tell: 0,
                    top_codes: Vec::new(),
                },
                made_unix_s: 1,
                key_id: key.public().fingerprint(),
            };
            let (slip, text) = sign(slip, &key).expect("signed");
            let read = Slip::read(&text).expect("a slip");
            assert_eq!(read.is_whole(), Ok(()));
            assert_eq!(read.slip, slip);
            assert_eq!(read.slip.serial.is_some(), kept, "{serial:?}");
        }
        check("Q204I53D11", true);
        check("a\u{202e}b", false);
        check("", false);
        check(&"9".repeat(65), false);
    }
}
