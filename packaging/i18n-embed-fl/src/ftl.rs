//! The part of the Fluent format that age's messages use, see the crate's head.

/// How deep messages may name each other: age's go one level.
const MOST_LEVELS: u8 = 8;

/// A message as a pattern of `format!`, and the keys of its empty places in order.
pub(crate) fn pattern(file: &str, name: &str) -> Result<(String, Vec<String>), String> {
    let (mut made, mut keys) = (String::new(), Vec::new());
    append(file, name, MOST_LEVELS, &mut made, &mut keys)?;
    Ok((made, keys))
}

fn append(
    file: &str,
    name: &str,
    levels: u8,
    made: &mut String,
    keys: &mut Vec<String>,
) -> Result<(), String> {
    let below = levels.checked_sub(1).ok_or_else(|| format!("{name} names itself"))?;
    let text = message(file, name).ok_or_else(|| format!("there is no message {name}"))?;
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, after) = after.split_once('}').ok_or_else(|| format!("{name}: a brace stays open"))?;
        made.push_str(before);
        let inside = inside.trim();
        if let Some(key) = inside.strip_prefix('$') {
            made.push_str("{}");
            keys.push(key.to_owned());
        } else if let Some(literal) = inside.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            made.push_str(literal);
        } else if inside.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            append(file, inside, below, made, keys)?;
        } else {
            return Err(format!("{name}: {inside:?} is not understood"));
        }
        rest = after;
    }
    if rest.contains('}') {
        return Err(format!("{name}: a brace was never opened"));
    }
    made.push_str(rest);
    Ok(())
}

/// The text behind `name =`, with the lines that go on; their common blanks are taken away.
fn message(file: &str, name: &str) -> Option<String> {
    let mut lines = file
        .lines()
        .skip_while(|line| line.strip_prefix(name).is_none_or(|rest| !rest.trim_start().starts_with('=')));
    let (_, first) = lines.next()?.split_once('=')?;
    let more: Vec<&str> = lines.take_while(|line| line.is_empty() || line.starts_with(' ')).collect();
    let blanks = |line: &&str| line.len() - line.trim_start().len();
    let common = more.iter().filter(|line| !line.trim().is_empty()).map(blanks).min().unwrap_or_default();
    let mut text = vec![first.trim()];
    text.extend(more.iter().map(|line| line.get(common..).unwrap_or_default().trim_end()));
    Some(text.join("\n").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
# A remark
-age = age
-rage = rage

one = Header is invalid
one-more = Unknown {-age} format, says { $who }: {one}.
lines =
    First line
    {\"  \"}second {$b} and {$a}

    third

loop = {loop}
open = {$who
closed = who}
call = {NUMBER($who)}
";

    fn check(name: &str, expected: Result<(&str, &[&str]), &str>) {
        match (pattern(FILE, name), expected) {
            (Ok((text, keys)), Ok((wanted, wanted_keys))) => {
                assert_eq!(text, wanted);
                assert_eq!(keys, wanted_keys);
            }
            (Err(found), Err(wanted)) => assert!(found.contains(wanted), "{found}"),
            (found, _) => panic!("{name}: {found:?}"),
        }
    }

    #[test]
    fn messages_are_read() {
        check("one", Ok(("Header is invalid", &[])));
        check("one-more", Ok(("Unknown age format, says {}: Header is invalid.", &["who"])));
        check("lines", Ok(("First line\n  second {} and {}\n\nthird", &["b", "a"])));
        check("on", Err("no message on"));
        check("loop", Err("names itself"));
        check("open", Err("stays open"));
        check("closed", Err("never opened"));
        check("call", Err("not understood"));
    }
}
