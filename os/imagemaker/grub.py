"""GRUB on the media: what goes into its programs, and its menu."""

from __future__ import annotations

from dataclasses import dataclass

from imagemaker import kernel_line

_COMMON = (
    "part_gpt", "part_msdos", "fat", "iso9660", "search", "search_fs_file", "normal", "configfile",
    "echo", "test", "true", "regexp", "sleep", "read", "linux", "minicmd", "reboot", "halt",
)  # fmt: skip


@dataclass(frozen=True)
class Core:
    """One program of GRUB: for which firmware, of what, and where it looks for its menu."""

    platform: str  # as grub-mkimage names it, and the folder of its modules
    modules: tuple[str, ...]
    prefix: str
    name: str  # of the file that is made


BIOS = Core("i386-pc-eltorito", ("biosdisk", *_COMMON), "/boot/grub", "eltorito.img")
EFI_AMD64 = Core(
    "x86_64-efi",
    ("efi_gop", "efi_uga", "efifwsetup", *_COMMON),
    "/EFI/BOOT",
    "BOOTX64.EFI",
)
# gzio: the kernel for ARM does not unpack itself, so GRUB does.
EFI_ARM64 = Core(
    "arm64-efi", ("efi_gop", "efifwsetup", "gzio", *_COMMON), "/EFI/BOOT", "BOOTAA64.EFI"
)

EFI = {"amd64": EFI_AMD64, "arm64": EFI_ARM64}


def modules_folder(core: Core) -> str:
    """Return the name of the folder that has the modules of a program."""
    return core.platform.removesuffix("-eltorito")


def mkimage(core: Core, modules: str, to: str) -> list[str]:
    """Return the command that makes a program.

    Args:
        core: Which.
        modules: The folder with a folder of modules for each platform.
        to: The file to make.
    """
    folder = f"{modules}/{modules_folder(core)}"
    options = ["--directory", folder, "--format", core.platform, "--prefix", core.prefix]
    return ["grub-mkimage", *options, "--output", to, *core.modules]


def finder(mark: str) -> str:
    """Return the menu file beside the UEFI program, which finds the medium and its real menu.

    The firmware loads the program from a small FAT partition. The rest is on the disk that has the
    partition, or, where somebody has copied all files to a stick of their own, beside it. Other
    media of this kind may be plugged in, with another configuration: they are looked at last.

    Args:
        mark: The path of a file that only media of this very build have.
    """
    return f"""\
regexp --set=1:disk '^([^,]+)' "$root"
if [ -f "($root){mark}" ]; then
    true
elif [ -f "($disk){mark}" ]; then
    root="$disk"
else
    search --no-floppy --set=root --file {mark}
fi
configfile "($root)/boot/grub/grub.cfg"
echo "The files of this medium cannot be read: write it anew."
sleep 60
"""


def menu(arch: str, version: str) -> str:
    """Return the menu.

    Args:
        arch: The architecture, amd64 or arm64.
        version: That of the image; it is shown.
    """
    return "\n".join((
        "set default=0",
        "set timeout=2  # seconds: long enough to press a key, and paid at each start",
        "set timeout_style=menu",
        _PAYLOAD,
        _entry(f"dc worker {version}", "worker", kernel_line.normal(arch)),
        _entry("dc worker, the serial port first", "serial", kernel_line.serial(arch)),
        _entry("dc worker, shows all that happens", "verbose", kernel_line.verbose(arch)),
        _CHANGE,
        _FIRMWARE,
        "menuentry 'Start this computer again' --id reboot {\n    reboot\n}",
        "menuentry 'Turn this computer off' --id halt {\n    halt\n}",
        "",
    ))  # fmt: skip


# A kernel started by a BIOS keeps to the text mode that each graphics card has; UEFI has none, so
# it keeps what the firmware has set.
_PAYLOAD = 'if [ "$grub_platform" = efi ]; then set gfxpayload=keep; else set gfxpayload=text; fi'


def _entry(title: str, name: str, line: str) -> str:
    return f"""\
menuentry '{title}' --id {name} {{
    echo "Reading the medium into memory..."
    linux /boot/vmlinuz {line}
    initrd /boot/dcconf.cpio /boot/initrd.img
}}"""


_CHANGE = """\
menuentry 'How to tell it where the server is' --id how {
    echo "Best once for all, on the computer that this medium was made on:"
    echo "    python -m dc os-image configure IMAGE --invite CODE"
    echo
    echo "Or for one start: press e on the first line of the menu, go to the end of"
    echo "the line that begins with linux, add a blank and words such as"
    echo "    dc.server=192.168.1.5:8220"
    echo "    dc.invite=dc1-...      dc.slots=2           dc.name=attic"
    echo "    dc.ip=192.168.1.7/24   dc.gw=192.168.1.1    dc.dns=192.168.1.1"
    echo "and press F10 or Ctrl-x. The keyboard is an American one here."
    echo
    echo "Press Enter to go back."
    read answer
}"""

_FIRMWARE = """\
if [ "$grub_platform" = efi ]; then
    menuentry 'Settings of the firmware (UEFI)' --id firmware {
        fwsetup
    }
fi"""
