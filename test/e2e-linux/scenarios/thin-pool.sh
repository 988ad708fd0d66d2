# tcli in this guest, on a volume of a thin pool with a linear one over it: what it takes and what the pool has left, and the threshold that the
# kernel is told of when the pool fills.
modprobe -a loop dm_thin_pool sg sd_mod || fail modules
mkdir -p /host && mount -t hostfs -o / none /host
home=/tmp/thin-home
tcli() { LD_LIBRARY_PATH=/host/usr/lib/x86_64-linux-gnu "/host$NODE" "/host$PROGRAM" --home $home "$@"; }
truncate -s 4M /tmp/metadata && truncate -s 64M /tmp/pool
metadata=$(losetup -f --show /tmp/metadata) && data=$(losetup -f --show /tmp/pool) || fail losetup
dmsetup create pool --table "0 131072 thin-pool $metadata $data 128 0" || fail pool
dmsetup message pool 0 'create_thin 0' && dmsetup create thin --table '0 262144 thin /dev/mapper/pool 0' || fail thin
dmsetup create top --table '0 262144 linear /dev/mapper/thin 0' || fail top
target=$(name thin)
tcli -c '/ set global auto_add_default_portal=false' -c '/backstores/block create thin0 /dev/mapper/top direct=true' \
  -c '/backstores/block/thin0 set attribute emulate_tpu=1' -c "/iscsi create $target" \
  -c "/iscsi/$target/tpg1/portals create 127.0.0.1" \
  -c "/iscsi/$target/tpg1 set attribute generate_node_acls=1 demo_mode_write_protect=0" \
  -c "/iscsi/$target/tpg1/luns create /backstores/block/thin0" || fail configuration
LD_LIBRARY_PATH=/host/usr/lib/x86_64-linux-gnu "/host$NODE" "/host$PROGRAM" --home $home serve >/tmp/serve.log 2>&1 &
serving=$!
waits 30 grep -q Serving /tmp/serve.log || fail serve
iscsiadm -m discovery -t st -p 127.0.0.1 >/dev/null && login thin || fail login
device=$(disk thin 0)

# In bytes, as dmsetup(8) says it in sectors, and in blocks of 64 KiB.
taken() { echo $(($(dmsetup status --noflush thin | cut -d' ' -f4) * 512)); }
left() { dmsetup status --noflush pool | cut -d' ' -f6 | { IFS=/ read -r used all; echo $(((all - used) * 65536)); }; }
says() { tcli /backstores/block/thin0 info | sed -n "s/^space_$1: //p"; }
agrees() { [ "$(says allocated)" = "$(taken)" ] && [ "$(says available)" = "$(left)" ] || fail "$(tcli /backstores/block/thin0 info; dmsetup status)"; }
told() { dmesg | sed "1,/=== $SCENARIO/d" | grep -c 'thin provisioning soft threshold'; }
# Available LBA mapping resources, decreasing: 16 sets of 2 MiB.
page=5c,02,00,1c,00,00,00,00,00,00,00,00,00,00,00,00,80,01,00,00,00,00,00,10,01,02,00,00,00,00,00,00
sg_wr_mode --page=0x1c,2 --contents=$page "$device" || fail 'the mode page'
dd if=/dev/zero of="$device" bs=1M count=8 oflag=direct status=none || fail 'a write above the threshold'
agrees
sg_turs "$device"
[ "$(told)" = 0 ] || fail 'told too early'
dd if=/dev/zero of="$device" bs=1M count=48 oflag=direct status=none || fail 'a write over the threshold'
agrees
[ "$(taken)" = $((48 << 20)) ] || fail "it takes $(taken)"
sg_turs "$device"
[ "$(told)" = 1 ] || fail "told $(told) times"
tcli doctor | grep -q 'thin0 may ask for 80.0MiB' || fail "$(tcli doctor)"
forget thin
kill $serving
wait $serving || fail 'serve did not end well'
dmsetup remove top && dmsetup remove thin && dmsetup remove pool && losetup -d "$metadata" "$data"
quiet
