//! Both databases for tests: a file in a temporary folder, and one PostgreSQL server of this test process with a database
//! for each test.
//!
//! The server runs as a user that is not root, speaks only through a socket in its own folder, and is watched by a shell
//! that ends it and removes the folder as soon as this process is gone, however it goes. A test fails where there is no
//! server to start: what is not tested is not said to work.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection, Executor, PgConnection};

use super::{Kind, Place, Store};

/// User and group that the server runs as under root, who may not run one: nobody.
const NOBODY: u32 = 65_534;

/// Makes a cluster, serves it until stdin ends, and removes it.
const WATCHED: &str = r#"
set -eu
dir=$(mktemp -d "$2/assay-pg-XXXXXX")
trap 'kill -QUIT $server 2>/dev/null; wait; rm -rf "$dir"' EXIT
server=
"$1/initdb" -D "$dir/data" -U assay -A trust -E UTF8 --locale=C -N >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
"$1/postgres" -D "$dir/data" -k "$dir" -h '' -F -c full_page_writes=off -c synchronous_commit=off \
    -c max_connections=400 -c max_locks_per_transaction=256 >"$dir/log" 2>&1 &
server=$!
tries=0
until "$1/psql" -h "$dir" -U assay -d postgres -c 'SELECT 1' >/dev/null 2>&1; do
    kill -0 $server || { cat "$dir/log" >&2; exit 1; }
    tries=$((tries + 1)); [ $tries -lt 600 ] || exit 1
    sleep 0.1
done
echo "$dir"
cat >/dev/null
"#;

/// A store of its own, with what it stands on.
pub(crate) struct Opened {
    pub(crate) store: Store,
    _dir: Option<tempfile::TempDir>,
}

/// Where PostgreSQL's programs are: on Debian they are not in the path.
fn programs() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            path.join("bin/initdb").exists().then(|| (version, path.join("bin")))
        })
        .collect();
    found.sort();
    let in_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
    };
    let newest = found.pop().map(|(_, folder)| folder);
    newest.or_else(in_path).expect("PostgreSQL's programs are there: install the package postgresql")
}

/// The folder of the server's socket. The server is started by who asks first.
fn server() -> &'static str {
    static SERVER: OnceLock<String> = OnceLock::new();
    SERVER.get_or_init(|| {
        let mut command = Command::new("sh");
        command.args(["-c", WATCHED, "sh"]).arg(programs()).arg(std::env::temp_dir());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).current_dir("/");
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut child = command.spawn().expect("sh runs");
        let mut dir = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut dir).expect("sh answers");
        assert!(!dir.is_empty(), "the PostgreSQL server does not start; its words are above");
        // Its stdin stays open for as long as this process lives.
        std::mem::forget(child);
        dir.trim().to_owned()
    })
}

fn url(database: &str) -> String {
    format!("postgres://assay@localhost/{database}?host={}", server().replace('/', "%2F"))
}

async fn run(sql: String) {
    let mut connection = PgConnection::connect(&url("postgres")).await.expect("the server answers");
    connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("runs");
    connection.close().await.expect("closes");
}

/// An address of an empty database.
pub(crate) async fn empty(kind: Kind) -> (Place, Option<tempfile::TempDir>) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    match kind {
        Kind::Sqlite => {
            let dir = tempfile::tempdir().expect("a folder");
            (Place::Sqlite(dir.path().join("portal.db")), Some(dir))
        }
        Kind::Postgres => {
            let name = format!("t{}", COUNT.fetch_add(1, Ordering::Relaxed));
            run(format!("CREATE DATABASE {name} TEMPLATE template0")).await;
            (Place::read(&url(&name)).expect("an address"), None)
        }
    }
}

/// A new store with its schema. On PostgreSQL it is a copy of one that was made before: that is faster.
pub(crate) async fn opened(kind: Kind) -> Opened {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    static MADE: tokio::sync::Mutex<bool> = tokio::sync::Mutex::const_new(false);
    let (place, dir) = match kind {
        Kind::Sqlite => empty(kind).await,
        Kind::Postgres => {
            let mut made = MADE.lock().await;
            if !*made {
                run("CREATE DATABASE model TEMPLATE template0".to_owned()).await;
                let place = Place::read(&url("model")).expect("an address");
                Store::open(&place).await.expect("opens").close().await;
                *made = true;
            }
            let name = format!("m{}", COUNT.fetch_add(1, Ordering::Relaxed));
            run(format!("CREATE DATABASE {name} TEMPLATE model")).await;
            (Place::read(&url(&name)).expect("an address"), None)
        }
    };
    let store = Store::open(&place).await.expect("opens");
    Opened { store, _dir: dir }
}

/// Both.
pub(crate) const KINDS: [Kind; 2] = [Kind::Sqlite, Kind::Postgres];
