//! Reads comma- or semicolon-separated tables (RFC 4180 with what spreadsheets make of it): quotes, line ends of both
//! kinds, a byte order mark, fields over several lines.
//!
//! The separator is the one that the header line has. Refused: what is no UTF-8, a quote that never ends or that stands
//! inside an unquoted field, and tables beyond the [`Limits`].

/// How much is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most rows behind the header.
    pub rows: usize,
    /// Most fields in a row.
    pub fields: usize,
    /// Longest field in bytes.
    pub field_bytes: usize,
}

impl Default for Limits {
    /// Judgement: ten times the units of a large dealer, and longer fields than any that is read.
    fn default() -> Self {
        Self { rows: 1_000_000, fields: 64, field_bytes: 4 << 10 }
    }
}

/// A row with the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Line in the file, counted from 1.
    pub line: usize,
    /// Its fields, without the blanks around them.
    pub fields: Vec<String>,
}

/// Why a table cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct CsvError {
    /// Line in the file, counted from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub why: String,
}

/// Reads a table: the header first. Empty lines are left out.
///
/// # Errors
/// The first place that cannot be read, with its line.
pub fn read(bytes: &[u8], limits: Limits) -> Result<Vec<Row>, CsvError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        CsvError { line, why: "is no UTF-8: save the table as \"CSV UTF-8\"".to_owned() }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        separator: separator(text),
        limits,
        rows: Vec::new(),
        fields: Vec::new(),
        field: String::new(),
        line: 1,
        began: 1,
    };
    reader.all(text)?;
    Ok(reader.rows)
}

/// The separator that stands more often outside quotes in the header; a comma where none does.
fn separator(text: &str) -> char {
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let outside = header.split('"').step_by(2);
    let (mut commas, mut semicolons) = (0, 0);
    for part in outside {
        commas += part.matches(',').count();
        semicolons += part.matches(';').count();
    }
    if semicolons > commas { ';' } else { ',' }
}

struct Reader {
    separator: char,
    limits: Limits,
    rows: Vec<Row>,
    fields: Vec<String>,
    field: String,
    line: usize,
    began: usize,
}

impl Reader {
    fn all(&mut self, text: &str) -> Result<(), CsvError> {
        let mut chars = text.chars().peekable();
        let mut quoted = false;
        // A quoted field has ended: only a separator or the line's end may follow.
        let mut ended = false;
        while let Some(c) = chars.next() {
            if quoted {
                match c {
                    '"' if chars.peek() == Some(&'"') => {
                        chars.next();
                        self.push('"')?;
                    }
                    '"' => (quoted, ended) = (false, true),
                    '\n' => {
                        self.line += 1;
                        self.push(c)?;
                    }
                    _ => self.push(c)?,
                }
                continue;
            }
            match c {
                '\r' if chars.peek() == Some(&'\n') => {}
                '\n' => {
                    self.end_row()?;
                    ended = false;
                }
                c if c == self.separator => {
                    self.end_field()?;
                    ended = false;
                }
                '"' if !ended && self.field.trim().is_empty() => {
                    self.field.clear();
                    quoted = true;
                }
                '"' => {
                    return self.fail(
                        "has a quote inside a field: put the whole field in quotes and double the inner one",
                    );
                }
                c if ended && c.is_whitespace() => {}
                _ if ended => {
                    return self.fail("has text behind a quoted field: put the whole field in quotes");
                }
                _ => self.push(c)?,
            }
        }
        if quoted {
            self.line = self.began;
            return self.fail("opens a quote that never ends");
        }
        if !self.field.is_empty() || !self.fields.is_empty() {
            self.end_row()?;
        }
        Ok(())
    }

    fn fail<T>(&self, why: &str) -> Result<T, CsvError> {
        Err(CsvError { line: self.line, why: why.to_owned() })
    }

    fn push(&mut self, c: char) -> Result<(), CsvError> {
        self.field.push(c);
        if self.field.len() > self.limits.field_bytes {
            return self.fail(&format!("has a field of more than {} bytes", self.limits.field_bytes));
        }
        Ok(())
    }

    fn end_field(&mut self) -> Result<(), CsvError> {
        self.fields.push(self.field.trim().to_owned());
        self.field.clear();
        if self.fields.len() > self.limits.fields {
            return self.fail(&format!("has more than {} fields", self.limits.fields));
        }
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), CsvError> {
        self.end_field()?;
        let fields = std::mem::take(&mut self.fields);
        if fields.iter().any(|field| !field.is_empty()) {
            // The header is a row, too.
            if self.rows.len() > self.limits.rows {
                return self.fail(&format!(
                    "is beyond the {} rows that are read at once: split the table",
                    self.limits.rows
                ));
            }
            self.rows.push(Row { line: self.began, fields });
        }
        self.line += 1;
        self.began = self.line;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with their lines, or the line that is wrong and what is said of it.
    type Expected<'a> = Result<&'a [(usize, &'a [&'a str])], (usize, &'a str)>;

    fn check(text: &[u8], expected: Expected<'_>) {
        let limits = Limits { rows: 3, fields: 4, field_bytes: 12 };
        match (read(text, limits), expected) {
            (Ok(rows), Ok(expected)) => {
                let rows: Vec<(usize, Vec<&str>)> =
                    rows.iter().map(|r| (r.line, r.fields.iter().map(String::as_str).collect())).collect();
                let expected: Vec<(usize, Vec<&str>)> =
                    expected.iter().map(|(l, f)| (*l, f.to_vec())).collect();
                assert_eq!(rows, expected, "{text:?}");
            }
            (Err(error), Err((line, says))) => {
                assert!(error.line == line && error.why.contains(says), "{text:?}: {error}");
            }
            (got, _) => panic!("{text:?}: {got:?}"),
        }
    }

    #[test]
    fn what_spreadsheets_write_is_read() {
        check(b"a,b\n1,2\n", Ok(&[(1, &["a", "b"]), (2, &["1", "2"])]));
        check("\u{feff}a;b\r\n1;2,5".as_bytes(), Ok(&[(1, &["a", "b"]), (2, &["1", "2,5"])]));
        check(b"a,\"b;c;d\"\n1,2\n", Ok(&[(1, &["a", "b;c;d"]), (2, &["1", "2"])]));
        check(b"a,b\n\n , \n\"1 \"\"x\"\"\" , y \n", Ok(&[(1, &["a", "b"]), (4, &["1 \"x\"", "y"])]));
        check(b"a,b\n\"1\n2\",3\n4,5", Ok(&[(1, &["a", "b"]), (2, &["1\n2", "3"]), (4, &["4", "5"])]));
        check(b"", Ok(&[]));
        check(b"a,b\n1,", Ok(&[(1, &["a", "b"]), (2, &["1", ""])]));
    }

    #[test]
    fn what_cannot_be_read_names_its_line() {
        check(b"a,b\n1,\xff\n", Err((2, "no UTF-8")));
        check(b"a,b\n\"1,2\n3,4\n", Err((2, "never ends")));
        check(b"a,b\n1\"2,3\n", Err((2, "quote inside")));
        check(b"a,b\n\"1\"2,3\n", Err((2, "behind a quoted field")));
        check(b"a,b,c,d,e\n", Err((1, "more than 4 fields")));
        check(b"a,b\n1234567890123,b\n", Err((2, "more than 12 bytes")));
        check(b"a\n1\n2\n3\n4\n", Err((5, "beyond the 3 rows")));
    }
}
