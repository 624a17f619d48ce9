"""Which modules of the kernel are in the image: network cards, USB, keyboards, the machine's own.

No driver for a disk is among them, so that nothing that runs here can write to the computer's own:
`FORBIDDEN` says it once more, for a module that another one would bring along. Names are as
modprobe takes them, a dash and an underscore being the same. A module that a kernel does not have
is left out.
"""

from __future__ import annotations

from typing import Final


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CARDS: Final = _names(
    """
    e1000 e1000e igb igbvf igc ixgbe ixgbevf i40e iavf r8169 8139too 8139cp tg3 bnx2 bnxt_en
    alx atl1 atl1c atl1e atl2 atlantic forcedeth sky2 skge pcnet32 tulip de2104x dmfe uli526x
    via_rhine via_velocity jme 3c59x e100 sis900 sis190 ne2k_pci natsemi epic100 sundance dl2k
    be2net amd_xgbe starfire typhoon qla3xxx
    """
)
"""Of computers one may find: those of data centres (mlx5, ice, qed, cxgb4, bnx2x) are large."""

PHYSICAL: Final = _names(
    """
    realtek aquantia broadcom marvell microchip smsc icplus lxt davicom qsemi cicada vitesse
    national et1011c ax88796b micrel mscc dp83822 dp83848 dp83867 dp83869 dp83tc811 at803x
    intel_xway motorcomm bcm7xxx marvell10g
    """
)
"""The chips behind cards that drive the cable."""

VIRTUAL: Final = _names(
    """
    virtio_net virtio_pci virtio_rng virtio_balloon virtio_console virtio_mmio vmxnet3 hv_netvsc
    hyperv_keyboard hv_utils hv_balloon xen_netfront ena gve qemu_fw_cfg
    """
)

USB: Final = _names(
    """
    xhci_pci ehci_pci ohci_pci uhci_hcd
    r8152 ax88179_178a asix cdc_ether cdc_ncm rndis_host smsc95xx smsc75xx lan78xx aqc111 sr9700
    sr9800 dm9601 mcs7830 pegasus rtl8150 cdc_eem kaweth catc
    """
)
"""Host controllers, and cards that are plugged in."""

KEYBOARDS: Final = _names(
    """
    usbhid hid_generic hid_apple hid_cherry hid_microsoft hid_logitech hid_lenovo i2c_hid_acpi
    """
)

MACHINE: Final = _names(
    """
    button evdev thermal fan processor acpi_cpufreq i6300esb iTCO_wdt iTCO_vendor_support
    sp5100_tco wdat_wdt hpwdt softdog efivarfs i2c_i801 i2c_piix4 vmgenid af_packet pci_hyperv
    xhci_plat_hcd gpio_keys
    """
)

ARM: Final = _names(
    """
    fsl_enetc xgene_enet hns hns_enet_drv hns3 thunder_bgx nicpf nicvf netsec macb bcmgenet genet
    dwmac_generic stmmac_platform mvneta mvpp2 mdio_bcm_unimac hibmcge smc91x smsc911x
    broadcom bcm_phy_lib marvell mdio_thunder mdio_xgene sbsa_gwdt bcm2835_wdt
    gpio_pl061 gpio_dwapb gpio_keys i2c_hid_acpi
    """
)
"""Of the computers with UEFI on which Debian's kernel for ARM starts."""

MOUNTING: Final = ("loop", "squashfs", "overlay")
"""What the first program needs to reach the image's files; these are in the initrd itself."""

COMMON: Final = (*CARDS, *PHYSICAL, *VIRTUAL, *USB, *KEYBOARDS, *MACHINE, *MOUNTING)

ROOTS: Final = {"amd64": COMMON, "arm64": (*COMMON, *ARM)}
"""All that are asked for, for each kind of computer."""

FORBIDDEN: Final = _names(
    """
    ata libata ahci nvme nvme_core sd_mod sr_mod scsi_mod usb_storage uas mmc_block mmc_core sdhci
    virtio_blk virtio_scsi xen_blkfront hv_storvsc vmw_pvscsi floppy md_mod dm_mod ext4 btrfs xfs
    vfat fat exfat ntfs3 iscsi_tcp nbd
    """
)
"""Drivers of disks, and file systems on them."""

UNPACKED: Final = (
    "./boot/vmlinuz-*",
    "./lib/modules/*/modules.builtin*",
    "./lib/modules/*/modules.order",
    "./lib/modules/*/kernel/*",
    "./usr/share/doc/*/copyright",
)

NOT_UNPACKED: Final = tuple(
    f"./lib/modules/*/kernel/{name}/*"
    for name in (
        *("sound", "drivers/gpu", "drivers/media", "drivers/staging", "drivers/infiniband"),
        *("drivers/net/wireless", "drivers/scsi", "drivers/ata", "drivers/md", "drivers/iio"),
        *("fs/btrfs", "fs/xfs", "fs/ext4", "fs/ocfs2", "fs/ceph", "fs/nfs", "fs/nfsd"),
    )
)
"""Folders of which nothing is wanted: unpacking half of a kernel's modules takes half the time."""
