# SBC-5 4.7.3.7: sg3_utils enables a threshold of a thin disk; the kernel is told when it is reached, and writes on.
record disks
login disks || fail login
device=$(disk disks 0)
sets() { sg_logs --page=0xc "$device" | sed -n "/$1 LBA mapping/{s/.*: *//p;q}" | tr -dc '0-9'; }

sg_vpd -p lbpv "$device" | grep -q 'Threshold exponent: 12' || fail "$(sg_vpd -p lbpv "$device")"
[ "$(sets Available)" -gt 0 ] || fail "$(sg_logs --page=0xc "$device")"
blkdiscard "$device"
used=$(sets Used)
# Used LBA mapping resources, increasing: eight sets of 2 MiB more.
page="5c,02,00,1c,00,00,00,00,00,00,00,00,00,00,00,00,00,01,00,00,00,00,00,00,81,02,00,00,00,00,00,$(printf %02x $((used + 8)))"
sg_wr_mode --page=0x1c,2 --contents="$page" "$device" || fail 'the mode page'
sg_modes --page=0x1c,2 "$device" | grep -q '81 02 00 00' || fail "$(sg_modes --page=0x1c,2 "$device")"
told() { dmesg | sed "1,/=== $SCENARIO/d" | grep -c 'thin provisioning soft threshold'; }
dd if=/dev/zero of="$device" bs=1M count=8 oflag=direct status=none || fail 'a write below the threshold'
sg_turs "$device"
[ "$(told)" = 0 ] || fail 'told too early'
dd if=/dev/zero of="$device" bs=1M count=32 oflag=direct status=none || fail 'a write over the threshold'
[ "$(told)" = 1 ] || fail "told $(told) times"
[ "$(sets Used)" -ge $((used + 16)) ] || fail "used $(sets Used), before it $used"
forget disks
quiet
