# Several LUNs, blocks of 512 and 4096 bytes, one read-only for everybody, each with its own data.
record disks
login disks || fail login
[ "$(blockdev --getss "$(disk disks 0)") $(blockdev --getss "$(disk disks 2)")" = '512 4096' ] || fail 'block sizes'
[ "$(cat /sys/block/"$(basename "$(disk disks 3)")"/ro)" = 1 ] || fail 'LUN 3 is not read-only'
for lun in 0 1 2; do
  yes "LUN $lun" | head -c 1M >/tmp/lun$lun
  dd if=/tmp/lun$lun of="$(disk disks $lun)" bs=64k oflag=direct status=none || fail "write to LUN $lun"
done
echo 3 >/proc/sys/vm/drop_caches
for lun in 0 1 2; do
  cmp -n 1048576 /tmp/lun$lun "$(disk disks $lun)" || fail "LUN $lun differs"
done
sg_luns "$(disk disks 0)" | grep -q 'Lun list length = 32' || fail 'REPORT LUNS'
quiet
