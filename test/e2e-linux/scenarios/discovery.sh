# SendTargets names every target, and says where each one is.
found=$(iscsiadm -m discovery -t st -p "$HOST:$PORT") || fail discovery
for target in disks one-way mutual; do
  echo "$found" | grep -q "127.0.0.1:$PORT,1 $(name $target)\$" || fail "$target is not in: $found"
done
quiet
