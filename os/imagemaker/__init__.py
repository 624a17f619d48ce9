"""Makes the image that computers boot to be workers: kernel, initrd and ISO, from locked parts."""
