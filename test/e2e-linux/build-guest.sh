#!/bin/bash
# Builds the guest of `npm run e2e:linux`: Debian with open-iscsi, in User Mode Linux (a plain process, no KVM); and for
# `npm run e2e:vhost` and `npm run cluster`, where the same Debian runs in QEMU, a kernel with their drivers and what mounts
# its disk.
#   sudo test/e2e-linux/build-guest.sh [DIR]     default DIR: ~/.cache/tcli-guest; about two minutes, 4 GB
# Run again, it only makes a fresh disk image; a change of what is below builds it anew.
set -eu
here=$(dirname "$(readlink -f "$0")")
dir=${1:-${GUEST_DIR:-$HOME/.cache/tcli-guest}}
mirror=${MIRROR:-http://deb.debian.org/debian}
suite=bookworm
packages='open-iscsi multipath-tools fio sg3-utils lsscsi iproute2 kmod udev busybox-static
  e2fsprogs xfsprogs procps psmisc netcat-openbsd util-linux'

PATH=$PATH:/usr/sbin:/sbin
lacking=
for program in debootstrap:debootstrap mke2fs:e2fsprogs cc:'gcc libc6-dev' dpkg:dpkg apt-get:apt; do
  command -v "${program%%:*}" >/dev/null || lacking="$lacking ${program#*:}"
done
[ -z "$lacking" ] || { echo "build-guest.sh: what it needs is not installed: apt install$lacking" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo 'build-guest.sh: debootstrap needs root: run it by sudo' >&2; exit 1; }

root=$dir/rootfs
mkdir -p "$dir"
# shellcheck disable=SC2086
included=$(echo $packages | tr ' ' ,)
if [ "$(cat "$root/.installed" 2>/dev/null)" != "$suite $included" ]; then
  rm -rf --one-file-system "$root"
  debootstrap --variant=minbase --include="$included" "$suite" "$root" "$mirror" >"$dir/debootstrap.log" 2>&1 ||
    { tail -5 "$dir/debootstrap.log" "$root/debootstrap/debootstrap.log" >&2; exit 1; }
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb
  echo "$suite $included" >"$root/.installed"
fi

if [ ! -x "$dir/uml/usr/bin/linux.uml" ]; then
  downloads=$(mktemp -d)
  chmod 777 "$downloads"
  (cd "$downloads" && apt-get download -q user-mode-linux slirp) >/dev/null
  for package in "$downloads"/*.deb; do dpkg -x "$package" "$dir/uml"; done
  rm -rf "$downloads"
fi
# Debian's kernel for machines of a cloud has no scsi_dh_alua. Of those that others ask for by the name of their cipher, crc32c.
modules='linux-image-amd64 crc32c_generic virtio_pci virtio_scsi sd_mod sg ext4 xfs virtio_net iscsi_tcp dm_multipath dm_service_time scsi_dh_alua'
if [ "$(cat "$dir/vm/.built" 2>/dev/null)" != "$modules" ]; then
  rm -rf "$dir/vm"
  mkdir -p "$dir/vm/root/bin"
  downloads=$(mktemp -d)
  chmod 777 "$downloads"
  kernel=$(apt-cache depends "${modules%% *}" | sed -n 's/.*Depends: \(linux-image-[0-9]\)/\1/p' | head -1)
  (cd "$downloads" && apt-get download -q "$kernel") >/dev/null
  dpkg -x "$downloads"/*.deb "$dir/vm/kernel"
  rm -rf "$downloads"
  busybox=$root/bin/busybox
  version=$(ls "$dir/vm/kernel/lib/modules")
  place=lib/modules/$version
  "$busybox" depmod -b "$dir/vm/kernel" "$version"
  # Each with what it needs: what is behind its name in modules.dep.
  echo "${modules#* }" >"$dir/vm/root/modules"
  for module in ${modules#* }; do
    sed -n "s#^\(kernel/[^:]*/${module//_/[-_]}\.ko\): *#\1 #p" "$dir/vm/kernel/$place/modules.dep"
  done | tr ' ' '\n' | grep . | sort -u | while read -r file; do
    install -D -m 644 "$dir/vm/kernel/$place/$file" "$dir/vm/root/$place/$file"
  done
  "$busybox" depmod -b "$dir/vm/root" "$version"
  cp "$busybox" "$dir/vm/root/bin/busybox"
  cp "$dir"/vm/kernel/boot/vmlinuz-* "$dir/vm/vmlinuz"
  rm -rf "$dir/vm/kernel"
  echo "$modules" >"$dir/vm/.built"
fi
install -m 755 "$here/../e2e-vhost/init" "$dir/vm/root/init"
install -D -m 644 "$here/../e2e-vhost/guest.sh" "$dir/vm/root/guest/guest.sh"
(cd "$dir/vm/root" && find . | "$root/bin/busybox" cpio -o -H newc 2>/dev/null | gzip -1) >"$dir/vm/initrd"
for shim in nodelay xstate; do cc -O2 -shared -fPIC -o "$dir/$shim.so" "$here/$shim.c" -ldl; done

install -m 755 "$here/guest-init" "$root/sbin/guest-init"
echo 'InitiatorName=iqn.1993-08.org.debian:01:guest' >"$root/etc/iscsi/initiatorname.iscsi"
rm -f "$dir/root.img"
mke2fs -q -t ext4 -d "$root" -O ^has_journal -m 0 "$dir/root.img" 3G
echo "built $dir"
