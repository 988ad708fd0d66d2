# Runs in the guest: brings up network, initiator and multipath, then does what the runner says over the second serial line: a
# line of shell comes, its status and all that it printed go back as one line.
# shellcheck shell=bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/run HOME=/root LANG=C
for place in /tmp /dev/shm; do mkdir -p $place; mount -t tmpfs tmpfs $place; done
mkdir -p /dev/pts /run/lock/iscsi /run/udev
argument() { tr ' ' '\n' </proc/cmdline | sed -n "s#^$1=##p"; }
date -s "@$(argument guest.now)" >/dev/null
echo 180 >/proc/sys/kernel/hung_task_timeout_secs 2>/dev/null
ip link set lo up
net=$(ls /sys/class/net | grep -v lo | head -1)
ip link set "$net" up
ip addr add "$(argument guest.address)/24" dev "$net"
echo "InitiatorName=$(argument guest.initiator)" >/etc/iscsi/initiatorname.iscsi
/lib/systemd/systemd-udevd --daemon
udevadm trigger
udevadm settle -t 20
iscsid
cp /run/multipath.conf /etc/multipath.conf
multipathd -d >/tmp/multipathd.log 2>&1 &

# Of each session: its portal, and the disk that is LUN 0 there.
disks() {
  local session connection
  for session in /sys/class/iscsi_session/session*; do
    connection=/sys/class/iscsi_connection/connection${session##*/session}:0
    echo "$(cat $connection/persistent_address):$(cat $connection/persistent_port) $(ls $session/device/target*/*:0/block 2>/dev/null)"
  done
}

# Writes and reads back until /tmp/enough is there; what went wrong is in /tmp/fio.failed.
verifies() {
  local pass=0
  while [ ! -e /tmp/enough ]; do
    pass=$((pass + 1))
    fio --name=verified --filename="$1" --offset=16m --size=4m --rw=randwrite --bsrange=4k-64k --direct=1 --ioengine=libaio \
      --iodepth=4 --verify=crc32c --verify_fatal=1 --verify_backlog=64 --randseed=$pass --minimal >/tmp/fio.out 2>&1 ||
      { cp /tmp/fio.out /tmp/fio.failed; break; }
    echo $pass >/tmp/fio.passes
  done
  touch /tmp/fio.ended
}

# Writes the MiB of a number for ever; how often is in /tmp/written. Where it cannot, /tmp/written.ended is there.
writes() {
  local count=0
  echo 0 >/tmp/written
  while dd if=/dev/zero of="$1" bs=1M count=1 seek="$2" oflag=direct conv=notrunc 2>/tmp/dd.out; do
    count=$((count + 1))
    echo $count >/tmp/written
  done
  cp /tmp/dd.out /tmp/written.ended
}

stty -F /dev/ttyS1 raw -echo
exec 5<>/dev/ttyS1
echo 'the guest is up'
while IFS= read -r line <&5; do
  (eval "$line") >/tmp/said 2>&1 </dev/null 5>&-
  status=$?
  printf '%s %s\n' $status "$(base64 -w 0 /tmp/said)" >&5
done
