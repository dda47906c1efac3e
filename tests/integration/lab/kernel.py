"""Another kernel: User-mode Linux, on the files of this machine.

Debian's has what the kernel of a test machine may lack. It is booted with the
whole file system as it is; temporary files are in memory, at /mnt.
"""

import shutil
from pathlib import Path

import pytest

from .process import Process

PROGRAM = "linux.uml"
BOOTED = "== booted"
MODULES = Path("/usr/lib/uml/modules")
INIT = """\
#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/mnt TMPDIR=/mnt
mount -t proc proc /proc
mount -t tmpfs tmp /mnt
ip link set lo up
{inserts}
echo
echo "{booted}"
cd "{here}"
{commands}
busybox halt -f
"""


def run_in_kernel(scene, commands, modules=(), seconds=300):
    """What shell commands print, run by root with no network but loopback."""
    if not shutil.which(PROGRAM):
        pytest.skip("user-mode-linux is not installed")
    home = scene.directory("kernel")
    init = home / "init"
    inserts = "\n".join(f"busybox insmod {find(name)}" for name in modules)
    init.write_text(INIT.format(inserts=inserts, booted=BOOTED,
                                here=Path.cwd(), commands=commands))
    init.chmod(0o755)
    kernel = scene.own(Process(scene, [
        PROGRAM, "mem=1G", "rootfstype=hostfs", "rw", f"init={init}",
        f"uml_dir={home}", "con=null", "con0=null,fd:1"], home / "console"))
    kernel.wait(seconds)
    if BOOTED not in kernel.output():
        pytest.skip("User-mode Linux does not boot here")
    return kernel.output().split(BOOTED)[1]


def find(name):
    return next(MODULES.glob(f"*/kernel/**/{name}.ko"))
