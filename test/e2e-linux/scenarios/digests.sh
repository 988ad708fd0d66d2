# CRC32C over headers and data, both ways.
record disks
setting disks node.conn[0].iscsi.HeaderDigest CRC32C
setting disks node.conn[0].iscsi.DataDigest CRC32C
login disks || fail login
device=$(disk disks 1)
[ "$(iscsiadm -m session -P 2 | grep -c 'Digest: CRC32C')" = 2 ] || fail "no digests: $(iscsiadm -m session -P 2)"
verified "$device" || fail verify
quiet
