#!/bin/sh
# node.sh NAME DIRECTORY: one node of a cluster, as the first process of its own namespaces: Corosync and Pacemaker, and nothing
# else of this machine's. The node dies with it.
set -eu
name=$1
directory=$2
hostname "$name"
ip link set lo up
for place in /var/lib/pacemaker /var/lib/corosync /var/log /run /dev/shm /srv /etc/corosync; do
  mkdir -p "$place"
  mount -t tmpfs tmpfs "$place"
done
mkdir -p /run/lock /run/resource-agents /run/crm /srv/disk /var/log/pacemaker
for place in cib pengine blackbox cores; do mkdir -p "/var/lib/pacemaker/$place"; done
chown -R hacluster:haclient /var/lib/pacemaker /run/crm
cp "$directory/corosync.conf" /etc/corosync/corosync.conf
mkdir -p "$directory/ocf"
mount --bind "$directory/ocf" /usr/lib/ocf/resource.d/tcli
corosync -f >"$directory/$name.corosync" 2>&1 &
export PCMK_logfile="$directory/$name.pacemaker"
# Corosync opens its doors a moment after it has begun.
until corosync-cmapctl runtime.config.totem.token >/dev/null 2>&1; do sleep 0.2; done
pacemakerd >"$directory/$name.out" 2>&1 &
wait
