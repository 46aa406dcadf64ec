//! Where a report goes: to the terminal, as a page or a ticket into files, all from one view.
//!
//! The flags are the same wherever a diagnosis is printed. Files are begun before anything is read, because reading
//! takes minutes and a folder that cannot be written is known at once; they appear whole or not at all. One form at
//! most has standard output.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use assay_diagnosis::report::{Layout, View, html, markdown, terminal};

use crate::output::{self, PartialFile};
use crate::terminal as screen;
use crate::trouble::{NextStep, refuse};

/// The name that means standard output.
const STDOUT: &str = "-";

/// Flags of every command that prints a diagnosis.
#[derive(clap::Args)]
pub(crate) struct ReportArgs {
    /// Write the report as one page, to read or print, to FILE; `-` is standard output
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the report as Markdown, for a ticket, to FILE; without a name to standard output
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        // A name after a blank would take the next argument of `judge`, an output, and write over it.
        require_equals = true,
        default_missing_value = STDOUT
    )]
    markdown: Option<PathBuf>,
    /// List every optional reading that is missing, instead of counting them
    #[arg(long)]
    all: bool,
}

/// What a report is written as.
type Form = fn(&View) -> String;

/// A report's files, begun.
pub(crate) struct Outputs {
    files: Vec<(PartialFile, PathBuf, Form)>,
    /// What has standard output instead of the report for a terminal.
    stdout: Option<Form>,
    all: bool,
}

impl ReportArgs {
    /// Whether a page or a ticket was asked for.
    pub(crate) fn wants_files(&self) -> bool {
        self.html.is_some() || self.markdown.is_some()
    }

    /// Begins the files; `taken` when something else has standard output.
    pub(crate) fn begin(&self, taken: bool) -> anyhow::Result<Outputs> {
        let mut outputs = Outputs { files: Vec::new(), stdout: None, all: self.all };
        let wanted: [(&Option<PathBuf>, Form); 2] = [(&self.html, html), (&self.markdown, markdown)];
        for (path, form) in wanted {
            match path.as_deref() {
                None => {}
                Some(path) if path == Path::new(STDOUT) => {
                    if taken || outputs.stdout.is_some() {
                        return Err(refuse(
                            "two forms of the report want standard output",
                            "name a file for one of them: --html FILE, --markdown=FILE",
                        ));
                    }
                    outputs.stdout = Some(form);
                }
                Some(path) => {
                    if outputs.files.iter().any(|(_, other, _)| other == path) {
                        return Err(refuse(
                            format!("two forms of the report want {}", path.display()),
                            "name another file for one of them",
                        ));
                    }
                    // Serial numbers are the owner's to show.
                    outputs.files.push((PartialFile::begin(path, 0o600)?, path.to_owned(), form));
                }
            }
        }
        Ok(outputs)
    }
}

impl Outputs {
    /// Writes the files and says where they are.
    pub(crate) fn finish(self, view: &View) -> anyhow::Result<()> {
        for (mut file, path, form) in self.files {
            let cannot = || format!("cannot write {}", path.display());
            file.write_all(form(view).as_bytes())
                .or_advise(cannot(), "free some space or name another folder, and call again")?;
            file.finish()?;
            output::say(&format!("report     {}", path.display()));
        }
        Ok(())
    }

    /// What standard output gets: the form that was asked for there, else the report for a terminal, with `before` and
    /// `after` around it.
    pub(crate) fn text(&self, view: &View, before: &str, after: &str) -> String {
        match self.stdout {
            Some(form) => form(view),
            None => {
                let layout = Layout { width: screen::width(), colour: screen::colour(), all: self.all };
                format!("{before}{}{after}", terminal(view, layout))
            }
        }
    }
}
