# What the scenarios say to open-iscsi. HOST is the machine with the target; targets are named by the end of their IQN.
# shellcheck shell=bash
HOST=10.0.2.2
name() { echo "iqn.2003-01.org.example:$1"; }

# The runner on the host does it, and answers when it is done.
ask() { printf '%s\n' "$*" | nc -N -w 60 $HOST "$CONTROL"; }
# The target's operator types a line.
tell() { local said; said=$(ask tell "$@"); case $said in Error:* | '') fail "$said" ;; esac; }
fail() { echo "failed: $*"; exit 1; }
# waits until SECONDS COMMAND...: until the command succeeds
waits() { local left=$(($1 * 5)); shift; until "$@" >/dev/null 2>&1; do left=$((left - 1)); [ $left -gt 0 ] || return 1; sleep 0.2; done; }

# The target tells its own address, which is this machine to the guest: records are made by hand. record TARGET [PORT]
record() { iscsiadm -m node -o new -T "$(name "$1")" -p "$HOST:${2:-$PORT}" >/dev/null || fail "record $1"; }
# setting TARGET NAME VALUE
setting() { iscsiadm -m node -T "$(name "$1")" -o update -n "$2" -v "$3" || fail "setting $2"; }
login() { iscsiadm -m node -T "$(name "$1")" --login >/dev/null; }
logout() { iscsiadm -m node -T "$(name "$1")" --logout >/dev/null; }
forget() { iscsiadm -m node -T "$(name "$1")" --logout >/dev/null 2>&1; iscsiadm -m node -T "$(name "$1")" -o delete; }

# The disks of a target's sessions, one per path: disks TARGET LUN
disks() {
  local session
  for session in /sys/class/iscsi_session/session*; do
    [ "$(cat "$session/targetname" 2>/dev/null)" = "$(name "$1")" ] && ls "$session"/device/target*/*:"$2"/block 2>/dev/null
  done | grep . | sed 's#^#/dev/#'
}
# The disk of a LUN, when it is there: disk TARGET LUN
disk() { waits 20 disks "$1" "$2" || fail "no disk for LUN $2 of $1"; udevadm settle -t 10; disks "$1" "$2" | head -1; }
# Writes and reads back with checksums in the blocks: verified DEVICE OPTION...
verified() {
  local device=$1; shift
  fio --name=verified --filename="$device" --rw=randwrite --bsrange=4k-128k --size=24m --direct=1 --ioengine=libaio \
    --iodepth=16 --verify=crc32c --verify_fatal=1 --randseed=1 --minimal "$@" >/tmp/fio.out 2>&1 || { tail -5 /tmp/fio.out; return 1; }
}
# Fails when the kernel complained since the scenario began, and shows what it said.
# A processor that the host gave no time is no complaint of a disk (`soft lockup`, RCU stalls).
quiet() {
  ! dmesg | sed "1,/=== $SCENARIO/d" | grep -v 'BUG: soft lockup' |
    grep -E 'I/O error|conn error|Sense Key|corrupt|timing out command|blocked for more than|BUG: |Oops|WARNING: CPU'
}
