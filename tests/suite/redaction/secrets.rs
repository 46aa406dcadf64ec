//! Secrets (from `lines.rs`) and personal data in every form that a NAS writes them; `{}` is where each random one
//! stands.

pub(crate) use super::lines::SECRETS;
use super::{door, every_way};
use crate::support::{Rng, replay};

/// Personal data; what stands for `{}` must go, the rest of the line after the first word may change.
const PERSONAL: &[&str] = &[
    "share name: {}",
    "sharename={}",
    "shared folder \"{} {}\" was created",
    "/share/{}/x",
    "/share/CACHEDEV1_DATA/{}/{}/report.pdf",
    "/share/homes/{}/Documents/{}.xlsx is locked",
    "open '/share/{} {}/{} {}.docx' failed",
    "open /share/{} and {}/{} {}.docx failed",
    "/home/{}/.config",
    "C:\\Users\\{}\\Desktop",
    "//{}/{}/folder",
    "\\\\{}\\{}",
    "user={}",
    "username: {}",
    "Failed login for user {} from 10.1.2.3",
    "invalid user {} from 10.1.2.3",
    "mail to {}.{}@example.com",
    "{}@{}.de",
    "lookup of {}.{}.co.uk",
    "host {}.local is gone",
    "hostname: {}",
    "ssid=\"{}\"",
    "iqn.2004-04.com.qnap:ts-453d:iscsi.{}.1a2b3c",
    "ssh-rsa AAAAB3Nza {}@{}",
];

/// Fills each `{}` with a secret of its own.
pub(crate) fn plant(line: &str, rng: &mut Rng) -> (String, Vec<String>) {
    super::lines::plant(line, &mut |bound| rng.below(bound))
}

fn check(name: &str, lines: &[&str]) -> usize {
    let (mut door, mut rng, mut count) = (door(), Rng::new(1), 0);
    let mut leaks = Vec::new();
    for line in lines {
        let (planted, secrets) = plant(line, &mut rng);
        for (way, clean) in every_way(&mut door, &planted) {
            for secret in &secrets {
                let lower = clean.to_lowercase();
                let piece = secret
                    .as_bytes()
                    .windows(6)
                    .any(|w| lower.as_bytes().windows(6).any(|c| c.eq_ignore_ascii_case(w)));
                if piece {
                    leaks.push(format!("{way}: {planted}\n    -> {clean}"));
                }
            }
            let again = door.text(&clean);
            assert_eq!(again, clean, "cleaned twice\n{}", replay(name));
        }
        count += secrets.len();
    }
    assert!(leaks.is_empty(), "{} leaks:\n{}\n{}", leaks.len(), leaks.join("\n"), replay(name));
    count
}

#[test]
fn no_secret_is_left() {
    let lines: Vec<&str> = SECRETS.iter().map(|(_, line)| *line).collect();
    let count = check("redaction::secrets::no_secret_is_left", &lines);
    let formats: std::collections::BTreeSet<&str> = SECRETS.iter().map(|(format, _)| *format).collect();
    println!("{count} secrets in {} formats, four ways each", formats.len());
    assert!(count >= 60 && formats.len() >= 15);
}

#[test]
fn no_personal_name_is_left() {
    let count = check("redaction::secrets::no_personal_name_is_left", PERSONAL);
    println!("{count} names, four ways each");
}

#[test]
fn addresses_go_and_stay_related() {
    let mut door = door();
    for (text, gone, kept) in [
        ("mac 24:5e:be:12:34:56", "12:34:56", "24:5e:be:"),
        ("MAC 24-5E-BE-12-34-56", "12-34-56", "24-5E-BE-"),
        ("HWaddr:24:5e:be:12:34:56", "12:34:56", "HWaddr:24:5e:be:"),
        ("mac:24:5e:be:12:34:56.", "12:34:56", "mac:24:5e:be:"),
        ("mac=245EBE123456", "123456", "245EBE"),
        ("IN=eth0 MAC=24:5e:be:12:34:56:00:11:22:33:44:55:08:00 SRC=x", "33:44:55", ":08:00 SRC=x"),
        ("eth0 fe80::265e:beff:fe12:3456/64", "fe12:3456", "fe80::"),
        ("from 10.1.2.3:8080", "10.1.2.3", ":8080"),
        ("route 192.168.1.0/24", "192.168.1", ".0/24"),
        ("ipv6 fd00:1234::5", "fd00:1234", "2001:db8:fd"),
        ("ping 2a02:8070:1234::1: unreachable", "2a02", ": unreachable"),
    ] {
        for (way, clean) in every_way(&mut door, text) {
            assert!(!clean.contains(gone) && clean.contains(kept), "{way}: {text} -> {clean}");
        }
    }
    let (a, b) = (door.text("10.1.2.3"), door.text("10.1.2.77"));
    assert_eq!(
        a.rsplit_once('.').map(|p| p.0),
        b.rsplit_once('.').map(|p| p.0),
        "one network stays one network"
    );
    assert_ne!(a, b);
}
