//! Writes the generated parts of the documents: what stands between `<!-- generated: NAME -->` and `<!-- end -->` is
//! what the program printed; `docs/rules/` has one page for each rule. `--check` only compares, which is a test.

mod rules;

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::sh;

/// Whether to write or to compare.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail when a generated part is out of date
    #[arg(long)]
    check: bool,
}

/// Documents with generated parts.
const DOCUMENTS: &[&str] = &["README.md"];

/// Parts: name, arguments of `assay`, exit code that it must end with.
const PARTS: &[(&str, &[&str], i32)] = &[
    ("report", &["check", "--source", "tests/devices/ts-453d-fan-stalled"], 1),
    ("commands", &["--help"], 0),
    ("rules", &["explain"], 0),
];

/// Runs the task.
pub(crate) fn run(args: &Args) -> Result<()> {
    let assay = sh::root().join("target/debug/assay");
    if !args.check || !assay.is_file() {
        sh::must(
            &mut sh::cargo(&["build", "--quiet", "--workspace", "--bin", "assay"]),
            Duration::from_secs(900),
            true,
        )?;
    }
    let scratch = sh::root().join("target/docs-state");
    let assay = |arguments: &[&str], code: i32| -> Result<String> {
        let mut command = sh::command(&assay, arguments);
        command.env("NO_COLOR", "1").env("COLUMNS", "80").env("ASSAY_STATE_DIR", &scratch);
        command.stderr(std::process::Stdio::null());
        let output = sh::run(&mut command, Duration::from_secs(60), false)?;
        if output.code != Some(code) {
            bail!("`assay {}` ended with {:?}, not {code}", arguments.join(" "), output.code);
        }
        Ok(output.stdout)
    };
    for document in DOCUMENTS {
        let path = sh::root().join(document);
        let old = std::fs::read_to_string(&path).with_context(|| (*document).to_owned())?;
        let mut new = old.clone();
        for (name, arguments, code) in PARTS {
            new = replace(&new, name, &assay(arguments, *code)?).with_context(|| (*document).to_owned())?;
        }
        put(document, &old, &new, args.check)?;
    }
    let pages = rules::pages(&assay(&["explain", "--json"], 0)?)?;
    for (path, text) in &pages {
        let old = std::fs::read_to_string(sh::root().join(path)).unwrap_or_default();
        put(path, &old, text, args.check)?;
    }
    for path in rules::stale(&pages)? {
        if args.check {
            bail!("{path} is the page of a rule that is gone: run `cargo xtask docs`");
        }
        std::fs::remove_file(sh::root().join(&path)).with_context(|| path.clone())?;
        sh::say(&format!("removed {path}"));
    }
    Ok(())
}

/// Writes a document that changed, or says that it is out of date.
fn put(path: &str, old: &str, new: &str, check: bool) -> Result<()> {
    if new == old {
        return Ok(());
    }
    if check {
        bail!("{path} is out of date: run `cargo xtask docs` and read the difference");
    }
    let file = sh::root().join(path);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| path.to_owned())?;
    }
    std::fs::write(file, new).with_context(|| path.to_owned())?;
    sh::say(&format!("wrote {path}"));
    Ok(())
}

/// The text with one generated part replaced by a fenced block.
fn replace(text: &str, name: &str, content: &str) -> Result<String> {
    let start = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text.split_once(&start).with_context(|| format!("no part {name:?}"))?;
    let (_, after) = rest.split_once("<!-- end -->").with_context(|| format!("part {name:?} has no end"))?;
    let content: String = content.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    Ok(format!("{before}{start}```text\n{content}```\n<!-- end -->{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_replaced_and_nothing_else() {
        let text = "a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n";
        let new = "a\n<!-- generated: x -->\n```text\n1\n2\n```\n<!-- end -->\nb\n";
        assert_eq!(replace(text, "x", "1  \n2\n").ok().as_deref(), Some(new));
        assert_eq!(replace(new, "x", "1\n2\n").ok().as_deref(), Some(new));
        assert!(replace(text, "y", "").is_err());
    }
}
