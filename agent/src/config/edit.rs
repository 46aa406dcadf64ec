//! Writing one setting into the configuration file, with everything else left as its owner wrote it.
//!
//! Works on lines and then reads the result with the ordinary parser: unless exactly that setting changed, nothing is
//! written, and the owner is told the line to write.

use std::path::Path;

use super::{read_file, settings::Setting};
use crate::output;
use crate::trouble::{NextStep, refuse};

/// Sets `setting` to `value` (as TOML writes it; `text` is its text form) in the file, which need not exist.
pub(crate) fn put(file: &Path, setting: &Setting, value: &str, text: &str) -> anyhow::Result<()> {
    let shown = file.display();
    let before = match std::fs::read_to_string(file) {
        Ok(before) => before,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(error).or_advise(format!("cannot read {shown}"), "run as administrator (root)");
        }
    };
    let (section, key) = setting.name.split_once('.').unwrap_or(("", setting.name));
    let after = edited(&before, section, key, value);
    let values = |text: &str| -> Result<Vec<(&'static str, String)>, super::ConfigError> {
        let mut all: Vec<_> =
            read_file(file, text)?.into_iter().map(|(name, text, _)| (name, text)).collect();
        all.sort_unstable();
        Ok(all)
    };
    let mut wanted = values(&before)?;
    wanted.retain(|(name, _)| *name != setting.name);
    wanted.push((setting.name, text.to_owned()));
    wanted.sort_unstable();
    if values(&after).ok() != Some(wanted) {
        return Err(refuse(
            format!("{shown} is written in a way that only its author should change"),
            format!("write `{key} = {value}` below [{section}] yourself"),
        ));
    }
    output::replace_private(file, after.as_bytes())
}

/// The text with the key's line replaced, else added below its section, else with a section of its own at the end.
fn edited(text: &str, section: &str, key: &str, value: &str) -> String {
    let line = format!("{key} = {value}");
    let header = format!("[{section}]");
    let mut lines: Vec<&str> = text.lines().collect();
    let Some(at) = lines.iter().position(|line| line.trim() == header) else {
        let gap = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return format!("{text}{end}{gap}{header}\n{line}\n");
    };
    let here = lines.iter().skip(at + 1).take_while(|line| !line.trim_start().starts_with('['));
    let is_key = |line: &&str| line.split_once('=').is_some_and(|(name, _)| name.trim() == key);
    match here.clone().position(is_key) {
        Some(found) => {
            if let Some(old) = lines.get_mut(at + 1 + found) {
                *old = &line;
            }
        }
        None => lines.insert(at + 1, &line),
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use crate::config::SETTINGS;

    fn check(before: &str, expected: Result<&str, &str>) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("assay.toml");
        if !before.is_empty() {
            std::fs::write(&file, before).expect("written");
        }
        let setting = SETTINGS.iter().find(|setting| setting.name == "collect.recorder").expect("a setting");
        let done = put(&file, setting, "false", "false").map_err(|error| format!("{error:#}"));
        match expected {
            Ok(after) => {
                done.expect("written");
                assert_eq!(std::fs::read_to_string(&file).expect("read"), after);
            }
            Err(words) => {
                let error = done.expect_err("refused");
                assert!(error.contains(words), "{error}");
                assert_eq!(std::fs::read_to_string(&file).expect("read"), before, "nothing changed");
            }
        }
    }

    #[test]
    fn one_setting_changes_and_nothing_else() {
        check("", Ok("[collect]\nrecorder = false\n"));
        check("[log]\nformat = 'json'\n", Ok("[log]\nformat = 'json'\n\n[collect]\nrecorder = false\n"));
        check(
            "# mine\n[collect] \nrecorder = true # why\ndeadline_s = 60\n",
            Ok("# mine\n[collect] \nrecorder = false\ndeadline_s = 60\n"),
        );
        check(
            "[collect]\ndeadline_s = 60\n[spool]\nmax_bundles = 3",
            Ok("[collect]\nrecorder = false\ndeadline_s = 60\n[spool]\nmax_bundles = 3\n"),
        );
        check("collect.recorder = true\n", Err("only its author should change"));
        check("[collect]\n'recorder' = true\n", Err("only its author should change"));
        check("[collect\n", Err("this is not a configuration"));
    }
}
