//! What an answer that is no success means for the upload: one table, no state.

use crate::portal::PortalError;
use crate::portal::answer::Answer;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Create,
    HowFar,
    Part,
    Receipt,
}

/// What it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Wait and try again; `smaller` when a smaller part may get through.
    Again { smaller: bool },
    /// Ask how far the portal is.
    Resync,
    /// The upload is gone: create it again.
    Gone,
    /// This bundle is not wanted.
    Refused,
    /// No bundle would get through.
    Stop,
}

/// The portal's words for a part that arrived damaged or broke off: the line's fault, not the bundle's.
const DAMAGED_PART: [&str; 2] = ["digest", "part-broken"];

/// Judges a status and the portal's word for its reason, if it gave one.
pub(super) fn judge(asked: Asked, status: u16, kind: Option<&str>) -> Meaning {
    let in_part = asked == Asked::Part;
    match (status, kind) {
        (400, Some(kind)) if in_part && DAMAGED_PART.contains(&kind) => Meaning::Again { smaller: true },
        (460, _) if in_part => Meaning::Again { smaller: true },
        // A nonce that was seen: the call arrived, its answer did not.
        (409, Some("replay")) => Meaning::Again { smaller: false },
        (409 | 423, _) if in_part || asked == Asked::Receipt => Meaning::Resync,
        (404 | 410, _) if asked != Asked::Create => Meaning::Gone,
        (408 | 502 | 504, _) => Meaning::Again { smaller: in_part },
        (425 | 429 | 500..=599, _) => Meaning::Again { smaller: false },
        (413, None) if in_part => Meaning::Again { smaller: true },
        (407 | 300..=399, _) => Meaning::Stop,
        // An answer to HEAD has no body, so no reason. Creation is idempotent and is told one.
        (400..=499, None) if asked == Asked::HowFar => Meaning::Gone,
        (401 | 403, _) => Meaning::Stop,
        (_, Some(_)) => Meaning::Refused,
        // Nobody agreed on this answer, so it is not the portal's verdict on the bundle.
        (_, None) => Meaning::Stop,
    }
}

/// Judges an answer.
pub(super) fn answer(asked: Asked, answer: &Answer) -> Meaning {
    judge(asked, answer.status, answer.problem().as_ref().map(|problem| problem.kind.as_str()))
}

/// Judges a call that got no answer.
pub(super) fn error(asked: Asked, error: &PortalError) -> Meaning {
    match error {
        PortalError::Silent { .. } => Meaning::Again { smaller: asked == Asked::Part },
        PortalError::Connection { cause, .. } if cause.may_pass() => {
            Meaning::Again { smaller: asked == Asked::Part && !cause.concerns_every_call() }
        }
        _ => Meaning::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(asked: Asked, status: u16, kind: Option<&str>, expected: Meaning) {
        assert_eq!(judge(asked, status, kind), expected, "{asked:?} {status} {kind:?}");
    }

    #[test]
    fn answers() {
        use Asked::{Create, HowFar, Part, Receipt};
        use Meaning::{Again, Gone, Refused, Resync, Stop};
        check(Part, 409, Some("offset"), Resync);
        check(Part, 409, None, Resync);
        check(Part, 423, None, Resync);
        check(Part, 409, Some("replay"), Again { smaller: false });
        check(Create, 409, Some("replay"), Again { smaller: false });
        check(Create, 409, Some("card-mismatch"), Refused);
        check(Part, 400, Some("digest"), Again { smaller: true });
        check(Part, 400, Some("part-broken"), Again { smaller: true });
        check(Part, 422, Some("digest-mismatch"), Refused);
        check(Part, 460, None, Again { smaller: true });
        check(Create, 400, Some("bad-call"), Refused);
        check(Part, 404, None, Gone);
        check(HowFar, 410, Some("expired"), Gone);
        check(Receipt, 404, Some("unknown-upload"), Gone);
        check(Receipt, 409, Some("upload-incomplete"), Resync);
        check(Create, 404, None, Stop);
        check(Part, 408, None, Again { smaller: true });
        check(Part, 502, None, Again { smaller: true });
        check(HowFar, 502, None, Again { smaller: false });
        check(Part, 503, None, Again { smaller: false });
        check(Create, 429, Some("too-many"), Again { smaller: false });
        check(Create, 507, Some("portal-full"), Again { smaller: false });
        check(Part, 413, None, Again { smaller: true });
        check(Part, 413, Some("too-large"), Refused);
        check(Create, 413, Some("too-large"), Refused);
        check(Create, 413, None, Stop);
        check(Create, 400, Some("metadata"), Refused);
        check(Create, 422, Some("not-a-bundle"), Refused);
        check(Create, 400, None, Stop);
        check(Create, 401, Some("unknown-key"), Stop);
        check(Part, 401, Some("signature"), Stop);
        check(HowFar, 401, None, Gone);
        check(HowFar, 407, None, Stop);
        check(Receipt, 403, None, Stop);
        check(Create, 407, None, Stop);
        check(Create, 302, None, Stop);
    }
}
