# A portal is drained while data is written through it: open-iscsi logs out as it is asked to, goes on at the portal that it is sent to,
# and no write is lost; the operator's line ends when nobody is left.
tpg="/iscsi/$(name disks)/tpg1"
portal="$tpg/portals/127.0.0.1:$PORT"
ports() { cat /sys/class/iscsi_connection/connection*/port 2>/dev/null | sort -u; }

tell "$tpg"/portals create 127.0.0.1 "$THIRD_PORT"
record disks
login disks || fail login
device=$(disk disks 1)
[ "$(ports)" = "$PORT" ] || fail "logged in at $(ports)"
verified "$device" --time_based --runtime=5 &
writer=$!
sleep 1
said=$(ask tell "$portal" drain to="$HOST:$THIRD_PORT" wait=30s)
case $said in *[Nn]obody*) ;; *) fail "the drain ended with: $said" ;; esac
waits 20 sh -c "[ \"\$(cat /sys/class/iscsi_connection/connection*/port)\" = $THIRD_PORT ]" || fail "it is at $(ports)"
wait $writer || fail 'verify over a drain'
dmesg | sed "1,/=== $SCENARIO/d" | grep -E 'I/O error|Sense Key|corrupt' && fail 'the kernel complained'
verified "$device" --size=4m || fail 'at the other portal'

# Once it is open again, who logs in comes to it, and is not sent on.
tell "$portal" undrain
logout disks || fail logout
login disks || fail 'login at the portal that is open again'
[ "$(ports)" = "$PORT" ] || fail "logged in at $(ports)"
logout disks || fail logout
tell "$tpg"/portals delete 127.0.0.1 "$THIRD_PORT"
