# ext4 and xfs become larger while they are mounted and written to; beyond a new end that is nearer there is nothing to read.
record disks
login disks || fail login
device=$(disk disks 0)
size() { blockdev --getsize64 "$device"; }
has() { [ "$(size)" = "$1" ]; }
said() { dmesg | sed "1,/=== $SCENARIO/d" | grep -q "$1"; }
free() { df --output=avail -B1 /mnt/disk | tail -1; }
first=$(size)
more=$((100 << 20))
mkdir -p /mnt/disk
head -c 16M /dev/urandom >/tmp/data
for kind in ext4 xfs; do
  case $kind in ext4) mkfs.ext4 -q -F "$device" ;; xfs) mkfs.xfs -q -f "$device" ;; esac || fail "mkfs.$kind"
  mount "$device" /mnt/disk || fail mount
  cp /tmp/data /mnt/disk/data
  before=$(size)
  verified /mnt/disk/fio &
  writer=$!
  tell /backstores/fileio/disk0 resize +100M
  wait $writer || fail "verify while $kind became larger"
  # SPC-4 5.14: the kernel hears of it with its next command, and looks when it is asked to.
  sync && waits 10 said 'Capacity data has changed' || fail 'the kernel was not told'
  iscsiadm -m session --rescan >/dev/null || fail rescan
  waits 10 has $((before + more)) || fail "the disk has $(size) bytes, not $((before + more))"
  space=$(free)
  case $kind in ext4) resize2fs "$device" ;; xfs) xfs_growfs /mnt/disk ;; esac || fail "$kind does not grow"
  [ "$(free)" -gt $((space + more * 8 / 10)) ] || fail "$kind has $(free) bytes to write to, and had $space"
  head -c $((space + more / 2)) /dev/zero | tr '\0' x >/mnt/disk/filled || fail 'no room where it was added'
  umount /mnt/disk || fail umount
  echo 3 >/proc/sys/vm/drop_caches
  case $kind in ext4) e2fsck -fn "$device" ;; xfs) xfs_repair -n "$device" ;; esac || fail "check of $kind"
  mount "$device" /mnt/disk || fail 'second mount'
  cmp /tmp/data /mnt/disk/data || fail 'data differs'
  [ "$(tr -d x </mnt/disk/filled | wc -c) $(stat -c %s /mnt/disk/filled)" = "0 $((space + more / 2))" ] || fail 'what was added differs'
  umount /mnt/disk
done
quiet || fail 'the kernel complained'

tell /backstores/fileio/disk0 resize "$first" force=true
dd if="$device" of=/dev/null bs=64k skip=$((first >> 16)) count=1 iflag=direct status=none && fail 'read beyond the end'
said 'ASC=0x21 ASCQ=0x0' || fail 'no LBA OUT OF RANGE'
iscsiadm -m session --rescan >/dev/null
waits 10 has "$first" || fail "the disk has $(size) bytes, not $first"
