# What guest scripts use. Everything here is for BusyBox's shell.

BOOT=$(cat /lab/boot)
# The port to the emulator, without the terminal's habits.
exec 9<>/dev/ttyS1
stty raw -echo <&9

# Says that the scenario itself went wrong: the comparison fails with these words.
fail() {
    echo "boot $BOOT: $*" >>/host/failed
}

# qmp COMMAND: something that only the emulator can do to the hardware.
qmp() {
    printf 'QMP %s\n' "$1" >&9
    IFS= read -r answer <&9
    case "$answer" in
    OK*) ;;
    *) fail "$1: $answer" ;;
    esac
}

# The power goes, now.
power_cut() {
    printf 'CUT\n' >&9
    while :; do sleep 1; done
}

# until_true SECONDS COMMAND…: waits for a condition, and says so when it never holds.
until_true() {
    ceiling=$(($1 * 10))
    shift
    while ! "$@" >/dev/null 2>&1; do
        ceiling=$((ceiling - 1))
        if [ $ceiling -le 0 ]; then
            fail "never came true: $*"
            return 1
        fi
        usleep 100000
    done
}

# drive SERIAL: the kernel's name of the drive with this serial number.
drive() {
    for path in /sys/block/*; do
        name=${path##*/}
        case "$name" in
        sd*)
            serial=$(tail -c +5 "$path/device/vpd_pg80" 2>/dev/null | tr -d ' \0')
            ;;
        nvme*)
            serial=$(tr -d ' ' <"$path/device/serial" 2>/dev/null)
            ;;
        *) continue ;;
        esac
        [ "$serial" = "$1" ] && echo "$name" && return 0
    done
    return 1
}

# Every drive that the scenario has for this boot is there, or ten seconds are over: a missing one may be the fault.
wait_for_drives() {
    count=-1
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        now=$(ls /sys/block | wc -l)
        [ "$now" = "$count" ] && [ "$now" != 0 ] && return
        count=$now
        usleep 300000
    done
}

# tool RUN ARGUMENT…: a command of the agent that has no report. Leaves RUN.json (its standard output), RUN.errors, RUN.code.
tool() {
    run=$1
    shift
    assay "$@" >/tmp/agent.json 2>/tmp/agent.errors
    echo $? >/host/$run.code
    cp /tmp/agent.json /host/$run.json
    cp /tmp/agent.errors /host/$run.errors
    rm -f /tmp/agent.json /tmp/agent.errors
}

# agent RUN [ARGUMENT…]: the agent as its user runs it; `check` without arguments. Leaves RUN.json, RUN.errors, RUN.code.
agent() {
    run=$1
    shift
    [ $# -eq 0 ] && set -- check
    tool "$run" "$@" --json
}

# Reads a drive past every cache, as a scrub does. Errors are what a scenario wants.
read_all() {
    dd if=/dev/$1 of=/dev/null bs=${2:-64k} iflag=direct conv=noerror >/dev/null 2>&1
}
