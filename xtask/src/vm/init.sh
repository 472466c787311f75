#!/bin/busybox sh
# First process of a guest: the host's files below, a layer in memory above, then the second stage.
b=/bin/busybox

stop() {
    echo "init: $1" >/dev/kmsg
    $b sleep 1
    $b poweroff -f
}

share() {
    $b mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,access=any,$3" "$1" "$2" 2>/dev/null
}

$b mount -t proc none /proc
$b mount -t sysfs none /sys
$b mount -t devtmpfs none /dev
while read -r module; do
    $b insmod "/modules/$module" || echo "init: no module $module" >/dev/kmsg
done </modules/order

# The device may need a moment to appear. Nothing writes below, so what was read once may be kept.
tries=0
until share host /lower ro,cache=loose; do
    tries=$((tries + 1))
    [ "$tries" -lt 100 ] || stop 'the host has no share'
    $b sleep 0.1
done
$b mount -t tmpfs -o size=70%,mode=755 none /layer && $b mkdir /layer/upper /layer/work ||
    stop 'no memory for a layer'
$b mount -t overlay -o lowerdir=/lower,upperdir=/layer/upper,workdir=/layer/work none /root || stop 'no overlay'

for word in $($b cat /proc/cmdline); do
    case $word in tunmon.run=*) run=${word#*=} ;; esac
done
for folder in proc sys dev; do
    $b mkdir -p "/root/$folder"
    $b mount --move "/$folder" "/root/$folder"
done
exec $b switch_root /root /bin/sh "$run/stage2.sh" "$run" || stop 'no second stage'
