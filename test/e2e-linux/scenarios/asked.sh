# What the target asks of an initiator: to look for LUNs, to go to another portal group, to log out.
tpg() { echo "/iscsi/$(name disks)/tpg$1"; }
sessions() { cat /sys/class/iscsi_session/session*/"$1" 2>/dev/null; }

# RFC 7143 11.9.1, event 0: a new LUN is there without a rescan.
record disks
login disks || fail login
device=$(disk disks 1)
tell /backstores/ramdisk create extra 16M
[ -z "$(disks disks 9)" ] || fail 'LUN 9 is there already'
tell "$(tpg 1)"/luns create /backstores/ramdisk/extra 9
disk disks 9 >/dev/null

# RFC 7143 11.9.1, event 1: disabled and enabled again while data is written, nothing is lost.
verified "$device" --time_based --runtime=8 &
writer=$!
sleep 2
tell "$(tpg 1)" disable
waits 10 sh -c '! grep -q LOGGED_IN /sys/class/iscsi_session/session*/state' || fail 'the session is still logged in'
tell "$(tpg 1)" enable
wait $writer || fail 'verify over a logout that was asked for'
dmesg | sed "1,/=== $SCENARIO/d" | grep -E 'I/O error|Sense Key|corrupt' && fail 'the kernel complained'
logout disks || fail logout

# RFC 7143 11.13.5: the login goes on at another portal group.
tell /iscsi/"$(name disks)" create 2
tell "$(tpg 2)"/portals create 127.0.0.1 "$THIRD_PORT"
tell "$(tpg 2)" set attribute generate_node_acls=1 demo_mode_write_protect=0
tell "$(tpg 2)"/luns create /backstores/ramdisk/disk1 1
tell "$(tpg 2)" enable
tell "$(tpg 1)" set attribute redirect="$HOST:$THIRD_PORT"
login disks || fail 'login over a redirection'
[ "$(sessions tpgt)" = 2 ] || fail "portal group $(sessions tpgt)"
verified "$(disk disks 1)" || fail verify
logout disks || fail logout
tell "$(tpg 1)" set attribute redirect=
tell "$(tpg 1)"/luns delete 9
tell /iscsi/"$(name disks)" delete 2
