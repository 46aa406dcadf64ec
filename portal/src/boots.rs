//! One unit or two behind a key: told by the boots that speak under it and the numbers they give.
//!
//! A unit has one boot at a time, and none comes back: when an earlier boot speaks again after a later one, two units
//! have one key (or a snapshot was resumed, which is the same to us). A number that begins again in a boot that was not
//! heard of before is a unit that lost its state, or a copy whose first word this is: the next word of the earlier boot
//! would tell. A bundle may come late, so it counts by the clock that it was made under, and only where that can be
//! right. Nothing here decides what is done about it.

use sqlx::FromRow;

/// How far two clocks of one unit may differ before their order tells something, in seconds (judgement: a clock that is
/// set after the boot moves by less, or is implausible before).
const MARGIN_S: i64 = 600;

/// What is remembered of a boot.
#[derive(Clone, Debug, FromRow)]
pub struct Boot {
    /// Kernel's random id.
    pub boot_id: String,
    /// Place of its first word among those of the device: order needs no clock.
    pub first_no: i64,
    /// Place of its last word that was a call.
    pub live_no: Option<i64>,
    /// Device's clock in its first bundle by that clock.
    pub first_made_at: Option<i64>,
    /// Highest number it gave.
    pub most_seq: Option<i64>,
}

/// Who else used a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Used {
    /// Nobody.
    #[default]
    No,
    /// Another bundle of the same boot.
    BySameBoot,
    /// A bundle of another boot.
    ByOtherBoot,
}

/// A word of a device.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Kernel's random id of its boot.
    pub boot_id: String,
    /// When it came, portal's clock: for people.
    pub at: i64,
    /// Whether it is of now: a call. A bundle may have waited.
    pub is_live: bool,
    /// When it was made, device's clock; none where that cannot be right.
    pub made_at: Option<i64>,
    /// Of a bundle its number; of a call the highest that the device may have given out.
    pub seq: Option<i64>,
    /// Whether a bundle's number was used before.
    pub used: Used,
}

/// What an engineer has to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The numbers began again.
    StateLost(String),
    /// Two units speak under one key.
    Cloned(String),
}

impl Doubt {
    /// As it is kept.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::StateLost(_) => "state_lost",
            Self::Cloned(_) => "cloned",
        }
    }

    /// For people, in two words.
    pub fn name(&self) -> &'static str {
        name_of(self.kind())
    }

    /// Why, and what to do.
    pub fn words(&self) -> String {
        match self {
            Self::StateLost(why) => format!(
                "{why} Either the unit lost its state (a reset, a restored copy of its configuration), or this is the \
                 first word of a copy. Ask the owner; then device accept-state-lost, or device revoke."
            ),
            Self::Cloned(why) => format!(
                "{why} Two units have one key, or a snapshot was resumed. Nothing that comes under this key proves \
                 which unit it is from: device revoke, and enrol each unit with a code of its own."
            ),
        }
    }
}

/// The name of a kept doubt, for people.
pub fn name_of(kind: &str) -> &'static str {
    match kind {
        "cloned" => "cloned key",
        _ => "state lost",
    }
}

