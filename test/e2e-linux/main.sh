# Runs in the guest: every scenario in a shell of its own, which has LIMIT seconds; one line for each.
# shellcheck source=initiator.sh
. /mnt/share/initiator.sh
modprobe -a iscsi_tcp sd_mod sg dm_multipath xfs 2>/dev/null
iscsid
echo 'the guest is up'
status=0
for file in /mnt/share/scenarios/*.sh; do
  export SCENARIO
  SCENARIO=$(basename "$file" .sh)
  case " ${ONLY:-$SCENARIO} " in *" $SCENARIO "*) ;; *) continue ;; esac
  echo "=== $SCENARIO" >/dev/kmsg
  begin=$SECONDS
  timeout -k 10 "$LIMIT" bash -uc '. /mnt/share/initiator.sh; . "$0"' "$file" >/tmp/out 2>&1
  ended=$?
  if [ $ended = 0 ]; then
    echo "ok $SCENARIO ($((SECONDS - begin)) s)"
  else
    status=1
    [ $ended = 124 ] && echo "it did not end within $LIMIT s" >>/tmp/out
    echo "FAILED $SCENARIO"
    tail -25 /tmp/out
    dmesg | sed "1,/=== $SCENARIO/d" | tail -15
  fi
  iscsiadm -m node --logoutall=all >/dev/null 2>&1
  iscsiadm -m node -o delete >/dev/null 2>&1
done
exit $status
