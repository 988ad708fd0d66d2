# ext4 and xfs: written, unmounted, checked, read back; trimmed blocks are given back by the file on the host.
record disks
login disks || fail login
device=$(disk disks 0)
head -c 16M /dev/urandom >/tmp/data
mkdir -p /mnt/disk
for kind in ext4 xfs; do
  case $kind in ext4) mkfs.ext4 -q -F "$device" ;; xfs) mkfs.xfs -q -f "$device" ;; esac || fail "mkfs.$kind"
  mount "$device" /mnt/disk || fail mount
  cp /tmp/data /mnt/disk/data
  for number in $(seq 40); do echo "$number" >"/mnt/disk/$number"; done
  umount /mnt/disk || fail umount
  echo 3 >/proc/sys/vm/drop_caches
  case $kind in ext4) e2fsck -fn "$device" ;; xfs) xfs_repair -n "$device" ;; esac || fail "check of $kind"
  mount "$device" /mnt/disk || fail 'second mount'
  cmp /tmp/data /mnt/disk/data || fail 'data differs'
  [ "$(cat /mnt/disk/40)" = 40 ] || fail 'a small file differs'
  before=$(ask allocated)
  rm /mnt/disk/data
  sync
  fstrim -v /mnt/disk || fail fstrim
  after=$(ask allocated)
  [ "$after" -lt $((before - 8000000)) ] || fail "fstrim gave nothing back: $before, $after"
  umount /mnt/disk
done
quiet
