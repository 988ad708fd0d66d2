# Coming from tgt: the sessions of two guides to it, word for word but for address, port and path; then a file system that was made on
# a real tgtd is found again by the same names after `tcli import` and a switch.
# shellcheck shell=bash disable=SC2016
tcli='$TCLI --home $PWD/home'
portal="$HOST:$THIRD_PORT"
host() { local said; said=$(ask host "$*"); case $said in Error:*) fail "$* said: $said" ;; esac; [ "$said" = done ] || printf '%s\n' "$said"; }
# The disks of a session by the target's name: disk_of TARGET LUN
disk_of() {
  local session
  for session in /sys/class/iscsi_session/session*; do
    [ "$(cat "$session/targetname" 2>/dev/null)" = "$1" ] && ls "$session"/device/target*/*:"$2"/block 2>/dev/null
  done | grep .
}
# Text in which each of the lines stands, in their order: in_order TEXT LINE...
in_order() {
  local rest=$1 line
  shift
  for line; do
    case $rest in *"$line"*) rest=${rest#*"$line"} ;; *) fail "no '$line' in: $rest" ;; esac
  done
}

host "$tcli daemon start --tgtadm >/dev/null 2>&1"
host "tgtadm --op new --mode portal --param portal=127.0.0.1:$THIRD_PORT"
host 'for any in 0.0.0.0:3260 [::]:3260; do tgtadm --op delete --mode portal --param portal=$any; done'

# The three lines of the one guide, its discovery, login and look at the session.
target=iqn.1996-05.com.redhat:tt.xx
host 'truncate -s 64M lun'
host 'tgtadm --lld iscsi --op new --mode target --tid 1 -T iqn.1996-05.com.redhat:tt.xx'
host 'tgtadm --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 -b $PWD/lun'
host 'tgtadm --lld iscsi --mode target --op bind --tid 1 -I ALL'
found=$(iscsiadm -m discovery -t sendtargets -p "$portal") || fail discovery
case $found in *":$THIRD_PORT,1 $target") ;; *) fail "discovery said: $found" ;; esac
# It tells its own address, which is another machine's to the guest.
iscsiadm -m node -o delete >/dev/null 2>&1
iscsiadm -m node -o new -T $target -p "$portal" >/dev/null
iscsiadm -m node -T $target -p "$portal" -l >/dev/null || fail login
waits 20 disk_of $target 1 || fail 'no disk at LUN 1'
session=$(iscsiadm -m session -P 3)
in_order "$session" "$target" 'Lun: 1' "Attached scsi disk $(disk_of $target 1)" 'State: running'
iscsiadm -m node -T $target -u >/dev/null || fail logout
iscsiadm -m node -T $target -o delete
host 'tgtadm --lld iscsi --op delete --mode target --tid 1'

# The other guide: a device in targets.conf, what tgtd shows before and after a login, and what the kernel sees.
target=iqn.2013-10.com.example:server.target0
host 'truncate -s 10G vdb.img; losetup -f --show vdb.img >vdb 2>/dev/null || echo $PWD/vdb.img >vdb'
host 'printf "<target iqn.2013-10.com.example:server.target0>\n    direct-store %s\n</target>\n" "$(cat vdb)" >targets.conf'
host 'tgt-admin -c targets.conf -e 2>/dev/null'
shown=$(host 'tgtadm --mode target --op show')
units=('LUN: 0' 'Type: controller' 'SCSI ID: IET     00010000' 'SCSI SN: beaf10' 'Size: 0 MB, Block size: 1'
  'Online: Yes' 'Removable media: No' 'Readonly: No' 'Backing store type: null' 'Backing store path: None'
  'LUN: 1' 'Type: disk' 'SCSI ID: IET     00010001' 'SCSI SN: beaf11' 'Size: 10737 MB, Block size: 512' 'Online: Yes'
  'Removable media: No' 'Readonly: No' 'Backing store type: rdwr' "Backing store path: $(host 'cat vdb')" 'Backing store flags:'
  'Account information:' 'ACL information:' 'ALL')
in_order "$shown" "Target 1: $target" 'System information:' 'Driver: iscsi' 'State: ready' 'I_T nexus information:' \
  'LUN information:' "${units[@]}"
case $(iscsiadm -m discovery -t st -p "$portal") in *",1 $target") ;; *) fail 'discovery' ;; esac
iscsiadm -m node -o delete >/dev/null 2>&1
iscsiadm -m node -o new -T $target -p "$portal" >/dev/null
in_order "$(iscsiadm -m node -o show -T $target)" "node.name = $target" 'node.session.auth.authmethod = None' \
  "node.conn[0].address = $HOST" "node.conn[0].port = $THIRD_PORT"
iscsiadm -m node -T $target --login | grep -q 'successful' || fail login
waits 20 disk_of $target 1 || fail 'no disk at LUN 1'
device=$(disk_of $target 1)
in_order "$(host 'tgtadm --mode target --op show')" 'I_T nexus information:' 'I_T nexus: ' \
  "Initiator: $(sed -n 's/^InitiatorName=//p' /etc/iscsi/initiatorname.iscsi)" 'Connection: 0' 'IP Address: 127.0.0.1' "${units[@]}"
waits 20 sh -c "dmesg | grep -q '\[$device\] Attached SCSI disk'" || fail 'the kernel did not attach it'
in_order "$(dmesg | sed "1,/=== $SCENARIO/d")" ':0:0:1: Direct-Access     IET      VIRTUAL-DISK     0001' \
  "[$device] 20971520 512-byte logical blocks: (10.7 GB/10.0 GiB)" "[$device] Attached SCSI disk"
iscsiadm -m node -T $target --logout | grep -q 'successful' || fail logout
in_order "$(host 'tgtadm --mode target --op show')" 'I_T nexus information:
    LUN information:'
iscsiadm -m node -T $target -o delete
host 'tgt-admin --delete ALL'
host 'case $(cat vdb) in /dev/loop*) losetup -d "$(cat vdb)" ;; esac'
host "$tcli daemon stop >/dev/null 2>&1"

# A real tgtd, a file system on it; then the same file by tcli.
target=iqn.2026-11.org.example:switched
host 'truncate -s 300M switched.img; rm -rf home'
host 'printf "<target iqn.2026-11.org.example:switched>\n<backing-store %s>\nlun 3\n</backing-store>\n</target>\n" $PWD/switched.img >targets.conf'
host "setsid tgtd -f --iscsi portal=127.0.0.1:$THIRD_PORT >/dev/null 2>&1 & echo \$! >tgtd.pid"
host 'until tgtadm --op show --mode sys >/dev/null 2>&1; do sleep 0.1; done'
host 'tgt-admin -c targets.conf -e'
iscsiadm -m node -o new -T $target -p "$portal" >/dev/null
known_by() { for page in vpd_pg80 vpd_pg83; do od -An -tx1 "/sys/block/$(disk_of $target 3)/device/$page"; done; }
attach() {
  iscsiadm -m node -T $target --login >/dev/null || fail login
  waits 20 disk_of $target 3 || fail 'no disk at LUN 3'
  udevadm settle -t 10
}
attach
before=$(known_by)
[ -n "$before" ] || fail "the kernel shows no VPD pages"
mkfs.ext4 -q "/dev/$(disk_of $target 3)" || fail mkfs
mkdir -p /tmp/switched
mount "/dev/$(disk_of $target 3)" /tmp/switched || fail mount
cp -r /usr/bin/[a-m]* /tmp/switched || fail copying
sums=$(cd /tmp/switched && find . -type f -exec sha256sum {} + | sort)
umount /tmp/switched
iscsiadm -m node -T $target --logout >/dev/null
host 'kill -9 $(cat tgtd.pid); rm tgtd.pid'
said=$(host "$tcli import targets.conf")
case $said in *'Imported: 1 targets.'*) ;; *) fail "import said: $said" ;; esac
tpg=/iscsi/$target/tpg1
host "$tcli -c '$tpg/portals delete 0.0.0.0 3260' -c '$tpg/portals delete :: 3260' -c '$tpg/portals create 127.0.0.1 $THIRD_PORT' >/dev/null"
host "$tcli daemon start >/dev/null 2>&1"
attach
[ "$(known_by)" = "$before" ] || fail "known by $(known_by), before by $before"
fsck.ext4 -fn "/dev/$(disk_of $target 3)" >/tmp/fsck.out 2>&1 || { cat /tmp/fsck.out; fail fsck; }
mount "/dev/$(disk_of $target 3)" /tmp/switched || fail 'mount after the switch'
[ "$(cd /tmp/switched && find . -type f -exec sha256sum {} + | sort)" = "$sums" ] || fail 'the files are others'
touch /tmp/switched/written || fail 'writing after the switch'
umount /tmp/switched
iscsiadm -m node -T $target --logout >/dev/null
iscsiadm -m node -T $target -o delete
host "$tcli daemon stop >/dev/null 2>&1"
quiet || fail 'the kernel complained'
