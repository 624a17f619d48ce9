"""The script for iPXE: what a computer that boots from the network is told to load."""

from __future__ import annotations

from imagemaker import kernel_line


def script() -> str:
    """Return a script that works beside the files that it names, wherever they are.

    Relative names are relative to the script, by HTTP and by TFTP. UEFI needs to be told by initrd=
    which file it is; a file without a name there, such as a configuration, would be dropped by
    iPXE, so all that is to be said is on the kernel's line.
    """
    return f"""\
#!ipxe
# Boots this computer to be a worker. Where the server is, it is told by words behind the equals
# sign, such as
#     set words dc.server=192.168.1.5:8220 dc.invite=dc1-...
# or by DHCP option 224, or it looks for it. Whoever can read this file can read a code in it.
set words

iseq ${{buildarch}} arm64 && goto arm64 ||
kernel vmlinuz initrd=initrd.img {kernel_line.normal("amd64")} ${{words}} || goto failed
initrd initrd.img || goto failed
boot || goto failed

:arm64
kernel arm64/vmlinuz initrd=initrd.img {kernel_line.normal("arm64")} ${{words}} || goto failed
initrd arm64/initrd.img || goto failed
boot || goto failed

:failed
echo The files of the worker could not be loaded; again in 30 seconds.
sleep 30
reboot
"""
