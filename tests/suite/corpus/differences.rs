//! What we say and what others computed, field by field; each difference is in a table with its reason.

use serde_json::Value;

/// One difference that was looked at. `ours` and `theirs` are JSON texts, or a pattern: `*` is any value and `#` any
/// value that is not null. `file` is a file name, or `*`.
pub(super) struct Row {
    pub(super) file: &'static str,
    pub(super) field: &'static str,
    pub(super) ours: &'static str,
    pub(super) theirs: &'static str,
    pub(super) why: &'static str,
}

/// Compares, and holds every difference against the table.
pub(super) struct Comparison {
    table: &'static [Row],
    used: Vec<usize>,
    equal: usize,
    unexplained: Vec<String>,
}

impl Comparison {
    pub(super) fn new(table: &'static [Row]) -> Self {
        Self { table, used: vec![0; table.len()], equal: 0, unexplained: Vec::new() }
    }

    pub(super) fn field(&mut self, file: &str, field: &str, ours: impl Into<Value>, theirs: &Value) {
        let ours = ours.into();
        if &ours == theirs {
            self.equal += 1;
            return;
        }
        let matches = |pattern: &str, value: &Value| match pattern {
            "*" => true,
            "#" => !value.is_null(),
            text => format!("{value}") == text,
        };
        let row = self.table.iter().position(|row| {
            [file, "*"].contains(&row.file)
                && row.field == field
                && matches(row.ours, &ours)
                && matches(row.theirs, theirs)
        });
        match row {
            Some(row) => self.used[row] += 1,
            None => self.unexplained.push(format!("{file}: {field}: we say {ours}, they say {theirs}")),
        }
    }

    /// Fails on a difference that is not in the table, and on a row of the table that no longer differs.
    pub(super) fn finish(self, what: &str) {
        println!(
            "{what}: {} values equal, {} explained differences",
            self.equal,
            self.used.iter().sum::<usize>()
        );
        for (row, used) in self.table.iter().zip(&self.used) {
            println!("  {used} x {} {}: {} for {}: {}", row.file, row.field, row.ours, row.theirs, row.why);
        }
        let count = self.unexplained.len();
        assert!(count == 0, "{count} differences are not in the table:\n{}", self.unexplained.join("\n"));
        for (row, used) in self.table.iter().zip(&self.used) {
            assert!(*used > 0, "no longer different: {} {}", row.file, row.field);
        }
    }
}
