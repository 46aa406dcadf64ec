//! Where the database is: `sqlite:FILE` or `postgres://…`. What is in the address of a server stays there: neither a
//! log line nor an error shows it, since it may hold a password.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Server),
}

/// The address of a server, which is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Server(Zeroizing<String>);

impl Server {
    /// The address, with what may be secret in it.
    pub(super) fn url(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(_) => f.write_str("postgres://(not shown)"),
        }
    }
}

impl Place {
    /// Reads an address; `None` for what is none.
    pub fn read(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return (!path.is_empty()).then(|| Self::Sqlite(PathBuf::from(path)));
        }
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))?;
        (!rest.is_empty()).then(|| Self::Postgres(Server(Zeroizing::new(text.to_owned()))))
    }
}

/// A file as the driver wants it named: a byte that could mean something else is written as `%XX`.
pub(super) fn file_url(path: &Path, mode: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-');
    let mut url = "sqlite://".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match plain(*byte) {
            true => url.push(char::from(*byte)),
            false => url.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("{url}?mode={mode}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Place::read(text).map(|place| place.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn an_address_is_read_and_a_password_never_shown() {
        check("sqlite:/var/lib/a b.db", Some("sqlite:/var/lib/a b.db"));
        check("sqlite:///var/lib/portal.db", Some("sqlite:/var/lib/portal.db"));
        check("postgres://assay:secret@db/assay", Some("postgres://(not shown)"));
        check("postgresql://assay:secret@db/assay", Some("postgres://(not shown)"));
        for none in ["", "sqlite:", "postgres://", "mysql://db", "/var/lib/portal.db"] {
            check(none, None);
        }
        let shown = format!("{:?}", Place::read("postgres://assay:secret@db/assay"));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
