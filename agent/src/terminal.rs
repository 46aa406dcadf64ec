//! What the person's terminal is: its width, whether colour is wanted, and the one line that shows progress.
//!
//! Meaning never depends on colour. Progress is talk: it goes to standard error, and only when that is a terminal.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;

use crate::trouble::NextStep;

pub(crate) mod secret;

/// Columns when nobody says: the classic terminal.
const COLUMNS: usize = 80;
/// Longer lines are hard to read, whatever the window's width.
const MOST_COLUMNS: usize = 110;
/// Narrower than this nothing can be laid out.
const FEWEST_COLUMNS: usize = 40;

/// Columns of standard output.
pub(crate) fn width() -> usize {
    let asked = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    asked.filter(|columns| *columns > 0).unwrap_or(COLUMNS).clamp(FEWEST_COLUMNS, MOST_COLUMNS)
}

/// Columns of standard output where it is a terminal, however wide.
pub(crate) fn columns() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    let asked = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    asked.filter(|columns| *columns > 0)
}

/// Whether standard output wants colour: a terminal that is not dumb, and no `NO_COLOR` (no-color.org).
pub(crate) fn colour() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    std::io::stdout().is_terminal()
        && set("NO_COLOR").is_none()
        && set("TERM").is_none_or(|term| term != "dumb")
}

/// Whether a person can answer a question.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a question to which only a plain yes is one; to be asked only where somebody [`can_ask`].
///
/// # Errors
/// The answer cannot be read.
pub(crate) fn said_yes(question: &str) -> anyhow::Result<bool> {
    let _ = write!(std::io::stderr().lock(), "{question} [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).or_advise("your answer could not be read", "call again")?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// One line on standard error that is written over and over.
pub(crate) struct Line {
    shown: Option<Mutex<usize>>,
}

impl Line {
    /// A line on a terminal; silent elsewhere.
    pub(crate) fn new() -> Self {
        Self { shown: std::io::stderr().is_terminal().then(|| Mutex::new(0)) }
    }

    /// Whether anything is shown.
    pub(crate) fn is_live(&self) -> bool {
        self.shown.is_some()
    }

    /// Shows `text` in place of what stood there.
    pub(crate) fn show(&self, text: &str) {
        let Some(shown) = &self.shown else { return };
        let Ok(mut shown) = shown.lock() else { return };
        let text: String = text.chars().filter(|c| !c.is_control()).take(COLUMNS - 1).collect();
        let length = text.chars().count();
        let mut stderr = std::io::stderr().lock();
        // A terminal that went away is no reason to stop a diagnosis.
        let _ = write!(stderr, "\r{text}{}", " ".repeat(shown.saturating_sub(length)));
        let _ = stderr.flush();
        *shown = length;
    }

    /// Wipes the line.
    pub(crate) fn clear(&self) {
        if self.shown.as_ref().is_some_and(|shown| shown.lock().is_ok_and(|shown| *shown > 0)) {
            self.show("");
            let _ = write!(std::io::stderr().lock(), "\r");
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
    }
}
