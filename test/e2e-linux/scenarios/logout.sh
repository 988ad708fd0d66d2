# A logout while writes are under way ends the session at both ends; a new login finds the disk as it should be.
record disks
login disks || fail login
device=$(disk disks 1)
fio --name=busy --filename="$device" --rw=randwrite --bs=64k --size=24m --direct=1 --ioengine=libaio --iodepth=16 \
  --time_based --runtime=60 >/dev/null 2>&1 &
waits 10 sh -c "[ \$(awk '{print \$9}' /sys/block/$(basename "$device")/stat) -gt 0 ]" || fail 'nothing is under way'
logout disks || fail 'logout while busy'
wait
[ -z "$(disks disks 1)" ] || fail 'the disk stayed'
login disks || fail 'second login'
verified "$(disk disks 1)" || fail verify
