//! Secrets and personal data in every form that a NAS writes them; `{}` is where each random secret stands.

use super::{door, every_way};
use crate::support::{Rng, replay};

/// Format, line. More than one `{}` is more than one secret.
pub(super) const SECRETS: &[(&str, &str)] = &[
    ("iSCSI", "node.session.auth.password = {}"),
    ("iSCSI", "node.session.auth.password_in={}"),
    ("iSCSI", "discovery.sendtargets.auth.password = {}"),
    ("SNMP", "snmp community {}"),
    ("SNMP", "rocommunity {} 10.0.0.0/8"),
    ("SNMP", "rwcommunity {}"),
    ("SNMP", "snmpd: community: {}"),
    ("SNMP", "snmpwalk -v2c -c {} 10.1.2.3 system"),
    ("INI", "admin_pw=\"{}\""),
    ("INI", "password={} {}"),
    ("INI", "Passwd = {}"),
    ("INI", "smtp_password: '{} {}'"),
    ("INI", "bindpw {}"),
    ("INI", "DB_PASS={}"),
    ("INI", "client_secret = {}"),
    ("INI", "api-key: {}"),
    ("INI", "requirepass {}"),
    ("INI", "PrivateKey = {}="),
    ("INI", "PresharedKey={}"),
    ("mount", "mount -t cifs //10.1.2.3/x /mnt -o username=bob,password={},uid=0"),
    ("mount", "mount.cifs options: pass={},vers=3.0,rw"),
    ("mount", "cifs: password={}\tdomain=WG"),
    ("header", "Authorization: Bearer {}"),
    ("header", "Authorization: Basic {}"),
    ("header", "Proxy-Authorization: Digest username=\"x\", response=\"{}\""),
    ("header", "Cookie: NAS_USER=admin; NAS_SID={}; x={}"),
    ("header", "Set-Cookie: qtoken={}; path=/; secure"),
    ("header", "X-Auth-Token: {}"),
    ("header", "curl -H 'Authorization: Bearer {}' https://example.com"),
    ("header", "sent bearer {}"),
    ("URL", "https://admin:{}@portal.example.com/x"),
    ("URL", "rtsp://cam:{}@10.1.2.3:554/stream"),
    ("URL", "smb://bob:{}/{}@nas/share"),
    ("URL", "postgres://app:{}@db:5432/x"),
    ("URL", "https://{}@github.com/x.git"),
    ("URL", "GET /cgi-bin/filemanager.cgi?func=x&sid={}&y=1"),
    ("URL", "GET /api?access_token={}&page=2"),
    ("Wi-Fi", "PSK: {}"),
    ("Wi-Fi", "wpa_passphrase={}"),
    ("Wi-Fi", "wpa_psk=\"{}\""),
    ("Wi-Fi", "wep_key0={}"),
    ("JSON in a log", "request {\"user\":\"x\",\"password\":\"{}\"}"),
    ("JSON in a log", "body={\\\"password\\\":\\\"{}\\\",\\\"n\\\":1}"),
    ("JSON in a log", "{'refresh_token': '{}', 'expires': 3600}"),
    ("XML", "<password>{}</password><n>1</n>"),
    ("XML", "<authPassw><![CDATA[{}]]></authPassw>"),
    ("XML", "<add key=\"password\" value=\"{}\"/>"),
    ("command", "sshpass -p {} ssh root@10.1.2.3"),
    ("command", "curl -u admin:{} http://10.1.2.3/"),
    ("command", "smbclient -U bob%{} //nas/x"),
    ("command", "rsync --password {} x"),
    ("command", "openssl enc -pass pass:{} -in x"),
    ("command", "mysqldump -uroot -p{} db"),
    ("command", "ipmitool -H 10.1.2.3 -U x -P {} chassis status"),
    ("netrc", "machine example.com login bob password {}"),
    ("prose", "Enter passphrase for key 'x': {}"),
    ("prose", "the new password is {}"),
    ("prose", "password for bob: {}"),
    ("hash", "admin:$6$saltsalt${}{}:19000:0:99999:7:::"),
    ("hash", "$2b$12${}{}"),
    ("hash", "userPassword: {SSHA}{}"),
    ("hash", "$argon2id$v=19$m=65536,t=3,p=4${}${}"),
    ("token", "key AGE-SECRET-KEY-1{}"),
    ("token", "using ghp_{}AAAA1111"),
    ("token", "glpat-{}1234"),
    ("token", "eyJhbGciOiJIUzI1NiJ9.eyJ{}.{}"),
    ("token", "xoxb-{}-{}"),
    ("token", "sk_live_{}1234"),
    ("key", "-----BEGIN RSA PRIVATE KEY-----\\n{}\\n-----END RSA PRIVATE KEY-----"),
    ("key", "-----BEGIN OPENSSH PRIVATE KEY----- {}"),
    ("volume", "encryption_key={}"),
    ("volume", "luks_key: {}"),
    ("volume", "recovery key = {}"),
    ("command line", "ro quiet net.ifnames=0 rd.password={} root=/dev/sda1"),
];

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

/// A random secret that no rule knows by its shape, with a letter first and no word in it.
fn secret(rng: &mut Rng) -> String {
    const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789";
    let mut text = String::from("Zq");
    for _ in 0..14 {
        text.push(char::from(LETTERS[rng.below(LETTERS.len() as u64) as usize]));
    }
    text
}

/// Fills each `{}` with a secret of its own.
pub(super) fn plant(line: &str, rng: &mut Rng) -> (String, Vec<String>) {
    let mut parts = line.split("{}");
    let mut planted = parts.next().unwrap_or_default().to_owned();
    let mut secrets = Vec::new();
    for part in parts {
        let secret = secret(rng);
        planted.push_str(&secret);
        planted.push_str(part);
        secrets.push(secret);
    }
    (planted, secrets)
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
