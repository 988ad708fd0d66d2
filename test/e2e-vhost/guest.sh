# Runs in the guest: what a virtual machine does with its vhost disks. The runner on the host answers over the second serial
# line. LUN 0 is the root, LUN 1 a file that can be trimmed, LUN 2 a ramdisk.
# shellcheck shell=bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C
for place in /tmp /dev/shm; do mkdir -p $place; mount -t tmpfs tmpfs $place; done
mkdir -p /dev/pts /run/lock/iscsi /run/udev /mnt/disk
argument() { tr ' ' '\n' </proc/cmdline | sed -n "s#^$1=##p"; }
date -s "@$(argument guest.now)" >/dev/null
/lib/systemd/systemd-udevd --daemon
udevadm trigger
udevadm settle -t 20
stty -F /dev/ttyS1 raw -echo
exec 5<>/dev/ttyS1

fail() { echo "failed: $*"; dmesg | tail -15; ended 1; }
ended() { echo "guest exit $1"; sync; busybox poweroff -f; }
# The runner on the host does it, and answers with a line when it is done.
ask() { local said; printf '%s\n' "$*" >&5; IFS= read -r -t 60 said <&5 || fail "no answer to $*"; printf '%s' "$said"; }
tell() { local said; said=$(ask tell "$@"); case $said in Error:*) fail "$said" ;; esac; }
waits() { local left=$(($1 * 5)); shift; until "$@" >/dev/null 2>&1; do left=$((left - 1)); [ $left -gt 0 ] || return 1; sleep 0.2; done; }
disk() { ls "/sys/bus/scsi/devices/0:0:1:$1/block" 2>/dev/null; }
device() { waits 20 disk "$1" || fail "no disk for LUN $1"; udevadm settle -t 10; echo "/dev/$(disk "$1")"; }
step() { echo "ok $*"; }
# Fails when the kernel complained of a disk that fails or does not answer, of damage, or of a bug. What it says of a disk whose LUN was
# deleted is none: quiet [DISK]. A processor that the host gave no time has a call trace, too, for which no disk is to blame.
complaints='I/O error|corrupt|timing out command|blocked for more than|BUG: |Oops|WARNING: CPU: .* at (block|drivers|fs|lib|mm)/'
quiet() {
  dmesg | grep -E "$complaints" | grep -vE "reservation|BUG: soft lockup${1:+|dev $1[, ]}" >/tmp/complaints || return 0
  cat /tmp/complaints
  fail 'the kernel complained'
}

lsscsi | grep -E '^\[0:0:1:0\] +disk +LIO-ORG +root +4\.0 +/dev/sd' >/dev/null || fail "lsscsi: $(lsscsi)"
step "the system runs from its vhost disk: $(lsscsi | head -1 | tr -s ' ')"

first=$(device 1)
second=$(device 2)
head -c 16M /dev/urandom >/tmp/data
for kind in ext4 xfs; do
  case $kind in ext4) mkfs.ext4 -q -F "$first" ;; xfs) mkfs.xfs -q -f "$first" ;; esac || fail "mkfs.$kind"
  mount "$first" /mnt/disk || fail "mount $kind"
  cp /tmp/data /mnt/disk/data
  sync
  umount /mnt/disk
  echo 3 >/proc/sys/vm/drop_caches
  case $kind in ext4) e2fsck -fn "$first" ;; xfs) xfs_repair -n "$first" ;; esac >/dev/null 2>&1 || fail "check of $kind"
  mount "$first" /mnt/disk || fail "second mount $kind"
  cmp /tmp/data /mnt/disk/data || fail "$kind: data differs"
  before=$(ask allocated)
  rm /mnt/disk/data
  sync
  fstrim /mnt/disk || fail fstrim
  after=$(ask allocated)
  [ "$after" -lt $((before - 8000000)) ] || fail "fstrim gave nothing back: $before, $after"
  umount /mnt/disk
done
step 'ext4 and xfs: written, checked, read back, trimmed'

