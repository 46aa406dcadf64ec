//! UPS: what `upsc` prints (`key: value`), and the protocol itself (`LIST UPS`, `LIST VAR`). `upsc` does not say which unit
//! it asked; its name is the one that was typed. It is read in the protocol's form by the protocol's parser.

use super::{Begins, Format, Gathered, Output, Sign, add, never};
use crate::nut;

/// First words of the variables' names.
const KINDS: [&str; 9] =
    ["ambient", "battery", "device", "driver", "input", "outlet", "output", "server", "ups"];

pub(super) const FORMAT: Format = Format {
    name: "NUT",
    sign: Sign::First(b"Babcdefghijklmnopqrstuvwxyz"),
    begins: |lines| lines.first().is_some_and(|line| is_protocol(line) || variable(line).is_some()),
    place: Begins::AmongOthers,
    is_json: never,
    read,
};

fn is_protocol(line: &str) -> bool {
    line.starts_with("BEGIN LIST UPS") || line.starts_with("BEGIN LIST VAR ")
}

/// `battery.charge: 100`.
fn variable(line: &str) -> Option<(&str, &str)> {
    line.starts_with(|first: char| first.is_ascii_lowercase()).then_some(())?;
    let (name, value) = line.split_once(':')?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.';
    let known =
        name.split_once('.').is_some_and(|(kind, _)| KINDS.contains(&kind)) && name.chars().all(plain);
    known.then(|| (name, value.trim()))
}

fn read(gathered: &mut Gathered, output: &Output<'_>) -> Result<(), String> {
    let unit = output.typed.strip_prefix("upsc ").and_then(|rest| rest.split(['@', ' ']).next());
    let name = unit.filter(|name| nut::list_variables(name).is_some()).unwrap_or("ups");
    let text = if output.text.contains("BEGIN LIST UPS") {
        output.text.to_owned()
    } else if let Some(first) = output.text.strip_prefix("BEGIN LIST VAR ") {
        let name = first.split_whitespace().next().unwrap_or(name);
        format!("BEGIN LIST UPS\nUPS {name}\nEND LIST UPS\n{}", output.text)
    } else {
        protocol(name, output.text)
    };
    let units = nut::parse(&text, output.place)?;
    add(&mut gathered.facts.ups, units, output.place);
    Ok(())
}

/// The same in the protocol's words.
fn protocol(name: &str, text: &str) -> String {
    let mut out = format!("BEGIN LIST UPS\nUPS {name}\nEND LIST UPS\nBEGIN LIST VAR {name}\n");
    for (key, value) in text.lines().filter_map(variable) {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        out.push_str(&format!("VAR {name} {key} \"{value}\"\n"));
    }
    out.push_str(&format!("END LIST VAR {name}\n"));
    out
}
