# tcli in this guest: a loopback LUN as /dev/nbd0 of the kernel, and a SCSI device of the kernel (scsi_debug) passed through.
modprobe -a sg sd_mod nbd scsi_debug || fail modules
mkdir -p /host && mount -t hostfs -o / none /host
# The host's programs, with their libraries: the guest has no nbd-client.
export LD_LIBRARY_PATH=/host/usr/lib/x86_64-linux-gnu PATH=$PATH:/host/usr/sbin
[ -x /host/usr/sbin/nbd-client ] || fail 'nbd-client is not installed on the machine around the guest'
home=/tmp/home
tcli() { "/host$NODE" "/host$PROGRAM" --home $home "$@"; }
wwn=naa.5001405c81b9d906
luns=/loopback/$wwn/luns
generic=$(lsscsi -g | awk '/scsi_debug/ { print $NF; exit }')
original=$(lsscsi | awk '/scsi_debug/ { print $NF; exit }')
passed=$(name passed)
tcli -c '/ set global auto_add_default_portal=false' \
  -c '/backstores/ramdisk create rd0 32M' -c "/backstores/pscsi create ps0 $generic" \
  -c "/loopback create $wwn" -c "$luns create /backstores/ramdisk/rd0" -c "$luns/lun0 attach" \
  -c "/iscsi create $passed" -c "/iscsi/$passed/tpg1/portals create 127.0.0.1" \
  -c "/iscsi/$passed/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0" \
  -c "/iscsi/$passed/tpg1/luns create /backstores/pscsi/ps0" || fail configuration
"/host$NODE" "/host$PROGRAM" --home $home serve >/tmp/serve.log 2>&1 &
serving=$!
waits 30 grep -q Serving /tmp/serve.log || fail serve

device=$(readlink $home/run/$wwn-lun0)
[ "$device" = /dev/nbd0 ] || fail "lun0 is '$device'"
mkfs.ext4 -q "$device" && mkdir -p /mnt/local && mount "$device" /mnt/local || fail mount
cp -r /usr/share/bash-completion /mnt/local && diff -r /usr/share/bash-completion /mnt/local/bash-completion || fail data
tcli $luns/lun0 detach && fail 'a mounted device was detached'
tcli /backstores/ramdisk/rd0 resize 64M || fail resize
diff -r /usr/share/bash-completion /mnt/local/bash-completion || fail 'data after the size has changed'
umount /mnt/local && e2fsck -fn "$device" || fail 'file system'
# NBD has no word for a new size: who connects again learns it.
tcli $luns/lun0 detach && tcli $luns/lun0 attach || fail 'attach again'
device=$(readlink $home/run/$wwn-lun0)
[ "$(blockdev --getsize64 "$device")" = $((64 << 20)) ] || fail "the device has $(blockdev --getsize64 "$device") bytes"

iscsiadm -m discovery -t st -p 127.0.0.1 >/dev/null && login passed || fail login
disk=$(disk passed 0)
sg_inq "$disk" | grep -q 'Product identification: scsi_debug' || fail 'INQUIRY'
head -c 4M /dev/urandom >/tmp/data
dd if=/tmp/data of="$disk" bs=64k oflag=direct status=none || fail write
cmp -n 4194304 /tmp/data "$disk" || fail 'read through the target'
echo 3 >/proc/sys/vm/drop_caches
cmp -n 4194304 /tmp/data "$original" || fail 'read of the device itself'
# READ(10) of block 70000, beyond its end.
sg_raw -r 512 "$disk" 28 00 00 01 11 70 00 00 01 00 >/tmp/read 2>&1 && fail 'the device read beyond its end'
grep -qi 'out of range' /tmp/read || fail "sense data: $(cat /tmp/read)"
forget passed

kill $serving
wait $serving || fail 'serve did not end well'
[ ! -e /sys/block/nbd0/pid ] || fail 'the device is still attached'
quiet
