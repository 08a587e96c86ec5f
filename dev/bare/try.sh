#!/bin/bash
# Tries this repository on a bare Debian 12: a minimal system in a folder, with the packages that README.rst asks for and
# nothing else, and in it a clone of the commit that is checked out here.
#
#     dev/bare/try.sh root 'make test'          as root, in /root, which nobody else may enter
#     dev/bare/try.sh user 'make demo'          as a user, in the user's home
#
# Needs root and the package debootstrap; $MIRROR names another Debian archive than its own. The system is kept in $BARE
# (below /tmp unless it is named) for the next try: remove that folder to begin anew. Mounts and processes end with the
# script, as they are in namespaces of their own.
set -euo pipefail

who=${1:?root or user} command=${2:?what to run, as one argument}
[[ $who = root || $who = user ]] || { echo "Who runs it: root or user, not $who" >&2; exit 1; }
export BARE=${BARE:-/tmp/payment_btcpay-bare}
repository=$(cd "$(dirname "$0")/../.." && pwd)

if [ "${IN_NAMESPACE:-}" != yes ]; then
    IN_NAMESPACE=yes exec unshare --mount --pid --fork --kill-child "$0" "$@"
fi

# The network as this machine has it: names, proxies, certificates, where packages come from
take_settings() {
    cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
    rm -f "$1/etc/apt/sources.list"
    cp -r /etc/apt/sources.list* /etc/apt/apt.conf.d "$1/etc/apt/"
    local place
    for place in /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
        [ ! -e "$place" ] || install -D -m 644 "$place" "$1$place"
    done
}

if [ ! -e "$BARE/.complete" ]; then
    rm -rf --one-file-system "$BARE"
    debootstrap --variant=minbase bookworm "$BARE" ${MIRROR:+"$MIRROR"}
    take_settings "$BARE"
    mount -t proc proc "$BARE/proc"
    chroot "$BARE" apt-get update
    DEBIAN_FRONTEND=noninteractive chroot "$BARE" apt-get install -y make git python3 python3-venv
    umount "$BARE/proc"
    chroot "$BARE" useradd --create-home --shell /bin/bash user
    touch "$BARE/.complete"
fi
take_settings "$BARE"
mount -t proc proc "$BARE/proc"
mount --rbind /dev "$BARE/dev"
mount -t tmpfs -o mode=1777 tmpfs "$BARE/dev/shm"

home=/root
[ "$who" = root ] || home=/home/user
clone=$home/payment_btcpay_x
commit=$(git -C "$repository" rev-parse HEAD)
if [ ! -e "$BARE$clone" ]; then
    git clone --quiet --no-local "$repository" "$BARE$clone"
fi
git -C "$BARE$clone" -c safe.directory='*' fetch --quiet "$repository" "$commit"
git -C "$BARE$clone" -c safe.directory='*' checkout --quiet --force --detach "$commit"
find "$BARE$clone" -path "$BARE$clone/.dev" -prune -o -exec chown -h --reference="$BARE$home" {} +

# Nothing of the environment but what the network needs
kept=("HOME=$home" "USER=$who" PATH=/usr/local/bin:/usr/bin:/bin TERM=dumb LC_ALL=C.UTF-8)
for name in http_proxy https_proxy no_proxy SSL_CERT_FILE REQUESTS_CA_BUNDLE PIP_CERT PIP_INDEX_URL CI; do
    [ -z "${!name:-}" ] || kept+=("$name=${!name}")
done
exec chroot "--userspec=$who:" "$BARE" /usr/bin/env -i "${kept[@]}" \
    /bin/bash -c "cd $clone && $command"
