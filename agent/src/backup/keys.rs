//! Whom a copy is encrypted to, and what opens it. Keys are read, used and forgotten; none is ever printed.

use std::io::{IsTerminal, Read};
use std::path::Path;

use assay_bundle::recovery::sealing;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::context::Context;
use crate::trouble::{NextStep, refuse};

/// What is known of the owner's recovery key, in the identity folder: never the key itself.
const RECOVERY: &str = "recovery.json";
/// Largest identity file.
const MOST_BYTES: u64 = 64 << 10;
/// What to do without a key.
const NEXT: &str =
    "give the recovery key: --identity FILE with the line AGE-SECRET-KEY-… of its sheet, or - to type it";

/// The owner's recovery key as far as it is public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The recipient.
    pub(crate) recipient: Option<String>,
    /// Recipients whose key the owner lost.
    pub(crate) lost: Vec<String>,
}

impl Known {
    /// Reads what is kept.
    pub(crate) fn read(context: &Context) -> anyhow::Result<Self> {
        let path = context.paths.identity_dir.join(RECOVERY);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                return Err(error)
                    .or_advise(format!("cannot read {}", path.display()), "run as administrator (root)");
            }
        };
        let value: Value = assay_bundle::json::from_slice(&bytes).or_advise(
            format!("{} is damaged", path.display()),
            "name the recipient with --recipient age1…",
        )?;
        Ok(Self::of(&value))
    }

    fn of(value: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let lost = value.get("lost").and_then(Value::as_array).into_iter().flatten();
        Self {
            recipient: value.get("recipient").and_then(text).filter(|text| !text.is_empty()),
            lost: lost.filter_map(|one| text(one).or_else(|| one.get("recipient").and_then(text))).collect(),
        }
    }

    /// The owner's recipient and those that were named besides.
    pub(crate) fn recipients(&self, named: &[String]) -> anyhow::Result<Vec<String>> {
        let all: Vec<String> = self.recipient.iter().chain(named).cloned().collect();
        if all.is_empty() {
            return Err(refuse(
                "no copy was made: there is no recovery key that it could be encrypted to",
                "make one with `assay recovery-key`, or name a recipient: --recipient age1…",
            ));
        }
        sealing::recipients(&all)
            .or_advise("no copy was made", "name recipients as `age-keygen -y` prints them (age1…)")
    }
}

/// Reads the key that opens copies: a file, or `-` for standard input.
pub(crate) fn identity(named: Option<&Path>) -> anyhow::Result<Zeroizing<String>> {
    let Some(path) = named else { return Err(refuse("the recovery key is needed", NEXT)) };
    let mut text = Zeroizing::new(String::new());
    let read = match path == Path::new("-") {
        true => {
            if std::io::stdin().is_terminal() {
                crate::output::say("Type the recovery key (AGE-SECRET-KEY-…), then end of input (Ctrl-D):");
            }
            std::io::stdin().lock().take(MOST_BYTES).read_to_string(&mut text)
        }
        false => std::fs::File::open(path).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text)),
    };
    let named = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    read.or_advise(format!("cannot read {named}"), NEXT)?;
    parse(&text).ok_or_else(|| refuse(format!("{named} holds no recovery key"), NEXT))
}

/// The identity in a text: an `AGE-SECRET-KEY-…` line.
fn parse(text: &str) -> Option<Zeroizing<String>> {
    let line =
        text.lines().map(str::trim).find(|line| line.to_ascii_uppercase().starts_with("AGE-SECRET-KEY-"))?;
    let line = Zeroizing::new(line.to_ascii_uppercase());
    sealing::recipient_of(&line).map(|_| line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_the_key() {
        fn check(text: &str, recipient: Option<&str>, lost: &[&str]) {
            let known = Known::of(&serde_json::from_str(text).expect("JSON"));
            assert_eq!(known.recipient.as_deref(), recipient);
            assert_eq!(known.lost, lost);
        }
        check(r#"{"recipient":"age1a","made_unix_s":1,"lost":["age1b"]}"#, Some("age1a"), &["age1b"]);
        check(r#"{"recipient":"","lost":[{"recipient":"age1b","at":1}]}"#, None, &["age1b"]);
        check("{}", None, &[]);
        assert!(Known::default().recipients(&[]).is_err());
        assert!(Known::default().recipients(&["age1x".to_owned()]).is_err());
    }

    #[test]
    fn keys_in_texts() {
        assert!(parse("no key").is_none());
        assert!(parse("AGE-SECRET-KEY-1NONSENSE").is_none());
    }
}
