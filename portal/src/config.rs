//! Settings in three layers: flags, then `ASSAY_PORTAL_*`, then the file of `--config`. An unknown word in the file is
//! an error, never a silent default.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::files::DataDir;
use crate::store::{Place, tenants};

/// Data folder when nothing names one.
pub const DEFAULT_DATA_DIR: &str = "/var/lib/assay-portal";
/// How long the ingest worker may take, in seconds, when nothing says otherwise.
pub const DEFAULT_WORKER_DEADLINE_S: u64 = 120;

/// One layer: every setting may be missing. The same words in the file, in the environment and as flags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Layer {
    /// Data folder.
    pub data_dir: Option<PathBuf>,
    /// Database: `sqlite:FILE` or `postgres://…`. It may hold a password, so no option sets it and nothing shows it.
    pub database: Option<Secret>,
    /// Address to listen on.
    pub listen: Option<SocketAddr>,
    /// Base address that devices and people use.
    pub public_url: Option<String>,
    /// Portal's name.
    pub name: Option<String>,
    /// Make a certificate of our own.
    pub self_signed: Option<bool>,
    /// Certificate chain (PEM).
    pub tls_cert: Option<PathBuf>,
    /// Its key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Ingest worker's program instead of our own.
    pub ingest_worker: Option<PathBuf>,
    /// Ingest worker's deadline in seconds.
    pub worker_deadline_s: Option<u64>,
    /// Log lines as JSON.
    pub log_json: Option<bool>,
}

/// How connections are protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// By a certificate that we make.
    SelfSigned,
    /// By files.
    Files {
        /// Chain.
        cert: PathBuf,
        /// Key.
        key: PathBuf,
    },
    /// By a proxy in front of us.
    Elsewhere,
}

/// All settings, decided.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Data folder.
    pub data_dir: PathBuf,
    /// Database; `None` means a file in the data folder.
    pub database: Option<Place>,
    /// Tenant that a command is about.
    pub tenant: String,
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Base address, without a trailing slash; `None` means that it follows from the address listened on.
    pub public_url: Option<String>,
    /// Portal's name.
    pub name: String,
    /// TLS.
    pub tls: Tls,
    /// Ingest worker's program; `None` means our own.
    pub ingest_worker: Option<PathBuf>,
    /// Ingest worker's deadline in seconds.
    pub worker_deadline_s: u64,
    /// Log lines as JSON.
    pub log_json: bool,
}

/// Why the settings were refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}: check the path given with --config", path.display())]
    Read {
        /// File.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file does not say what we understand.
    #[error("the configuration {} is not understood: correct the line named below", path.display())]
    Parse {
        /// File.
        path: PathBuf,
        /// Line and reason.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A variable does not fit.
    #[error("{name}={value:?} is not {wanted}: correct it or remove it from the environment")]
    Variable {
        /// Variable.
        name: String,
        /// Its value.
        value: OsString,
        /// What would fit.
        wanted: &'static str,
    },
    /// Settings that do not go together.
    #[error("{0}")]
    Together(&'static str),
    /// Not the address of a database.
    #[error("`database` (or ASSAY_PORTAL_DATABASE) is neither sqlite:FILE nor postgres://…: correct it")]
    Database,
    /// Not a base address.
    #[error("public URL {0:?} is not of the form https://host[:port]: give one without a path")]
    Url(String),
}

/// A text that is not shown: it may hold a password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Secret {
    /// The database that it names; `None` where it names none.
    pub fn place(&self) -> Option<Place> {
        Place::read(&self.0)
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(not shown)")
    }
}

impl Settings {
    /// Where the database is.
    pub fn database(&self, dir: &DataDir) -> Place {
        self.database.clone().unwrap_or_else(|| Place::Sqlite(dir.database()))
    }
}

impl Layer {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read or holds an unknown word.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
        toml::from_str(&text)
            .map_err(|mut source: toml::de::Error| {
                // The line that is not understood is not shown where it may hold the password of a database.
                if text.contains("postgres") {
                    source.set_input(None);
                }
                source
            })
            .map_err(|source| ConfigError::Parse { path: path.to_path_buf(), source: Box::new(source) })
    }

    /// Reads `ASSAY_PORTAL_*` through `get`.
    ///
    /// # Errors
    /// When a value does not fit its setting.
    pub fn from_environment(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, ConfigError> {
        fn parsed<T: std::str::FromStr>(
            name: &str,
            value: Option<OsString>,
            wanted: &'static str,
        ) -> Result<Option<T>, ConfigError> {
            let Some(value) = value else { return Ok(None) };
            match value.to_str().and_then(|text| text.parse().ok()) {
                Some(parsed) => Ok(Some(parsed)),
                None => Err(ConfigError::Variable { name: name.to_owned(), value, wanted }),
            }
        }
        let at = |word: &str| {
            let name = format!("ASSAY_PORTAL_{word}");
            let value = get(&name).filter(|v| !v.is_empty());
            (name, value)
        };
        let path = |word: &str| at(word).1.map(PathBuf::from);
        let text = |word: &str| {
            let (name, value) = at(word);
            parsed::<String>(&name, value, "text")
        };
        let flag = |word: &str| {
            let (name, value) = at(word);
            parsed::<bool>(&name, value, "true or false")
        };
        let (listen_name, listen) = at("LISTEN");
        let (deadline_name, deadline) = at("WORKER_DEADLINE_S");
        Ok(Self {
            data_dir: path("DATA_DIR"),
            database: at("DATABASE").1.map(|value| Secret(value.to_string_lossy().into_owned())),
            listen: parsed(&listen_name, listen, "an address such as 127.0.0.1:8443")?,
            public_url: text("PUBLIC_URL")?,
            name: text("NAME")?,
            self_signed: flag("SELF_SIGNED")?,
            tls_cert: path("TLS_CERT"),
            tls_key: path("TLS_KEY"),
            ingest_worker: path("INGEST_WORKER"),
            worker_deadline_s: parsed(&deadline_name, deadline, "a number of seconds")?,
            log_json: flag("LOG_JSON")?,
        })
    }

    /// This layer, and what it lacks from the one below. How TLS is done is one choice: a layer that names a way hides
    /// the other ways below it.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        let names_tls = self.self_signed.is_some() || self.tls_cert.is_some() || self.tls_key.is_some();
        let (self_signed, tls_cert, tls_key) = if names_tls {
            (self.self_signed, self.tls_cert, self.tls_key)
        } else {
            (below.self_signed, below.tls_cert, below.tls_key)
        };
        Self {
            data_dir: self.data_dir.or(below.data_dir),
            database: self.database.or(below.database),
            listen: self.listen.or(below.listen),
            public_url: self.public_url.or(below.public_url),
            name: self.name.or(below.name),
            self_signed,
            tls_cert,
            tls_key,
            ingest_worker: self.ingest_worker.or(below.ingest_worker),
            worker_deadline_s: self.worker_deadline_s.or(below.worker_deadline_s),
            log_json: self.log_json.or(below.log_json),
        }
    }

    /// Decides.
    ///
    /// # Errors
    /// When settings do not go together.
    pub fn settings(self) -> Result<Settings, ConfigError> {
        let tls = match (self.self_signed.unwrap_or(false), self.tls_cert, self.tls_key) {
            (true, None, None) => Tls::SelfSigned,
            (true, _, _) => {
                return Err(ConfigError::Together(
                    "--self-signed and --tls-cert/--tls-key exclude each other: give one of them",
                ));
            }
            (false, Some(cert), Some(key)) => Tls::Files { cert, key },
            (false, None, None) => Tls::Elsewhere,
            (false, _, _) => {
                return Err(ConfigError::Together("--tls-cert and --tls-key belong together: give both"));
            }
        };
        let database = self.database.as_ref().map(|text| text.place().ok_or(ConfigError::Database));
        let listen = match self.listen {
            Some(listen) => listen,
            None => SocketAddr::from(([127, 0, 0, 1], 8443)),
        };
        Ok(Settings {
            data_dir: self.data_dir.unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR)),
            database: database.transpose()?,
            tenant: tenants::DEFAULT.to_owned(),
            listen,
            public_url: self.public_url.map(|url| base_url(&url)).transpose()?,
            name: self.name.unwrap_or_else(|| "Assay portal".to_owned()),
            tls,
            ingest_worker: self.ingest_worker,
            worker_deadline_s: self.worker_deadline_s.unwrap_or(DEFAULT_WORKER_DEADLINE_S),
            log_json: self.log_json.unwrap_or(false),
        })
    }
}

