//! Nothing of the content is said: on no output, in no log, in no receipt.

use std::fs;

use super::Owner;
use crate::cli::run::Ran;

#[test]
fn nothing_of_the_content_is_said() {
    const CANARY: &str = "admin:$6$canarysalt$canaryhash:19000";
    let owner = Owner::new();
    fs::write(owner.etc().join("shadow"), CANARY).unwrap();
    fs::create_dir(owner.etc().join("luks-keys")).unwrap();
    fs::write(owner.etc().join("luks-keys/volume1"), CANARY).unwrap();
    let key = owner.device.text("key.txt");
    let secret = fs::read_to_string(&key).unwrap().lines().last().unwrap().to_owned();
    let mut said = String::new();
    let mut hear = |ran: Ran| said.push_str(&format!("{}\n{}\n", ran.out, ran.err));
    hear(owner.create(&["-vv", "--json", "--verify-with-key", &key]).ends(0));
    for line in [
        &["list"][..],
        &["show"],
        &["show", "--json"],
        &["show", "--identity", &key],
        &["verify", "--identity", &key],
    ] {
        hear(owner.run(&[line, &["-vv"]].concat()).ends(0));
    }
    fs::create_dir(owner.device.path("dst")).unwrap();
    hear(owner.restore("dst", &["-vv"]).ends(0));
    assert!(!owner.device.path("dst/etc/shadow").exists(), "protected");
    hear(owner.restore("dst", &["-vv", "/etc/shadow"]).ends(0));
    assert_eq!(fs::read_to_string(owner.device.path("dst/etc/shadow")).unwrap(), CANARY);
    for path in
        [&owner.latest(), &owner.latest().with_extension("").with_extension("").with_extension("json")]
    {
        said.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
    }
    for canary in ["canarysalt", "canaryhash", secret.as_str()] {
        assert!(!said.contains(canary), "{canary} was said");
    }
    owner.unpack(&owner.device.path("stock"));
    assert_eq!(fs::read_to_string(owner.device.path("stock/etc/shadow")).unwrap(), CANARY);
    assert!(!owner.device.path("stock/etc/luks-keys").exists(), "volume keys are in it only when asked for");
    owner.create(&["--with-volume-keys"]).ends(0);
    owner.unpack(&owner.device.path("with"));
    assert!(owner.device.path("with/etc/luks-keys/volume1").exists());
}
