//! Command lines that are told a secret by an option without a name: `sshpass -p x`, `curl -u user:x`.

use super::line::{Cleaner, Scan, is_mark};

/// Destroys such options.
pub(super) fn options(cleaner: &Cleaner, scan: &mut Scan) {
    for (kind, command) in &cleaner.rules.commands {
        for found in command.captures_iter(scan.line.as_bytes()) {
            if let Some(secret) = found.name("s")
                && !is_mark(scan.part(secret.start(), secret.end()))
            {
                scan.destroy(secret.start(), secret.end(), kind);
            }
        }
    }
}
