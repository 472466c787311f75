# apt-get install, with no service started
#
# Installs the packages named as arguments. An ovs-vswitchd or ovn-controller in the machine's own namespace is not
# wanted. Debian asks /usr/sbin/policy-rc.d before it starts a service; one that is there is left alone.
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
mark='temporary: tunmon setup'
# One that a killed run left behind is ours to remove too.
if [ ! -e "$policy" ] || grep -q "$mark" "$policy"; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\n# %s\nexit 101\n' "$mark" >"$policy"
    chmod 755 "$policy"
fi
# A source that cannot be read need not be one that is wanted: the installation decides.
apt-get -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=580 update || echo 'apt-get update failed: going on with the lists that are here'
apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=580 install --no-install-recommends "$@"
