//! Whether this unit may take over the copy of another one: only as its replacement in an open case, by the portal's
//! signed word, asked for online or brought as a file.
//!
//! Refused are: a statement that the pinned portal did not sign, one for another unit, one that ran out or is of the
//! future. A clock that cannot be right decides nothing about either, so it has to be set first.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use assay_bundle::replacement::Replacement;
use assay_bundle::statement::{MOST_SIGNED_BYTES, Signed};
use assay_bundle::support_request::SKEW_S;
use assay_uploader::Trust;

use crate::chassis;
use crate::clock::{Clock, rfc3339};
use crate::context::Context;
use crate::identity::Enrolment;
use crate::portal;
use crate::runtime::block_on;
use crate::trouble::{NextStep, refuse};

/// What a person does about a statement that does not fit.
const NEXT: &str =
    "ask the support engineer of the case to name this unit as the replacement, then call again";

/// The portal's word for this unit: from `file`, or asked for.
pub(crate) fn proven(context: &Context, file: Option<&Path>) -> anyhow::Result<Replacement> {
    let identity = context.identity();
    let (Some(enrolment), Some(key)) = (identity.enrolment()?, identity.key()?) else {
        return Err(refuse(
            "this unit is not enrolled, so nobody can say that it replaces another one",
            "enrol it with a code of the support engineer (`assay enroll`), and have it named as the replacement",
        ));
    };
    portal::check_clock(context.clock)?;
    let signed = match file {
        Some(file) => read(file)?,
        None => {
            let settings = context.settings()?;
            let portal = portal::enrolled(&enrolment, &settings.config, &identity, context.clock)?;
            let offline = "bring the statement as a file: on the portal `assay-portal device replacement-statement \
                           UNIT`, here --statement FILE";
            block_on(async {
                portal.replacement(&key).await.or_advise("the portal cannot be asked", offline)
            })?
            .ok_or_else(|| refuse("no open case names this unit as the replacement of another one", NEXT))?
        }
    };
    judge(&signed, &enrolment, context.clock)
}

fn read(file: &Path) -> anyhow::Result<Signed> {
    let mut bytes = Vec::new();
    let cannot = || format!("{} is no statement of replacement", file.display());
    let next = "save what `assay-portal device replacement-statement UNIT` prints, and name that file";
    let most = u64::try_from(MOST_SIGNED_BYTES).unwrap_or(u64::MAX);
    let opened = File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes));
    opened.or_advise(format!("cannot read {}", file.display()), next)?;
    assay_bundle::json::from_slice(bytes.trim_ascii()).or_advise(cannot(), next)
}

/// The order is the order of trust: whose word, for whom, and when.
fn judge(signed: &Signed, enrolment: &Enrolment, clock: Clock) -> anyhow::Result<Replacement> {
    let trust = Trust::from_card(&enrolment.card).or_advise("the portal's card is damaged", "enrol again")?;
    let said: Replacement = trust.open(signed).or_advise("the statement of replacement is refused", NEXT)?;
    let ours = said.device_id == enrolment.device_id
        && said.key_id == enrolment.key_id
        && said.portal_fingerprint == enrolment.card.fingerprint();
    let other_serial =
        said.new_serial.as_deref().is_some_and(|serial| chassis::is_other_serial(&enrolment.chassis, serial));
    if !ours || other_serial {
        return Err(refuse("the statement of replacement is for another unit", NEXT));
    }
    let now = clock.now_unix_s;
    if now >= said.expires_unix_s.saturating_add(SKEW_S) {
        return Err(refuse(
            format!("the statement of replacement counted until {}", rfc3339(said.expires_unix_s)),
            "ask the support engineer for a new one; look at this unit's clock as well",
        ));
    }
    if now < said.issued_unix_s.saturating_sub(SKEW_S) {
        return Err(refuse(
            format!("the statement of replacement is of the future ({})", rfc3339(said.issued_unix_s)),
            "set this unit's clock, and call again",
        ));
    }
    Ok(said)
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;
    use assay_bundle::enrolment::PortalCard;
    use assay_bundle::keys::SigningKey;
    use assay_bundle::sshsig::{self, namespace};

    const ISSUED: i64 = 1_800_000_000;

    #[test]
    fn only_the_portals_fresh_word_for_this_unit_counts() {
        let key = || SigningKey::generate().expect("a key");
        let (root, online, device) = (key(), key(), key());
        let card = PortalCard {
            name: "Portal".to_owned(),
            url: "https://portal.example".to_owned(),
            root_key: root.public().to_openssh(),
            online_key: online.public().to_openssh(),
            online_key_signature: sshsig::sign(
                &root,
                namespace::ROTATION,
                online.public().to_openssh().as_bytes(),
            ),
            recipient: String::new(),
            tls_key_pin: String::new(),
            keys: None,
        };
        let enrolment = Enrolment {
            device_id: "d-2".to_owned(),
            key_id: device.public().fingerprint(),
            card: card.clone(),
            chassis: Vec::new(),
            enrolled_unix_s: 0,
        };
        let check = |change: &dyn Fn(&mut Replacement), by: &SigningKey, at: i64, expected: Option<&str>| {
            let mut said = Replacement {
                format: 1,
                case_id: "C-1".to_owned(),
                old_serial: "Q123".to_owned(),
                new_serial: None,
                device_id: "d-2".to_owned(),
                key_id: device.public().fingerprint(),
                issued_unix_s: ISSUED,
                expires_unix_s: ISSUED + 86_400,
                portal_fingerprint: card.fingerprint(),
            };
            change(&mut said);
            let signed = Signed::new(&said, by).expect("acceptable");
            let clock = Clock { now_unix_s: at };
            let error = judge(&signed, &enrolment, clock).err().map(|error| error.to_string());
            match expected {
                None => assert_eq!(error, None),
                Some(words) => {
                    assert!(error.as_deref().is_some_and(|e| e.contains(words)), "{words}: {error:?}")
                }
            }
        };
        check(&|_| (), &online, ISSUED, None);
        check(&|_| (), &online, ISSUED - SKEW_S, None);
        check(&|_| (), &root, ISSUED, Some("is refused"));
        check(&|_| (), &device, ISSUED, Some("is refused"));
        check(&|said| said.device_id = "d-3".to_owned(), &online, ISSUED, Some("another unit"));
        check(&|said| said.key_id = root.public().fingerprint(), &online, ISSUED, Some("another unit"));
        check(&|said| said.portal_fingerprint = "X".to_owned(), &online, ISSUED, Some("another unit"));
        check(&|_| (), &online, ISSUED + 86_400 + SKEW_S, Some("counted until"));
        check(&|_| (), &online, ISSUED - SKEW_S - 1, Some("of the future"));
    }
}
