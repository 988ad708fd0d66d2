# The target is killed and started again while writes are verified: open-iscsi comes back, and no I/O fails.
record disks
setting disks node.conn[0].timeo.noop_out_interval 2
setting disks node.conn[0].timeo.noop_out_timeout 2
login disks || fail login
device=$(disk disks 0)
verified "$device" --size=64m &
sleep 2
ask restart
wait $! || fail 'an I/O failed'
dmesg | sed "1,/=== $SCENARIO/d" | grep -q 'conn error' || fail 'nothing was cut: the test was too quick'
verified "$device" --size=8m || fail 'after the restart'