for one in "$first" "$second"; do
  fio --name=verified --filename="$one" --rw=randwrite --bsrange=4k-128k --size=24m --direct=1 --ioengine=libaio --iodepth=16 \
    --verify=crc32c --verify_fatal=1 --randseed=1 --minimal >/tmp/fio.out 2>&1 || fail "fio: $(tail -3 /tmp/fio.out)"
done
step 'fio --verify'

# The same logical unit over iSCSI: what it is does not depend on the way to it.
ip link set eth0 up 2>/dev/null || ip link set "$(ls /sys/class/net | grep -v lo | head -1)" up
net=$(ls /sys/class/net | grep -v lo | head -1)
ip addr add 10.0.2.15/24 dev "$net"
ip route add default via 10.0.2.2
iscsid
iqn=iqn.2003-01.org.example:same
iscsiadm -m node -o new -T $iqn -p "10.0.2.2:$(argument guest.port)" >/dev/null || fail 'iscsiadm new'
iscsiadm -m node -T $iqn --login >/dev/null || fail 'iSCSI login'
remote() { ls -d /sys/class/iscsi_session/session*/device/target*/*:1/block/* 2>/dev/null; }
waits 20 remote || fail 'no disk over iSCSI'
remote=/dev/$(basename "$(remote)")
for view in sg_inq 'sg_vpd -p sn' 'sg_vpd -p bl' 'sg_vpd -p bdc' 'sg_vpd -p lbpv' 'sg_readcap -l' 'sg_modes -a' 'sg_opcodes'; do
  $view "$first" >/tmp/vhost 2>&1
  $view "$remote" >/tmp/iscsi 2>&1
  sed -i -e "s#$first##" -e 's/SAS//' /tmp/vhost
  sed -i -e "s#$remote##" -e 's/iSCSI//' /tmp/iscsi
  [ "$(wc -l </tmp/vhost)" -gt 1 ] || fail "$view says nothing"
  diff /tmp/vhost /tmp/iscsi >/tmp/diff || fail "$view differs: $(cat /tmp/diff)"
done
sg_persist --out --register --param-sark=1 "$remote" >/dev/null && sg_persist --out --reserve --param-rk=1 --prout-type=1 "$remote" >/dev/null ||
  fail 'persistent reservation over iSCSI'
dd if=/dev/zero of="$first" bs=4096 count=1 oflag=direct status=none 2>/dev/null && fail 'a reservation does not hold'
sg_persist --out --release --param-rk=1 --prout-type=1 "$remote" >/dev/null
sg_persist --out --register --param-rk=1 --param-sark=0 "$remote" >/dev/null
dd if=/dev/zero of="$first" bs=4096 count=1 oflag=direct status=none || fail 'the reservation was not released'
iscsiadm -m node -T $iqn --logout >/dev/null
step 'sg3_utils sees the same unit over iSCSI, and a reservation there holds here'

size() { [ "$(cat "/sys/block/$(basename "$first")/size")" = "$1" ]; }
tell /backstores/fileio/disk1 resize 384M
waits 20 size 786432 || fail 'the new size was not seen'
step 'a disk that grows is seen at once'

tell /vhost/naa.5001405162d5cf9d/tpg1/luns create /backstores/ramdisk/disk3
waits 20 disk 3 || fail 'the new LUN was not seen'
third=$(basename "$(device 3)")
dd if=/dev/zero of="/dev/$third" bs=64k count=16 oflag=direct status=none || fail 'the new LUN cannot be written'
quiet
# udev may still be reading it when it goes.
tell /vhost/naa.5001405162d5cf9d/tpg1/luns delete 3
gone() { ! disk 3; }
waits 20 gone || fail 'the LUN that was deleted is there'
step 'LUNs come and go'

sg_reset --device "$first" || fail 'LUN reset'
dd if="$first" of=/dev/null bs=64k count=16 iflag=direct status=none || fail 'a read after the reset'
step 'a LUN is reset'

quiet "$third"
stalls=$(dmesg | grep -cE 'BUG: soft lockup|rcu: INFO: .*stall')
[ "$stalls" = 0 ] || echo "note: the host gave processors of the guest no time; the kernel says so $stalls times"
ended 0
