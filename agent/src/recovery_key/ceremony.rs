//! Making a recovery key with its owner: show it once, ask three of its words back, and only then keep its public half.
//!
//! Whatever goes wrong before that leaves what was kept as it was: a key that nobody wrote down must not receive
//! copies. The one exception is asked for by name: a sheet written for a later printer is kept as "never proven".

use std::io::Write as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::secret::Secret;
use super::sheet::{Belongs, Sheet};
use super::words::{COUNT, Words, WordsError};
use super::{LostKey, RecoveryKey};
use crate::clock::Clock;
use crate::output::{self, PartialFile};
use crate::paths::Paths;
use crate::trouble::{NextStep, refuse};

/// How many words are asked back. Three right words by chance: one in 2048³.
const ASKED: usize = 3;
/// How often one word may be answered.
const TRIES: usize = 3;

/// Whoever is shown the key and answers: a terminal, a pipe, a test.
pub(crate) trait Person {
    /// Shows what is secret.
    fn show(&mut self, text: &str) -> anyhow::Result<()>;
    /// Says what is not.
    fn say(&mut self, text: &str);
    /// Asks for a line; `hidden` when what is typed must not be seen. `None` when there are no more.
    fn ask(&mut self, prompt: &str, hidden: bool) -> anyhow::Result<Option<Zeroizing<String>>>;
    /// Waits until the words are written down and takes them off the screen, where there is one.
    fn put_away(&mut self) -> anyhow::Result<()>;
}

/// What a key is made with.
pub(crate) struct Ceremony<'a> {
    /// Where the public half is kept, and where a sheet may not lie.
    pub(crate) paths: &'a Paths,
    /// The clock of this call.
    pub(crate) clock: Clock,
    /// What the sheet says of the machine.
    pub(crate) belongs: Belongs,
    /// Where the sheet for a printer goes.
    pub(crate) html: Option<&'a Path>,
    /// The key that is given up for this one.
    pub(crate) lost: Option<RecoveryKey>,
}

impl Ceremony<'_> {
    /// Makes, shows, asks back, keeps.
    pub(crate) fn perform(self, person: &mut dyn Person) -> anyhow::Result<RecoveryKey> {
        let secret = Secret::generate()?;
        let sheet = Sheet::of(&secret, &self.belongs, self.clock.now_unix_s)?;
        let page = self.html.map(|path| write_page(path, &sheet, self.paths)).transpose()?;
        let done = person
            .show(&sheet.text())
            .and_then(|()| {
                if let Some(page) = &page {
                    person.say(&format!("the sheet for a printer is {}", page.0.display()));
                }
                person.put_away()
            })
            .and_then(|()| ask_back(&secret.words(), draw()?, person))
            .and_then(|()| self.keep(&secret, Some(self.clock.now_unix_s)));
        // The page of a key that nobody keeps would mislead: unless it is told to stay, it goes.
        let key = done?;
        if let Some(page) = page {
            page.stays();
        }
        Ok(key)
    }

    /// Makes a key of which only the sheet exists, for a machine that nobody sits at; never proven.
    pub(crate) fn unattended(self, html: &Path) -> anyhow::Result<RecoveryKey> {
        let secret = Secret::generate()?;
        let sheet = Sheet::of(&secret, &self.belongs, self.clock.now_unix_s)?;
        let page = write_page(html, &sheet, self.paths)?;
        let key = self.keep(&secret, None)?;
        page.stays();
        Ok(key)
    }

    fn keep(&self, secret: &Secret, proven_unix_s: Option<i64>) -> anyhow::Result<RecoveryKey> {
        let dir = &self.paths.identity_dir;
        if RecoveryKey::load(dir)? != self.lost {
            return Err(refuse(
                "another call made a recovery key meanwhile",
                "`assay status` shows it; the words shown here are of no use, so destroy them",
            ));
        }
        let now = self.clock.now_unix_s;
        let lost = self.lost.as_ref().map(|old| {
            let given_up =
                LostKey { recipient: old.recipient.clone(), made_unix_s: old.made_unix_s, lost_unix_s: now };
            old.lost.iter().cloned().chain([given_up]).collect()
        });
        let key = RecoveryKey {
            recipient: secret.recipient()?,
            made_unix_s: now,
            proven_unix_s,
            lost: lost.unwrap_or_default(),
        };
        key.save(dir)?;
        Ok(key)
    }
}

/// Writes the sheet for a printer, readable by its owner only.
pub(crate) fn write_page(path: &Path, sheet: &Sheet, paths: &Paths) -> anyhow::Result<Page> {
    let path = may_hold_a_secret(path, paths)?;
    let mut file = PartialFile::begin(&path, 0o600)?;
    file.write_all(sheet.html()?.as_bytes())
        .or_advise(format!("cannot write {}", path.display()), "name a folder with room")?;
    file.finish()?;
    Ok(Page(path))
}

/// A sheet on disk that goes again when it is dropped.
pub(crate) struct Page(PathBuf);

impl Page {
    /// Lets the file live.
    pub(crate) fn stays(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            let _ = std::fs::remove_file(&self.0);
        }
    }
}