/// A base address in its one spelling: https, lower-case host, no default port, no path, no trailing slash.
///
/// # Errors
/// When it is not one.
pub fn base_url(text: &str) -> Result<String, ConfigError> {
    let refused = || ConfigError::Url(text.to_owned());
    let trimmed = text.trim().trim_end_matches('/').to_ascii_lowercase();
    let authority = trimmed.strip_prefix("https://").ok_or_else(refused)?;
    let uri: axum::http::uri::Authority = authority.parse().map_err(|_| refused())?;
    if authority.contains('@') || uri.host().is_empty() {
        return Err(refused());
    }
    Ok(match uri.port_u16() {
        Some(443) | None => format!("https://{}", uri.host()),
        Some(port) => format!("https://{}:{port}", uri.host()),
    })
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Option<&str>) {
        assert_eq!(base_url(url).ok().as_deref(), expected, "{url}");
    }

    #[test]
    fn a_base_address_has_one_spelling() {
        check("https://Portal.Example/", Some("https://portal.example"));
        check("https://portal.example:443", Some("https://portal.example"));
        check("https://127.0.0.1:8443", Some("https://127.0.0.1:8443"));
        check("https://[::1]:8443", Some("https://[::1]:8443"));
        check("http://portal.example", None);
        check("https://portal.example/path", None);
        check("https://user@portal.example", None);
        check("https://", None);
    }

    #[test]
    fn the_nearer_layer_wins() {
        let file = Layer { name: Some("file".into()), self_signed: Some(true), ..Layer::default() };
        let environment = Layer::from_environment(|name| match name {
            "ASSAY_PORTAL_NAME" => Some("environment".into()),
            "ASSAY_PORTAL_LISTEN" => Some("127.0.0.1:1".into()),
            _ => None,
        });
        let flags = Layer {
            tls_cert: Some("c".into()),
            tls_key: Some("k".into()),
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 2))),
            ..Layer::default()
        };
        let settings = flags
            .over(environment.expect("fits").over(file))
            .settings()
            .expect("one way of TLS is named nearest");
        assert_eq!(settings.name, "environment");
        assert_eq!(settings.listen.port(), 2);
        assert_eq!(settings.tls, Tls::Files { cert: "c".into(), key: "k".into() });
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(toml::from_str::<Layer>("listne = \"127.0.0.1:1\"").is_err());
        assert!(
            Layer::from_environment(|n| (n == "ASSAY_PORTAL_LISTEN").then(|| "everywhere".into())).is_err()
        );
        assert!(Layer { tls_cert: Some("c".into()), ..Layer::default() }.settings().is_err());
    }
}
