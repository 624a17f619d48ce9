#!/bin/sh
# Sees to it that what the tests need of the system is there: a browser for the page, Node.js with
# npm for what the page is made from, nginx as a proxy before the server, and on Linux what makes
# networks of namespaces and wrong clocks, judges units of systemd, and makes the boot image and
# boots it. Installs it where it may (Debian and Ubuntu, as root), and else says exactly what to
# install. With `boot` also what boots the image in all ways, and not only directly.

has() {
    for name in "$@"; do
        if command -v "$name" >/dev/null 2>&1; then return 0; fi
    done
    return 1
}

cross_compiler() {
    case $(uname -m) in x86_64) echo gcc ;; *) echo gcc-x86-64-linux-gnu ;; esac
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
    has grub-mkimage || missing="$missing grub-common"
    PATH="$PATH:/usr/sbin:/sbin" has depmod || missing="$missing kmod"
    # The image that is tested is one for PCs, also where the tests run on ARM.
    has x86_64-linux-gnu-gcc || missing="$missing $(cross_compiler)"
    has mformat || missing="$missing mtools"
    has mksquashfs || missing="$missing squashfs-tools"
    has xorriso || missing="$missing xorriso"
    has zstd || missing="$missing zstd"
    has qemu-system-x86_64 || missing="$missing qemu-system-x86 seabios"
    has setpriv || missing="$missing util-linux"
    has busybox || missing="$missing busybox-static"
    PATH="$PATH:/usr/sbin:/sbin" has dnsmasq || missing="$missing dnsmasq-base"
fi
if [ "${1-}" = boot ]; then
    has qemu-system-aarch64 || missing="$missing qemu-system-arm"
    [ -e /usr/share/OVMF/OVMF_CODE_4M.fd ] || missing="$missing ovmf"
    [ -e /usr/share/AAVMF/AAVMF_CODE.fd ] || missing="$missing qemu-efi-aarch64"
    [ -e /usr/lib/ipxe/qemu/efi-virtio.rom ] || missing="$missing ipxe-qemu"
    has aarch64-linux-gnu-gcc || missing="$missing gcc-aarch64-linux-gnu"
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
