//! Owners of every kind: right, wrong, absent, and what is kept after each.

use super::*;
use crate::clock::BUILT_UNIX_S;

/// An owner who answers from the words shown, wrongly `wrong` times, and leaves after `leaves` answers.
#[derive(Default)]
struct Owner {
    shown: String,
    said: Vec<String>,
    wrong: usize,
    leaves: Option<usize>,
    answers: usize,
    lines: Vec<&'static str>,
}

impl Person for Owner {
    fn show(&mut self, text: &str) -> anyhow::Result<()> {
        self.shown = text.to_owned();
        Ok(())
    }

    fn say(&mut self, text: &str) {
        self.said.push(text.to_owned());
    }

    fn ask(&mut self, prompt: &str, _: bool) -> anyhow::Result<Option<Zeroizing<String>>> {
        let place = prompt.strip_prefix("word ").and_then(|rest| rest.strip_suffix(": "));
        let Some(place) = place else {
            let line = (!self.lines.is_empty()).then(|| self.lines.remove(0));
            return Ok(line.map(|line| Zeroizing::new(line.to_owned())));
        };
        if self.leaves.is_some_and(|after| self.answers >= after) {
            return Ok(None);
        }
        self.answers += 1;
        if self.wrong > 0 {
            self.wrong -= 1;
            return Ok(Some(Zeroizing::new("zoo zoo".to_owned())));
        }
        let mut cells = self.shown.split_whitespace();
        cells.find(|cell| *cell == place).expect("the number");
        Ok(cells.next().map(|word| Zeroizing::new(word.to_uppercase())))
    }

    fn put_away(&mut self) -> anyhow::Result<()> {
        Ok(())
    }
}

fn perform(
    owner: &mut Owner,
    folder: &Path,
    lost: Option<RecoveryKey>,
    at: i64,
) -> anyhow::Result<RecoveryKey> {
    let paths = Paths::find(Some(folder));
    let clock = Clock { now_unix_s: at };
    Ceremony { paths: &paths, clock, belongs: Belongs::default(), html: None, lost }.perform(owner)
}

#[test]
fn only_an_owner_who_has_the_words_gets_a_key() {
    let check = |mut owner: Owner, expected: Result<(), &str>| {
        let folder = tempfile::tempdir().expect("a folder");
        let made = perform(&mut owner, folder.path(), None, BUILT_UNIX_S);
        let kept = RecoveryKey::load(&folder.path().join("identity")).expect("looked");
        assert_eq!(kept.is_some(), expected.is_ok());
        match (made, expected) {
            (Ok(key), Ok(())) => {
                assert_eq!(key.proven_unix_s, Some(BUILT_UNIX_S));
                assert_eq!(kept, Some(key));
            }
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{error}"),
            (made, _) => panic!("{:?}", made.map(|_| ()).map_err(|error| error.to_string())),
        }
    };
    check(Owner::default(), Ok(()));
    check(Owner { wrong: 2, ..Owner::default() }, Ok(()));
    check(Owner { wrong: 3, ..Owner::default() }, Err("was wrong 3 times"));
    check(Owner { leaves: Some(0), ..Owner::default() }, Err("nobody answered"));
    check(Owner { leaves: Some(2), ..Owner::default() }, Err("nobody answered"));
}

#[test]
fn a_lost_key_is_remembered_as_lost_only_when_the_new_one_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().join("identity");
    let first = perform(&mut Owner::default(), folder.path(), None, BUILT_UNIX_S).expect("made");
    let mut gone = Owner { leaves: Some(1), ..Owner::default() };
    perform(&mut gone, folder.path(), Some(first.clone()), BUILT_UNIX_S + 5).expect_err("given up");
    assert_eq!(RecoveryKey::load(&dir).expect("read"), Some(first.clone()));
    // Another call was faster: what it kept stays.
    perform(&mut Owner::default(), folder.path(), None, BUILT_UNIX_S + 6)
        .expect_err("not the key that was seen");
    assert_eq!(RecoveryKey::load(&dir).expect("read"), Some(first.clone()));
    let mut before = first.clone();
    for round in 1..=2 {
        let now = BUILT_UNIX_S + 10 * round;
        let next = perform(&mut Owner::default(), folder.path(), Some(before.clone()), now).expect("made");
        assert_eq!(next.lost_unix_s(&before.recipient), Some(now));
        assert_eq!((next.lost.len() as i64, next.made_unix_s), (round, now));
        before = next;
    }
    assert!(before.lost_unix_s(&first.recipient).is_some(), "the first is still known as lost");
}

#[test]
fn the_sheet_of_a_key_that_is_not_kept_goes() {
    let (folder, elsewhere) =
        (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let paths = Paths::find(Some(folder.path()));
    let html = elsewhere.path().join("key.html");
    let check = |mut owner: Owner, stays: bool| {
        let clock = Clock { now_unix_s: BUILT_UNIX_S };
        let belongs = Belongs::default();
        let made =
            Ceremony { paths: &paths, clock, belongs, html: Some(&html), lost: None }.perform(&mut owner);
        assert_eq!((made.is_ok(), html.is_file()), (stays, stays));
    };
    check(Owner { leaves: Some(1), ..Owner::default() }, false);
    check(Owner::default(), true);
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(html.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    let refused = |path: &Path| may_hold_a_secret(path, &paths).expect_err("refused").to_string();
    assert!(refused(&html).contains("there already"));
    std::fs::create_dir_all(folder.path().join("spool")).expect("a folder");
    assert!(refused(&folder.path().join("key.html")).contains("may not lie below"));
    assert!(refused(&folder.path().join("spool/key.html")).contains("may not lie below"));
    assert!(refused(Path::new("/nonexistent/key.html")).contains("cannot write"));
}

#[test]
fn drawn_places_differ() {
    for _ in 0..200 {
        let places = draw().expect("randomness");
        assert!(places[0] < places[1] && places[1] < places[2], "{places:?}");
        assert!((1..=COUNT).contains(&places[0]) && places[2] <= COUNT);
    }
}

#[test]
fn a_person_may_mend_a_word_and_a_pipe_may_not() {
    let check = |lines: &[&'static str], live: bool, expected: Result<(), &str>| {
        let mut owner = Owner { lines: lines.to_vec(), ..Owner::default() };
        let read = read_words(&mut owner, live).map(|_| ()).map_err(|error| format!("{error:#}"));
        match (&read, expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(words)) => assert!(error.contains(words), "{error}"),
            _ => panic!("{read:?}"),
        }
        owner.said
    };
    const HALF: &str = "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo";
    const REST: &str = "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote";
    check(&[HALF, REST], false, Ok(()));
    check(&[HALF, "", REST], true, Ok(()));
    check(&[HALF, "zooo", REST], false, Err("word 13 is not in the list (\"zooo\"); near it: zoo"));
    let said = check(&[HALF, "zooo", REST], true, Ok(()));
    assert_eq!(said.len(), 1, "{said:?}");
    check(&[HALF], true, Err("these are 12 words"));
    check(&[HALF, HALF], true, Err("together they are no key"));
    check(&["AGE-SECRET-KEY-1QQQQ"], true, Err("this is the plain key"));
}
