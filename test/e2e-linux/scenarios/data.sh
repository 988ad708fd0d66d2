# Random writes of 4 to 128 KiB at depth 16, verified; with unsolicited data and without, small bursts and large ones.
for keys in 'InitialR2T=No ImmediateData=Yes' 'InitialR2T=Yes ImmediateData=No' 'FirstBurstLength=4096 MaxBurstLength=8192'; do
  record disks
  for key in $keys; do setting disks "node.session.iscsi.${key%=*}" "${key#*=}"; done
  login disks || fail "login with $keys"
  verified "$(disk disks 1)" || fail "verify with $keys"
  forget disks
done
quiet
