//! Lists that tell a person's words from the machine's: what never gets a pseudonym, and what prose says after
//! "password". Each list is words with white space between them; ask with [`has`].

/// Whether a list has this word, exactly.
pub(super) fn has(list: &str, word: &str) -> bool {
    all(list).any(|w| w == word)
}

/// Whether a list has this word in any case.
pub(super) fn has_any_case(list: &str, word: &str) -> bool {
    all(list).any(|w| w.eq_ignore_ascii_case(word))
}

/// The words of a list.
pub(super) fn all(list: &str) -> impl Iterator<Item = &str> {
    list.split_ascii_whitespace()
}

/// Accounts that every machine has.
pub(super) const SYSTEM_USERS: &str = "\
    root admin administrator guest nobody everyone anonymous daemon httpdusr system www-data sshd \
    ntp mail messagebus none null unknown no yes true false local domain all users kernel n/a name";

/// Host names that say nothing about anybody.
pub(super) const COMMON_HOSTS: &str = "\
    localhost localhost.localdomain (none) none unknown";

/// Words that a host or user may be called, but that a log is full of: they are replaced only where the whole value
/// is a name, because replacing them everywhere would destroy evidence.
pub(super) const COMMON_WORDS: &str = "\
    nas qnap qts kernel linux debian ubuntu storage disk drive raid ata sata scsi nvme usb pci cpu \
    fan memory server home office backup data share media public test root admin user host mail name \
    file net dom redacted password secret error failed device system network link port bus power \
    temperature sector read write seen value from true false null none absent ext4 smart model \
    serial version unknown local localhost box lab main master mdadm smartctl edac mce acpi bios \
    timeout reset status state passed health healthy degraded active clean idle running \
    not_collected unreadable why live info warning drives disks array volume pool cache log logs \
    event events";

/// Folders that QTS makes itself.
pub(super) const SYSTEM_FOLDERS: &str = "\
    public download multimedia recordings web usb homes home container external share qmultimedia \
    qdownload qusb qweb qrecordings lost+found @recycle @recently-snapshot .qpkg .system .log .locks \
    .samba .torrent .idmap .team_folder .snapshot . .. * httpd snapshot snapshots ipc$ print$ admin$ \
    global";

/// Extensions that are kept: they tell what kind of file it was and nothing else.
pub(super) const EXTENSIONS: &str = "\
    7z aac avi bak bin bmp bz2 c cfg conf cpp csv dat db deb dng doc docx exe flac gif gz h heic \
    html ico img info ini iso jar jpeg jpg js json log lock m4a m4v md mkv mov mp3 mp4 mpg nef odt \
    ods ogg opus pdf php png ppt pptx psd pst py qcow2 qpkg rar raw rs rtf sh so sql sqlite svg swp \
    tar tgz tif tiff tmp ts txt vdi vhd vhdx vmdk vmx wav webm webp wmv xls xlsx xml xz yaml yml zip \
    zst";

/// Ends of domain names that nothing else in a log ends with.
pub(super) const TOP_LEVEL: &str = "\
    .com .org .net .edu .gov .mil .biz .eu .de .uk .fr .nl .ch .se .dk .fi .es .pt .cz .sk .hu .ro \
    .bg .gr .tr .ru .ua .jp .kr .cn .tw .hk .sg .au .nz .ca .mx .br .ar .cl .za .ie .lu .lt .lv .ee \
    .hr .il .th .vn .my .ph .local .lan .home .internal .corp .localdomain .intranet .arpa .onion \
    .cloud .online .tech .xyz .box .family .email .example .test";

/// Ends of domain names that are ends of files or words as well: they count with three labels and more.
pub(super) const AMBIGUOUS_TOP_LEVEL: &str = "\
    .io .at .it .be .is .in .to .me .us .no .pl .rs .py .sh .md .so .cc .tv .co .ai .am .info .name \
    .app .dev .site .shop .zip .private .id";

/// Second levels that belong to the end: `co.uk`.
pub(super) const SECOND_LEVEL: &str = "\
    co com org net gov edu ac or ne go home";

/// Labels that name a service and nobody.
pub(super) const SERVICE_LABELS: &str = "\
    www mail smtp imap ntp dns ftp api portal vpn ldap time pool cloud";

/// Public places that tools print.
pub(super) const PUBLIC_DOMAINS: &str = "\
    smartmontools.org kernel.org qnap.com debian.org ubuntu.com launchpad.net alpinelinux.org \
    fedoraproject.org redhat.com archlinux.org opensuse.org openwrt.org seagate.com wdc.com \
    westerndigital.com sourceforge.net github.com gnu.org intel.com in-addr.arpa ip6.arpa \
    pool.ntp.org canonical.com freedesktop.org zfsonlinux.org openzfs.org oracle.com";

/// Names for documentation, kept as the addresses for documentation are; what stands before them is not.
pub(super) const DOCUMENTATION_DOMAINS: &str = "\
    example.com example.org example.net";

/// Ends of systemd units, which look like mail addresses: `getty@tty1.service`.
pub(super) const UNIT_ENDS: &str = "\
    service socket timer mount target device slice scope path swap";

/// What prose says after "password": the word after it is then no password.
pub(super) const PROSE: &str = "\
    for of is was has have with without and or the a an in on to from by not must may can cannot \
    will change changed changes reset set expired expires required incorrect wrong failed failure \
    accepted authentication auth protected protection policy length mismatch error file database \
    entry prompt check too attempt attempts invalid missing empty does did needed rejected string \
    revision level table manager based hash less login complexity verification update updated \
    provided at as if it this that you your be been are management settings setting support feature \
    security strength rules field came through read write";

/// Words before a dotted quad that make it a version.
pub(super) const VERSION_WORDS: &str = "\
    version firmware fw rev revision release build driver bios ver v qts nvm ec";

/// Words that make the following slash no path: units and pairs.
pub(super) const SLASH_WORDS: &str = "\
    i n r w and kb mb gb tb kib mib gib b read in tcp rx tx";
