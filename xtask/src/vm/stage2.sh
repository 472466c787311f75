# First process of a guest, from where it sees the host's files: what a booted system has, the command, and the end.
run=$1
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
umask 022
. "$run/guest.sh"

mkdir -p /run /dev/pts /dev/shm
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/lock /run/netns
mount -t devpts -o mode=620,ptmxmode=666 none /dev/pts
mount -t tmpfs -o mode=1777 none /dev/shm
mount -t cgroup2 none /sys/fs/cgroup
mount -t bpf none /sys/fs/bpf
mount -t tracefs none /sys/kernel/tracing
for link in fd: stdin:/0 stdout:/1 stderr:/2; do
    [ -e "/dev/${link%%:*}" ] || ln -s "/proc/self/fd${link#*:}" "/dev/${link%%:*}"
done
mkdir -p /lib/modules
rm -rf "/lib/modules/$RELEASE"
ln -s "$KERNEL/lib/modules/$RELEASE" "/lib/modules/$RELEASE"
echo guest >/proc/sys/kernel/hostname
ip link set lo up
modprobe virtio_net
ulimit -l unlimited
ulimit -c 0

# The ports' names come by messages from QEMU, some time after the ports.
port() {
    for found in /sys/class/virtio-ports/*; do
        name=
        read -r name <"$found/name"
        [ "$name" != "$1" ] || echo "/dev/${found##*/}"
    done 2>/dev/null
}
tries=0
until out=$(port out) && err=$(port err) && result=$(port result) && [ -n "$out" ] && [ -n "$err" ] && [ -n "$result" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || break
    sleep 0.1
done

# Where each thread of a program stands in the kernel, and whether the processors' clocks go; only the console is free for it.
standing() {
    echo 'what runs, and where it waits:'
    for thread in /proc/[0-9]*/task/*; do
        line=$(tr '\0\n' '  ' <"${thread%/task/*}/cmdline" | cut -c 1-200)
        [ -z "$line" ] || printf '%s %s: %s\n' "${thread##*/}" "$line" "$(head -n 9 "$thread/stack" | tr '\n' ' ')"
    done 2>/dev/null
    grep -E '^cpu: |^now at|expires_next|nr_hangs' /proc/timer_list
}

read -r up rest </proc/uptime
echo "start $up" >"$result"
trap 'standing >/dev/console' USR1
/bin/sh "$run/command.sh" </dev/null >"$out" 2>"$err" &
command=$!
(
    sleep "$LIMIT"
    touch /run/late
    kill -USR1 $$
    sleep 5
    kill -KILL "$command"
) &
# 138: the signal has ended the wait, not the command.
code=138
while [ "$code" = 138 ]; do
    wait "$command"
    code=$?
done
[ ! -e /run/late ] || code=124
read -r up rest </proc/uptime
echo "end $code $up" >"$result"
# At once: there is nothing here that a shutdown would save.
echo 1 >/proc/sys/kernel/sysrq
echo o >/proc/sysrq-trigger
sleep 60
