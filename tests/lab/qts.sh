# The files and commands of a healthy four-bay unit on QTS, as far as a root file system in memory can have them.

mkdir -p /etc/config /etc/default_config /mnt/HDA_ROOT/.logs /mnt/ext /tmp/smart /share/CACHEDEV1_DATA /var/log
cat >/etc/platform.conf <<'F'
Platform = X86_APOLLOLAKE
[MISC]
DISPLAY_NAME = TS-453Be
F
cat >/etc/model.conf <<'F'
[System Enclosure]
VENDOR = QNAP
MODEL = TS-453Be
CAP=0x82000018
MAX_DISK_NUM = 4
MAX_FAN_NUM = 1
MAX_CPU_FAN_NUM = 0
MAX_TEMP_NUM = 1
MAX_NET_PORT_NUM = 2
BOARD_SN_DEVICE = NIC
SYSTEM_TEMP_UNIT= EC
CPU_TEMP_UNIT = X86
SIO_DEVICE = IT8528
[System FAN]
FAN_UNIT = EC
FAN_1 = I1
F
for bay in 1 2 3 4; do
    printf '[System Disk %s]\nDEV_BUS = SATA\nDEV_PORT = %s\n' $bay $bay >>/etc/model.conf
done
cat >/etc/hal.conf <<'F'
[Index]
enc_bitmap = 0x1
[Enclosure_0]
enc_id = 0
enc_sys_id = root
enc_parent_sys_id = root
serial = Q18BI453B1
vendor = QNAP
model = TS-453Be
protocol = 0
capability = 0x82000018
max_disk_num = 4
max_fan_num = 1
max_cpu_fan_num = 0
max_temp_num = 1
F
printf '[System]\nModel = TS-X53B\nInternal Model = TS-X53\nServer Name = NAS\nVersion = 5.2.4\n' >/etc/config/uLinux.conf
cp /etc/config/uLinux.conf /etc/default_config/uLinux.conf
printf '[SHARE_DEF]\ndefVolMP = /share/CACHEDEV1_DATA\n' >/etc/config/def_share.info
cat >/var/log/hal_daemon.log <<'F'
CPU CRIT:WARN:HYSTERESIS = 80:72:4
SYS CRIT:WARN:HYSTERESIS = 60:50:5
PD CRIT:WARN:HYSTERESIS = 55:52:5
SHUTDOWN TEMP CPU:SYS:DISK:PWR = 85:70:60:55
WARNING TEMP SYS:DISK:SSD = 60:55:70
F

# QTS's commands answer from files that are named like the command line.
cat >/sbin/hal_app <<'F'
#!/bin/busybox sh
line=$(echo "${0##*/} $*" | tr / '|')
if [ -e "/lab/commands/${line% }" ]; then
    cat "/lab/commands/${line% }"
else
    echo "${0##*/}: no such answer" >&2
    exit 1
fi
F
chmod 755 /sbin/hal_app
for tool in getsysinfo getcfg get_hwsn qcli_storage; do
    ln -sf hal_app /sbin/$tool
done

# Bay N is port N of the board's controller. QTS writes this file as drives come.
write_enclosure() {
    {
        echo '[Index]'
        echo 'pd_bitmap = 0x1e'
        for path in /sys/block/sd*; do
            bay=$(readlink "$path" | sed -n 's|.*/ata\([0-9]*\)/.*|\1|p')
            [ -n "$bay" ] && [ "$bay" -le 4 ] || continue
            name=${path##*/}
            cat <<F
[PhysicalDisk_$bay]
port_id = $bay
pd_sys_id = sg$((bay - 1))
enc_sys_id = root
pd_sys_name = /dev/$name
vendor = QEMU
model = $(cat "$path/device/model")
serial_no = $(tail -c +5 "$path/device/vpd_pg80" | tr -d ' \0')
status = 0
capabilities = 207191
sector_size = 512
capacity = $(cat "$path/size")
F
        done
    } >/etc/enclosure_0.conf
}
write_enclosure

# partition NAME: the four partitions of a data drive, as QTS makes them: system, swap, data, spare system.
partition() {
    printf 'n\np\n1\n\n+6M\nn\np\n2\n\n+2M\nn\np\n3\n\n+40M\nn\np\n4\n\n\nw\n' | fdisk /dev/$1 >/dev/null 2>&1
    until_true 10 test -e /sys/block/$1/${1}4
}

# make_arrays LEVEL SERIAL…: QTS's arrays over these drives: md9 for the system, md1 for data, and a volume on it.
make_arrays() {
    level=$1
    shift
    systems=
    data=
    count=0
    for serial in "$@"; do
        name=$(drive $serial) || fail "no drive $serial"
        partition $name
        systems="$systems /dev/${name}1"
        data="$data /dev/${name}3"
        count=$((count + 1))
    done
    missing=$(for _ in $(seq $count 31); do printf 'missing '; done)
    mdadm --create /dev/md9 --run --metadata=1.0 --level=1 --raid-devices=32 --bitmap=internal $systems $missing \
        >/run/mdadm.log 2>&1 || fail "md9: $(cat /run/mdadm.log)"
    mdadm --create /dev/md1 --run --metadata=1.0 --level=$level --raid-devices=$count --assume-clean $data \
        >/run/mdadm.log 2>&1 || fail "md1: $(cat /run/mdadm.log)"
    # Not BusyBox's, which makes a file system without a journal: no power cut is survived by that.
    /sbin/mke2fs -t ext4 /dev/md1 >/run/mke2fs.log 2>&1 || fail "no file system on md1"
    mount_volume
}

# Starts the arrays that are on the drives already, in a later boot.
find_arrays() {
    mdadm --assemble --scan --run >/run/mdadm.log 2>&1
    mount_volume
}

mount_volume() {
    mount -t ext4 /dev/md1 /share/CACHEDEV1_DATA || fail "the volume on md1 was not mounted"
}
