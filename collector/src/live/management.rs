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

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const HEALTH: &str = "<QDocRoot><authPassed>1</authPassed><hostname>cellar</hostname><sysHealth><status>good</status></sysHealth></QDocRoot>";

    type Page = Result<Vec<u8>, String>;

    /// Answers with the first page that is left, and writes down what was asked.
    #[derive(Clone, Default)]
    struct Double {
        asked: Arc<Mutex<Vec<(u16, String)>>>,
        answers: Arc<Mutex<Vec<Page>>>,
    }

    impl ManagementCaller for Double {
        fn call<'a>(&'a self, port: u16, path: String) -> Called<'a> {
            self.asked.lock().unwrap().push((port, path));
            let answer = self.answers.lock().unwrap().remove(0);
            Box::pin(std::future::ready(answer))
        }
    }

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(future)
    }

    fn management(answers: &[Result<&str, &str>]) -> (Management, Double) {
        let double = Double::default();
        double
            .answers
            .lock()
            .unwrap()
            .extend(answers.iter().map(|a| a.map(|text| text.as_bytes().to_vec()).map_err(str::to_owned)));
        (Management::new(Box::new(double.clone())), double)
    }

    #[test]
    fn without_a_session_the_next_step_is_told() {
        let (management, double) = management(&[]);
        let failed = run(management.page(CgiPage::SysInfo)).expect_err("no session");
        assert!(failed.to_string().contains("as an administrator"), "{failed}");
        assert!(double.asked.lock().unwrap().is_empty());
    }

    #[test]
    fn a_page_is_asked_for_kept_and_given_again_with_its_time() {
        let (management, double) = management(&[Ok(HEALTH), Err("GET /x?sid=abc123: refused")]);
        assert!(management.open("abc123", 8080));
        let first = run(management.page(CgiPage::SysHealth)).expect("a page");
        assert!(
            first.text().contains("<answered_unix_s>1") && !first.text().contains("cellar"),
            "{}",
            first.text()
        );
        assert_eq!(run(management.page(CgiPage::SysHealth)).expect("the last answer"), first);
        management.close();
        assert_eq!(run(management.page(CgiPage::SysHealth)).expect("the last answer"), first);
        let path = "/cgi-bin/management/manaRequest.cgi?subfunc=sysinfo&sysHealth=1&sid=abc123".to_owned();
        assert_eq!(*double.asked.lock().unwrap(), [(8080, path.clone()), (8080, path)]);
    }

    #[test]
    fn the_session_is_never_shown() {
        let (management, _) = management(&[Err("GET /x?sid=abc123: refused"), Ok("<html>login</html>")]);
        assert!(management.open("abc123", 8080));
        assert!(!format!("{management:?}").contains("abc123"));
        let failed = run(management.page(CgiPage::SysInfo)).expect_err("refused").to_string();
        assert!(failed.contains("refused") && !failed.contains("abc123"), "{failed}");
        let failed = run(management.page(CgiPage::SysInfo)).expect_err("no page").to_string();
        assert!(failed.contains("no page of QTS"), "{failed}");
    }

    #[test]
    fn a_session_is_letters_and_digits() {
        fn check(sid: &str, passes: bool) {
            assert_eq!(management(&[]).0.open(sid, 80), passes, "{sid}");
        }
        check("abc123", true);
        check("", false);
        check("a&func=reboot", false);
        check("a b", false);
        check(&"a".repeat(65), false);
    }
}