/// Judges one more word of a device. `last_seq` is its highest accepted number.
pub fn judge(boots: &[Boot], last_seq: i64, heard: &Heard) -> Option<Doubt> {
    let own = boots.iter().find(|boot| boot.boot_id == heard.boot_id);
    let others = || boots.iter().filter(|boot| boot.boot_id != heard.boot_id);
    let number = heard.seq.unwrap_or_default();
    if heard.used == Used::BySameBoot {
        return Some(Doubt::Cloned(format!("Number {number} was given to two bundles within one boot.")));
    }
    if let Some(own) = own {
        let last_heard = own.live_no.unwrap_or(own.first_no);
        let spoke_between =
            heard.is_live && others().any(|other| other.live_no.is_some_and(|place| place > last_heard));
        // By the device's own clock: this boot, another, this one again.
        let made_between = heard.made_at.is_some_and(|made| {
            others().filter_map(|other| other.first_made_at).any(|other| {
                own.first_made_at.is_some_and(|first| first + MARGIN_S < other) && other + MARGIN_S < made
            })
        });
        if spoke_between || made_between {
            return Some(Doubt::Cloned(
                "An earlier boot spoke again after a later one had spoken.".to_owned(),
            ));
        }
    }
    if heard.used == Used::ByOtherBoot {
        return Some(Doubt::StateLost(format!("Number {number} was given before, in another boot.")));
    }
    if heard.is_live {
        let began_again = heard.seq.is_some_and(|seq| seq < last_seq);
        return began_again.then(|| {
            Doubt::StateLost(format!(
                "The device has given out numbers up to {number}, and {last_seq} was accepted before."
            ))
        });
    }
    // A lower number, made later than a higher one of another boot.
    let (Some(seq), Some(made)) = (heard.seq, heard.made_at) else { return None };
    let began_again = own.is_none()
        && others().any(|other| {
            other.most_seq.is_some_and(|most| most > seq)
                && other.first_made_at.is_some_and(|first| first + MARGIN_S < made)
        });
    began_again.then(|| Doubt::StateLost(format!("Number {seq} came from a later boot than higher numbers.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words of a device one after the other: what each leads to, as `kind`.
    struct Unit {
        boots: Vec<Boot>,
        last_seq: i64,
        words: i64,
    }

    impl Unit {
        fn hears(&mut self, heard: &Heard) -> Option<&'static str> {
            let doubt = judge(&self.boots, self.last_seq, heard).map(|doubt| doubt.kind());
            self.words += 1;
            let live = heard.is_live.then_some(self.words);
            match self.boots.iter_mut().find(|boot| boot.boot_id == heard.boot_id) {
                Some(boot) => {
                    boot.live_no = boot.live_no.max(live);
                    boot.first_made_at = [boot.first_made_at, heard.made_at].into_iter().flatten().min();
                    boot.most_seq = boot.most_seq.max(heard.seq);
                }
                None => self.boots.push(Boot {
                    boot_id: heard.boot_id.clone(),
                    first_no: self.words,
                    live_no: live,
                    first_made_at: heard.made_at,
                    most_seq: heard.seq,
                }),
            }
            if !heard.is_live {
                self.last_seq = self.last_seq.max(heard.seq.unwrap_or_default());
            }
            doubt
        }
    }

    fn check(words: &[(Heard, Option<&str>)]) {
        let mut unit = Unit { boots: Vec::new(), last_seq: 0, words: 0 };
        for (place, (heard, expected)) in words.iter().enumerate() {
            assert_eq!(unit.hears(heard), *expected, "word {place}: {heard:?}");
        }
    }

    /// A call at this hour.
    fn call(boot: &str, hour: i64, seq: i64) -> Heard {
        Heard {
            boot_id: boot.to_owned(),
            at: hour * 3600,
            is_live: true,
            made_at: None,
            seq: Some(seq),
            used: Used::No,
        }
    }

    /// A bundle that came at one hour and was made at another.
    fn bundle(boot: &str, hour: i64, made: i64, seq: i64) -> Heard {
        Heard { is_live: false, made_at: Some(made * 3600), ..call(boot, hour, seq) }
    }

    fn used(heard: Heard, used: Used) -> Heard {
        Heard { used, ..heard }
    }

    #[test]
    fn one_unit_gives_no_doubt() {
        check(&[
            (call("a", 1, 64), None),
            (bundle("a", 2, 2, 1), None),
            (bundle("a", 3, 3, 2), None),
            (call("b", 10, 128), None),
            (bundle("b", 11, 11, 65), None),
            // What waited in the spool since the boot before, and since one that was never heard of.
            (bundle("a", 12, 4, 3), None),
            (bundle("z", 12, 0, 4), None),
            (call("b", 13, 128), None),
            (call("c", 20, 192), None),
        ]);
        // Without any clock that can be right.
        let blind = |heard: Heard| Heard { made_at: None, ..heard };
        check(&[
            (blind(bundle("a", 1, 0, 1)), None),
            (blind(bundle("b", 2, 0, 65)), None),
            (blind(bundle("a", 3, 0, 2)), None),
        ]);
    }

    #[test]
    fn two_units_interleave() {
        check(&[(call("a", 1, 64), None), (call("b", 2, 64), None), (call("a", 3, 64), Some("cloned"))]);
        check(&[
            (bundle("a", 1, 1, 1), None),
            (bundle("b", 2, 2, 65), None),
            (bundle("a", 3, 3, 2), Some("cloned")),
        ]);
        // By its bundle an earlier boot was heard of, a later one called, and the earlier one calls.
        check(&[(bundle("a", 1, 1, 1), None), (call("b", 2, 64), None), (call("a", 3, 64), Some("cloned"))]);
        check(&[
            (bundle("a", 1, 1, 65), None),
            (used(bundle("a", 2, 2, 65), Used::BySameBoot), Some("cloned")),
        ]);
    }

    #[test]
    fn numbers_that_begin_again() {
        check(&[
            (bundle("a", 1, 1, 100), None),
            (bundle("b", 5, 5, 1), Some("state_lost")),
            // The unit goes on above what it was told; nothing new is said.
            (bundle("b", 6, 6, 101), None),
            (call("b", 7, 164), None),
        ]);
        check(&[(bundle("a", 1, 1, 100), None), (call("b", 5, 64), Some("state_lost"))]);
        check(&[
            (bundle("a", 1, 1, 1), None),
            (used(bundle("b", 5, 5, 1), Used::ByOtherBoot), Some("state_lost")),
        ]);
        // First taken for a loss, and then the earlier boot speaks again.
        check(&[
            (bundle("a", 1, 1, 100), None),
            (call("a", 2, 128), None),
            (call("b", 5, 64), Some("state_lost")),
            (call("a", 6, 128), Some("cloned")),
        ]);
    }

    #[test]
    fn words_say_what_to_do() {
        assert!(Doubt::StateLost("X.".into()).words().contains("accept-state-lost"));
        assert!(Doubt::Cloned("X.".into()).words().contains("device revoke"));
    }
}
