//! Each reason not to listen, and that the very same request is no second one.

use assay_bundle::enrolment::PortalCard;
use assay_bundle::facts::Facts;
use assay_bundle::keys::SigningKey;
use assay_bundle::observed::Observed;
use assay_bundle::redact::Level;
use assay_bundle::sshsig::{self, namespace};
use assay_bundle::support_request::Scope;

use super::*;

const NOW: i64 = 1_010_000;

/// A portal, the device's view of it, and a request that fits.
struct Bench {
    online: SigningKey,
    trust: Trust,
    me: Me,
    request: SupportRequest,
}

impl Bench {
    fn new() -> Self {
        let (root, online) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let online_key = online.public().to_openssh();
        let card = PortalCard {
            name: "Portal".to_owned(),
            url: "https://portal.example".to_owned(),
            root_key: root.public().to_openssh(),
            online_key_signature: sshsig::sign(&root, namespace::ROTATION, online_key.as_bytes()),
            online_key,
            recipient: "age1x".to_owned(),
            tls_key_pin: String::new(),
            keys: None,
        };
        let key_id = SigningKey::generate().unwrap().public().fingerprint();
        let mut facts = Facts::default();
        facts.identity.serial = Observed::seen("Q123".to_owned(), "x");
        let me = Me {
            device_id: "d-1".to_owned(),
            key_id: key_id.clone(),
            chassis: chassis::marks(&facts),
            portal: card.fingerprint(),
        };
        let request = SupportRequest {
            format: 1,
            id: "r-1".to_owned(),
            device_id: "d-1".to_owned(),
            key_id,
            serial: Some("Q123".to_owned()),
            scope: vec![Scope::Bundle],
            reason: "Fan 2".to_owned(),
            engineer: "Ada".to_owned(),
            issued_unix_s: NOW - 100,
            expires_unix_s: NOW + 3_600,
            nonce: "0".repeat(32),
            redaction: Level::Standard,
            portal_fingerprint: card.fingerprint(),
        };
        Self { online, trust: Trust::from_card(&card).unwrap(), me, request }
    }

    fn signed(&self) -> Signed {
        Signed::new(&self.request, &self.online).unwrap()
    }

    fn known(&self, id: &str, nonce: &str, open: bool) -> Known {
        Known {
            document: self.signed().document,
            id: id.to_owned(),
            nonce: nonce.to_owned(),
            received_unix_s: NOW - 50,
            open,
        }
    }
}

/// A request changed by `change`, with `known` before it, is answered with words that hold `expected`.
fn check(change: impl FnOnce(&mut Bench), known: impl FnOnce(&Bench) -> Vec<Known>, expected: &str) {
    let mut bench = Bench::new();
    change(&mut bench);
    let known = known(&bench);
    let found = match verify(&bench.signed(), &bench.trust, &bench.me, &known, NOW) {
        Ok(Verified::New(request)) => format!("new {}", request.id),
        Ok(Verified::Same(id)) => format!("same {id}"),
        Err(error) => error.to_string(),
    };
    assert!(found.contains(expected), "{found:?} is not {expected:?}");
}

#[test]
fn whom_it_listens_to() {
    let none = |_: &Bench| Vec::new();
    check(|_| (), none, "new r-1");
    check(|b| b.request.serial = None, none, "new r-1");
    check(|b| b.me.chassis.clear(), none, "new r-1");
    check(|b| b.online = SigningKey::generate().unwrap(), none, "not the word of the portal");
    check(|b| b.request.device_id = "d-2".to_owned(), none, "another device (its name");
    check(|b| b.me.key_id = "SHA256:x".to_owned(), none, "another device (its key");
    check(|b| b.request.serial = Some("Q999".to_owned()), none, "another device (its serial");
    check(|b| b.me.portal = "OTHER".to_owned(), none, "another portal");
    check(|b| b.request.expires_unix_s = NOW, none, "it expired at 1970-01-12");
    check(|b| b.request.issued_unix_s = NOW + 600, none, "issued in the future");
    let nonce = "0".repeat(32);
    check(|_| (), |b| vec![b.known("r-1", &nonce, true)], "same r-1");
    check(|_| (), |b| vec![b.known("r-1", &nonce, false)], "same r-1");
    check(|_| (), |b| vec![b.known("r-0", &nonce, false)], "used by the request r-0");
    let other = |b: &Bench| vec![Known { document: "{}".to_owned(), ..b.known("r-1", &nonce, true) }];
    check(|_| (), other, "another request with this id");
    let many = |count: usize, open: bool| {
        move |b: &Bench| (0..count).map(|n| b.known(&format!("x-{n}"), &format!("{n}"), open)).collect()
    };
    check(|_| (), many(7, true), "new r-1");
    check(|_| (), many(8, true), "eight wait");
    check(|_| (), many(19, false), "new r-1");
    check(|_| (), many(20, false), "twenty came");
}

#[test]
fn changed_bytes_are_nobodys_word() {
    let bench = Bench::new();
    let mut signed = bench.signed();
    signed.document = signed.document.replace("Fan 2", "Fan 3");
    let error = verify(&signed, &bench.trust, &bench.me, &[], NOW).unwrap_err().to_string();
    assert!(error.contains("not the word of the portal"), "{error}");
}
