#!/bin/sh
# Sees to it that what the tests need of the system is there: a browser for the page, Node.js with
# npm for what the page is made from, nginx as a proxy before the server, and on Linux what makes
# networks of namespaces and wrong clocks, and judges units of systemd. Installs it where it may
# (Debian and Ubuntu, as root), and else says exactly what to install.
# else says exactly what to install.

has() {
    for name in "$@"; do
        if command -v "$name" >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

missing=""
has chromium chromium-browser google-chrome google-chrome-stable || missing="$missing chromium"
has node || missing="$missing nodejs"
PATH="$PATH:/usr/sbin" has nginx || missing="$missing nginx-light"
has npm || missing="$missing npm"
if [ "$(uname)" = Linux ]; then
    PATH="$PATH:/usr/sbin:/sbin" has ip || missing="$missing iproute2"
    has nsenter || missing="$missing util-linux"
    has faketime || missing="$missing faketime"
    has systemd-analyze || missing="$missing systemd"
fi
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ] && has apt-get; then
    echo "installing what the tests need:$missing"
    apt-get update -qq
    # shellcheck disable=SC2086  # several packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "The tests need what is not here:$missing" >&2
    echo "Install it (Debian and Ubuntu: sudo apt install$missing) and run this again." >&2
    exit 1
fi
