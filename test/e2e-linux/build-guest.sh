#!/bin/bash
# Builds the guest of `npm run e2e:linux`: Debian with open-iscsi, in User Mode Linux (a plain process, no KVM).
#   sudo test/e2e-linux/build-guest.sh [DIR]     default DIR: ~/.cache/tcli-guest; some minutes, 4 GB
# Needs debootstrap, e2fsprogs and a C compiler. Run again, it only makes a fresh disk image.
set -eu
here=$(dirname "$(readlink -f "$0")")
dir=${1:-$HOME/.cache/tcli-guest}
mirror=${MIRROR:-http://deb.debian.org/debian}
packages='open-iscsi multipath-tools fio sg3-utils lsscsi iproute2 kmod udev busybox-static
  e2fsprogs xfsprogs procps psmisc netcat-openbsd util-linux'
root=$dir/rootfs
mkdir -p "$dir"

if [ ! -e "$root/.installed" ]; then
  rm -rf --one-file-system "$root"
  debootstrap --variant=minbase bookworm "$root" "$mirror"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  # Nothing is started in the chroot.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get install -qq -y --no-install-recommends $packages
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb "$root/usr/sbin/policy-rc.d"
  touch "$root/.installed"
fi

if [ ! -x "$dir/uml/usr/bin/linux.uml" ]; then
  downloads=$(mktemp -d)
  chmod 777 "$downloads"
  (cd "$downloads" && apt-get download -q user-mode-linux slirp)
  for package in "$downloads"/*.deb; do dpkg -x "$package" "$dir/uml"; done
  rm -rf "$downloads"
fi
for shim in nodelay xstate; do cc -O2 -shared -fPIC -o "$dir/$shim.so" "$here/$shim.c" -ldl; done

install -m 755 "$here/guest-init" "$root/sbin/guest-init"
echo 'InitiatorName=iqn.1993-08.org.debian:01:guest' >"$root/etc/iscsi/initiatorname.iscsi"
rm -f "$dir/root.img"
mke2fs -q -t ext4 -d "$root" -O ^has_journal -m 0 "$dir/root.img" 3G
echo "built $dir"
