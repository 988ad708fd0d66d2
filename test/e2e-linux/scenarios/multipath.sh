# Two paths under dm-multipath: one is cut while writes are verified, comes back, and nobody sees an error.
printf 'defaults { user_friendly_names no\n polling_interval 1\n no_path_retry queue\n find_multipaths no }\n' >/etc/multipath.conf
multipathd >/dev/null 2>&1
record disks
record disks "$SECOND_PORT"
setting disks node.session.timeo.replacement_timeout 2
setting disks node.conn[0].timeo.noop_out_interval 2
setting disks node.conn[0].timeo.noop_out_timeout 2
login disks || fail login
waits 20 sh -c "[ \$(multipath -ll 2>/dev/null | grep -c 'active ready running') -ge 8 ]" || fail "paths: $(multipath -ll)"
device=$(readlink -f "/dev/mapper/$(multipath -l -v1 "$(disks disks 1 | head -1)")")
verified "$device" --size=48m &
sleep 2
ask cut
wait $! || fail 'an error came through'
verified "$device" --size=8m || fail 'on the path that is left'
ask mend
waits 30 sh -c "[ \$(multipath -ll 2>/dev/null | grep -c 'active ready running') -ge 8 ]" || fail "the path did not come back: $(multipath -ll)"
verified "$device" --size=8m || fail 'on both paths again'
multipath -F
killall multipathd
