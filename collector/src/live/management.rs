//! QTS's management pages, for as long as an administrator lends a session.
//!
//! This crate has no HTTP client: whoever holds the session (Assay's page in QTS) brings a [`ManagementCaller`]. What a
//! page answered last is kept in RAM with its time, so that a later run without a session still has it, and says how
//! old it is. The session is a secret: it is not shown by `Debug`, enters no error text and no raw form, and is checked
//! before it becomes part of an address. Only the pages of [`CgiPage`] can be asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::management_cgi::{self, MOST_PAGE_BYTES};
use crate::source::{CgiPage, Failure, Fetched};

/// How long a page may take: QTS asks every drive for some of them.
const PAGE_DEADLINE: Duration = Duration::from_secs(20);
/// Longest session identifier.
const MOST_SID: usize = 64;

/// The answer to one call.
pub type Called<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'a>>;

/// Whoever can fetch a page from the web server of this NAS.
pub trait ManagementCaller: Send + Sync {
    /// Fetches `path` (with its query and the session) from port `port` of the loopback; at most
    /// [`MOST_PAGE_BYTES`] bytes. An error is told in words, without the path.
    fn call<'a>(&'a self, port: u16, path: String) -> Called<'a>;
}

/// A session that an administrator lent.
#[derive(Clone)]
struct Session {
    sid: String,
    port: u16,
}

/// QTS's management: at most one session, and what each page answered last.
pub struct Management {
    caller: Box<dyn ManagementCaller>,
    session: Mutex<Option<Session>>,
    answered: Mutex<BTreeMap<CgiPage, String>>,
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Management").field("open", &self.session().is_some()).finish_non_exhaustive()
    }
}

impl Management {
    /// Without a session, until [`Self::open`].
    pub fn new(caller: Box<dyn ManagementCaller>) -> Self {
        Self { caller, session: Mutex::default(), answered: Mutex::default() }
    }

    /// Takes a session of an administrator; false, and nothing is taken, when it is none by its form.
    pub fn open(&self, sid: &str, port: u16) -> bool {
        let plain =
            !sid.is_empty() && sid.len() <= MOST_SID && sid.bytes().all(|b| b.is_ascii_alphanumeric());
        if plain {
            let session = Session { sid: sid.to_owned(), port };
            *self.session.lock().unwrap_or_else(PoisonError::into_inner) = Some(session);
        }
        plain
    }

    /// Gives the session back.
    pub fn close(&self) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn session(&self) -> Option<Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for a page, or gives its last answer.
    pub(super) async fn page(&self, page: CgiPage) -> Result<Fetched, Failure> {
        let failed = match self.session() {
            None => None,
            Some(session) => match self.ask(page, &session).await {
                Ok(text) => {
                    let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
                    answered.insert(page, text.clone());
                    return Ok(Fetched { bytes: text.into_bytes(), ..Fetched::default() });
                }
                Err(why) => {
                    // A caller's words may hold the address that it called.
                    let why = why.replace(&session.sid, "…");
                    Some(Failure::Io { why: format!("QTS's management page {}: {why}", page.slug()) })
                }
            },
        };
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        match (answered.get(&page), failed) {
            (Some(text), _) => Ok(Fetched { bytes: text.clone().into_bytes(), ..Fetched::default() }),
            (None, Some(failed)) => Err(failed),
            (None, None) => Err(without_session()),
        }
    }

    async fn ask(&self, page: CgiPage, session: &Session) -> Result<String, String> {
        let path = format!("/cgi-bin/{}&sid={}", page.path(), session.sid);
        let called = tokio::time::timeout(PAGE_DEADLINE, self.caller.call(session.port, path));
        let bytes = called.await.map_err(|_| "no answer within 20 s".to_owned())??;
        if bytes.len() > MOST_PAGE_BYTES {
            return Err("it is larger than any page of QTS".to_owned());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let text = String::from_utf8_lossy(&bytes);
        management_cgi::essentials(&text, i64::try_from(now).unwrap_or(i64::MAX)).map_err(str::to_owned)
    }
}

/// Why there is no page, with the next step.
pub(super) fn without_session() -> Failure {
    Failure::Io {
        why: "QTS's management pages need an administrator's session; open Assay in the desktop of QTS as an administrator and start the check there".to_owned(),
    }
}
