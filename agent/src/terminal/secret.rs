//! Showing and reading what nobody else may see: no buffer that outlives it, no echo, no core dump, no swap.
//!
//! Reads a byte at a time from standard input, terminal or pipe. A terminal hands over single keys, so that Ctrl-C
//! arrives here: it is put right again, and what was written is taken back, before the program ends.

use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::trouble::{NextStep, Stopped, refuse};

/// Longest line that is taken: 24 words of 8 letters are 216 bytes; the rest is room for numbers and blanks.
const MOST_LINE_BYTES: usize = 4096;
/// Key that a terminal sends for "stop": Ctrl-C.
const INTERRUPT: u8 = 0x03;
/// Key for "no more": Ctrl-D.
const END: u8 = 0x04;
/// Keys that take a letter back; terminals differ.
const ERASE: [u8; 2] = [0x08, 0x7f];
/// Key that takes the line back: Ctrl-U.
const KILL: u8 = 0x15;
/// Takes one letter off the screen.
const WIPE: &[u8] = b"\x08 \x08";

/// Keeps this process's memory out of core dumps, and as administrator out of the swap. What the system does not
/// allow is left: the secret is shorter-lived than the reasons to look for it.
pub(crate) fn guard_memory() {
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    // An ordinary user's limit is so low that later allocations would fail.
    if rustix::process::geteuid().is_root() {
        let all = rustix::mm::MlockAllFlags::CURRENT | rustix::mm::MlockAllFlags::FUTURE;
        let _ = rustix::mm::mlockall(all);
    }
}

/// Writes to standard output, past every buffer of the program.
pub(crate) fn show(text: &str) -> anyhow::Result<()> {
    let stdout = std::io::stdout().as_fd().try_clone_to_owned().map(std::fs::File::from);
    stdout
        .and_then(|mut stdout| stdout.write_all(text.as_bytes()))
        .or_advise("the key could not be shown", "nothing was kept; call again with an open terminal or pipe")
}

/// Wipes the screen and what was scrolled out of it; only on a terminal that is not dumb.
pub(crate) fn wipe_screen() {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    if std::io::stdout().is_terminal() && !dumb {
        let _ = show("\x1b[2J\x1b[3J\x1b[H");
    }
}

/// Asks on standard error and reads a line from standard input; what is typed is shown unless `hidden`. `None` at the
/// end of the input.
pub(crate) fn ask(prompt: &str, hidden: bool) -> anyhow::Result<Option<Zeroizing<String>>> {
    let _ = write!(std::io::stderr().lock(), "{prompt}");
    let keys = Keys::begin();
    let line = match (&keys, hidden) {
        (Some(_), false) => read_line(&mut OneByOne, Some(&mut std::io::stderr())),
        (Some(_), true) => read_line(&mut OneByOne, Some(&mut std::io::sink())),
        (None, _) => read_line(&mut OneByOne, None),
    };
    // The Enter of a terminal was not shown, and a pipe shows nothing at all.
    if !prompt.is_empty() {
        let _ = writeln!(std::io::stderr().lock());
    }
    line
}

/// Standard input without the standard library's buffer, which is never wiped.
struct OneByOne;

impl Read for OneByOne {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        Ok(rustix::io::read(std::io::stdin(), buffer)?)
    }
}

/// Reads up to the end of a line. With an `echo` the input is single keys, some of which mean something; the others are
/// repeated on it.
fn read_line(
    from: &mut dyn Read,
    mut echo: Option<&mut dyn Write>,
) -> anyhow::Result<Option<Zeroizing<String>>> {
    let keys = echo.is_some();
    let mut line = Zeroizing::new(Vec::with_capacity(MOST_LINE_BYTES));
    // A terminal that went away says so at the next reading.
    let mut repeat = |bytes: &[u8], times: usize| {
        if let Some(echo) = &mut echo {
            (0..times).for_each(|_| drop(echo.write_all(bytes)));
        }
    };
    loop {
        let mut byte = Zeroizing::new([0_u8; 1]);
        match from.read(byte.as_mut_slice()) {
            Ok(0) if line.is_empty() => return Ok(None),
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).or_advise("your answer could not be read", "call again"),
        }
        match byte.first().copied().unwrap_or_default() {
            b'\n' => break,
            b'\r' if keys => break,
            INTERRUPT if keys => return Err(Stopped { name: "SIGINT", code: 130 }.into()),
            END if keys && line.is_empty() => return Ok(None),
            END if keys => {}
            byte if keys && ERASE.contains(&byte) => {
                repeat(WIPE, usize::from(line.pop().is_some()));
            }
            KILL if keys => {
                repeat(WIPE, line.len());
                line.clear();
            }
            _ if line.len() == MOST_LINE_BYTES => {
                return Err(refuse(
                    "the line is too long for words of a key",
                    "give the 24 words and nothing else",
                ));
            }
            byte => {
                repeat(&[byte], 1);
                line.push(byte);
            }
        }
    }
    match std::str::from_utf8(&line) {
        Ok(text) => {
            let mut whole = Zeroizing::new(String::with_capacity(text.len()));
            whole.push_str(text);
            Ok(Some(whole))
        }
        Err(_) => Err(refuse("the input is no text", "give the 24 words, in letters")),
    }
}

/// A terminal that hands over single keys and shows none, for as long as this lives.
struct Keys(Termios);

impl Keys {
    /// `None` where standard input is no terminal.
    fn begin() -> Option<Self> {
        let before = tcgetattr(std::io::stdin()).ok()?;
        let mut keys = before.clone();
        keys.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        keys.special_codes[SpecialCodeIndex::VMIN] = 1;
        keys.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(std::io::stdin(), OptionalActions::Now, &keys).ok()?;
        Some(Self(before))
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], keys: bool, expected: Result<Option<&str>, &str>) {
        let mut shown = Vec::new();
        let echo = keys.then_some(&mut shown as &mut dyn Write);
        let got = read_line(&mut &input[..], echo).map(|line| line.map(|line| line.to_string()));
        let typed = String::from_utf8_lossy(&shown).replace("o\x08 \x08", "").replace("q\x08 \x08", "");
        if let (Ok(Some(line)), true, false) = (&got, keys, input.contains(&KILL)) {
            assert_eq!(&typed, line, "what is shown is what is taken");
        }
        let got = got.map_err(|error| error.to_string());
        assert_eq!(got, expected.map(|line| line.map(str::to_owned)).map_err(str::to_owned), "{input:?}");
    }

    #[test]
    fn lines_and_keys() {
        check(b"", false, Ok(None));
        check(b"zoo", false, Ok(Some("zoo")));
        check(b"zoo wrong\nmore", false, Ok(Some("zoo wrong")));
        check(b"\n", false, Ok(Some("")));
        check(b"zoq\x7fo\r", true, Ok(Some("zoo")));
        check(b"abandon\x15zoo\n", true, Ok(Some("zoo")));
        check(b"\x7fzoo\n", true, Ok(Some("zoo")));
        check(b"\x04", true, Ok(None));
        check(b"zo\x03", true, Err("stopped by SIGINT; nothing partial was left behind"));
        check(b"zo\x03\n", false, Ok(Some("zo\x03")));
        check(b"\xff\n", false, Err("the input is no text"));
        check(&[b'a'; MOST_LINE_BYTES + 1], false, Err("the line is too long for words of a key"));
    }
}
