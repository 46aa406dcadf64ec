//! Errors as a person reads them: the noun and the whole chain once, then the next step.
//!
//! Libraries have typed errors; here, at the border, they meet the word that the person typed. Nothing is decided
//! here but the exit code.

use std::fmt;

/// Exit code of everything that could not be done.
pub(crate) const FAILED: u8 = 3;

/// A failed operation in words, with what to do about it.
#[derive(Debug)]
struct Advice {
    what: String,
    next: String,
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Advice {}

/// A signal asked to stop; the code is the shell's, 128 plus its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped by {name}; nothing partial was left behind")]
pub(crate) struct Stopped {
    /// Signal's name.
    pub(crate) name: &'static str,
    /// Exit code.
    pub(crate) code: u8,
}

/// Adds what was being done and what to do next.
pub(crate) trait NextStep<T> {
    /// Names the operation that failed (`what`) and ends the message with the next step.
    fn or_advise(self, what: impl Into<String>, next: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> NextStep<T> for Result<T, E> {
    fn or_advise(self, what: impl Into<String>, next: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| error.into().context(Advice { what: what.into(), next: next.into() }))
    }
}

/// A refusal of our own, with the next step.
pub(crate) fn refuse(what: impl Into<String>, next: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Advice { what: what.into(), next: next.into() })
}

/// The message for a person: chain, then the next step of the outermost advice, which knows what was asked for.
fn words(error: &anyhow::Error) -> String {
    match parts(error) {
        (what, Some(next)) => format!("assay: {what}\nnext: {next}"),
        (what, None) => format!("assay: {what}"),
    }
}

/// The chain, and the next step where one is known: what a child process hands to its parent.
pub(crate) fn parts(error: &anyhow::Error) -> (String, Option<String>) {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // A transparent wrapper repeats its source word for word.
        if parts.last() != Some(&text) {
            parts.push(text);
        }
    }
    (parts.join(": "), error.downcast_ref::<Advice>().map(|advice| advice.next.clone()))
}

/// Prints the error and gives the exit code.
#[expect(clippy::print_stderr, reason = "the one place where a failure is said")]
pub(crate) fn report(error: &anyhow::Error) -> u8 {
    eprintln!("{}", words(error));
    error.downcast_ref::<Stopped>().map_or(FAILED, |stopped| stopped.code)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn check(error: &anyhow::Error, expected: &str) {
        assert_eq!(words(error), expected);
    }

    #[test]
    fn chain_once_then_the_next_step() {
        let io = || std::io::Error::other("disk is full");
        check(&anyhow::Error::new(io()), "assay: disk is full");
        check(
            &Err::<(), _>(io()).or_advise("cannot write x.assay", "free some space").expect_err("an error"),
            "assay: cannot write x.assay: disk is full\nnext: free some space",
        );
        check(&refuse("no", "ask"), "assay: no\nnext: ask");
        check(&refuse("no", "ask").context("collecting failed"), "assay: collecting failed: no\nnext: ask");
    }

    #[test]
    fn a_signal_has_its_own_code() {
        let error = anyhow::Error::new(Stopped { name: "SIGINT", code: 130 }).context("collecting");
        assert_eq!(error.downcast_ref::<Stopped>().map(|s| s.code), Some(130));
    }
}