/// The whole path of a sheet; refuses a file that is there, and folders from which this program or a copy reads.
pub(crate) fn may_hold_a_secret(path: &Path, paths: &Paths) -> anyhow::Result<PathBuf> {
    let shown = path.display();
    let whole = std::path::absolute(path).or_advise(format!("{shown} is no path"), "name a file")?;
    let folder = whole.parent().unwrap_or(Path::new("/"));
    let folder = folder
        .canonicalize()
        .or_advise(format!("cannot write {shown}"), "name a folder that exists and can be written")?;
    let own = [Some(&paths.identity_dir), paths.memory_dir.as_ref(), paths.spool_dir.as_ref()];
    let own = own.into_iter().flatten().filter_map(|dir| dir.parent());
    for own in own.map(|dir| dir.canonicalize().unwrap_or_else(|_| dir.to_owned())) {
        if folder.starts_with(&own) {
            return Err(refuse(
                format!(
                    "the sheet may not lie below {}: the key would stay beside what it protects",
                    own.display()
                ),
                "name a file in RAM (/dev/shm/key.html) or on a USB disk, print it, and delete it",
            ));
        }
    }
    let Some(name) = whole.file_name() else {
        return Err(refuse(format!("{shown} is no file"), "name a file"));
    };
    let whole = folder.join(name);
    if whole.symlink_metadata().is_ok() {
        return Err(refuse(
            format!("{shown} is there already"),
            "name a file that is not: a sheet is never written over something else",
        ));
    }
    Ok(whole)
}

/// Different places of words, from 1, in order.
fn draw() -> anyhow::Result<[usize; ASKED]> {
    let random = ring::rand::SystemRandom::new();
    let mut places = [0; ASKED];
    let mut drawn = 0;
    while let Some(next) = places.get_mut(drawn..).and_then(<[usize]>::first_mut) {
        let mut byte = [0_u8];
        ring::rand::SecureRandom::fill(&random, &mut byte).map_err(|_| {
            refuse("the system gave no randomness", "try again when the machine has been up for a minute")
        })?;
        // 240 is a multiple of 24: every place is as likely as the others.
        let [byte] = byte.map(usize::from);
        if byte >= 240 {
            continue;
        }
        *next = byte % COUNT + 1;
        let (last, before) = (*next, places.get(..drawn).unwrap_or_default());
        drawn += usize::from(!before.contains(&last));
    }
    places.sort_unstable();
    Ok(places)
}

/// Asks these words back; each may be answered a few times.
fn ask_back(words: &Words, places: [usize; ASKED], person: &mut dyn Person) -> anyhow::Result<()> {
    for place in places {
        let mut tries = 0;
        loop {
            let Some(answer) = person.ask(&format!("word {place}: "), false)? else {
                return Err(refuse(
                    "nobody answered, so the key is not kept",
                    "call again with pen and paper at hand; the words shown here are of no use",
                ));
            };
            if words.is(place, &answer) {
                break;
            }
            tries += 1;
            if tries == TRIES {
                return Err(refuse(
                    format!("word {place} was wrong {TRIES} times, so the key is not kept"),
                    "call again and write all words down first; the words shown here are of no use",
                ));
            }
            person.say("that is not the word");
        }
    }
    Ok(())
}

/// Reads the words of a key. A person (`live`) is told of a wrong word and goes on from there; a pipe is refused.
pub(crate) fn read_words(person: &mut dyn Person, live: bool) -> anyhow::Result<Secret> {
    let mut words = Words::none();
    while words.count() < COUNT {
        let prompt = match live {
            true => format!("words {} to {COUNT} (not shown): ", words.count() + 1),
            false => String::new(),
        };
        let Some(line) = person.ask(&prompt, true)? else { break };
        match words.add(&line) {
            Ok(()) => {}
            Err(error @ WordsError::Unknown { .. }) if live => {
                person.say(&format!("{error}; type it and what follows again"));
            }
            Err(error) => return Err(error).or_advise("these words open nothing", next(&words)),
        }
    }
    Secret::of_words(&words).or_advise("these words open nothing", next(&words))
}

fn next(words: &Words) -> String {
    match words.count() {
        COUNT => "compare each word and its number with the sheet".to_owned(),
        _ => "give all 24 words in order; four letters of each suffice. A plain key needs no words: `age -d -i FILE`".to_owned(),
    }
}

/// The person at the terminal, or the program at the other end of a pipe.
pub(crate) struct Caller;

impl Person for Caller {
    fn show(&mut self, text: &str) -> anyhow::Result<()> {
        crate::terminal::secret::show(text)
    }

    fn say(&mut self, text: &str) {
        output::say(text);
    }

    fn ask(&mut self, prompt: &str, hidden: bool) -> anyhow::Result<Option<Zeroizing<String>>> {
        crate::terminal::secret::ask(prompt, hidden)
    }

    fn put_away(&mut self) -> anyhow::Result<()> {
        if crate::terminal::can_ask() {
            let prompt = "\nWrite the words down on paper now. They are shown this once and kept nowhere. Enter when done: ";
            if self.ask(prompt, false)?.is_none() {
                return Err(refuse(
                    "nobody confirmed, so the key is not kept",
                    "call again with pen and paper at hand",
                ));
            }
            crate::terminal::secret::wipe_screen();
        }
        self.say("So that a slip of the pen is found today, three words are asked back:");
        Ok(())
    }
}

#[cfg(test)]
mod tests;
