#!/bin/sh
# boot.sh REPOSITORY DIRECTORY
#
# Boots this machine's systemd in the network namespace it is called in and in others of its own, on an overlay of this
# machine's files that is gone afterwards, with nothing but Rampart's unit, installed as its head says. DIRECTORY: an
# empty one that becomes a mount point. Prints systemd's process id, as seen here, and ends with systemd.
set -eu
group=/sys/fs/cgroup
[ -d $group/unified ] && group=$group/unified
group=$group/rampart-test-$$
mkdir "$group"
trap 'rmdir "$group"/*/* "$group"/* "$group" 2>/dev/null || :' EXIT
sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec "$@"' sh "$group" \
  unshare --mount --pid --uts --ipc --cgroup --fork --kill-child sh -euc '
repository=$1 top=$2 root=$2/root
mount --make-rprivate /
mount -t tmpfs tmpfs "$top"
mkdir "$top/upper" "$top/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$top/upper,workdir=$top/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"

# Nothing of the machine is started.
rm -rf "$root/etc/systemd/system" "$root/var/lib/rampart"
mkdir -p "$root/etc/systemd/system" "$root/etc/sysusers.d" "$root/etc/rampart/policy.d" "$root/old"
cat >"$root/etc/systemd/system/lab.target" <<END
[Unit]
DefaultDependencies=no
END
cp "$repository/systemd/rampart.service" "$root/etc/systemd/system/"
cp "$repository/systemd/rampart.sysusers.conf" "$root/etc/sysusers.d/rampart.conf"
ln -sf "$repository/dist/bundle/main.js" "$root/usr/local/bin/rampart"
chmod +x "$root/$repository/dist/bundle/main.js"
chroot "$root" systemd-sysusers

cd "$root"
pivot_root . old
umount -l /old
exec env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
  /lib/systemd/systemd --system --unit=lab.target --log-target=console --show-status=no
' sh "$1" "$2" &
# The first child of unshare is systemd.
unshare_pid=$!
while :; do
  child=$(cat "/proc/$unshare_pid/task/$unshare_pid/children" 2>/dev/null) || exit 1
  [ -n "$child" ] && break
  sleep 0.05
done
echo "systemd ${child%% *}"
wait
