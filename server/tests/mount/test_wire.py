"""The wire structs have the kernel's sizes: against a table, and against the kernel's header where a C compiler has it."""

import shutil
import subprocess
from pathlib import Path
from struct import Struct

import pytest

from vexfs.mount import wire

# Sizes in bytes from the kernel's ABI (Linux 6.18, protocol 7.45); the ABI only ever grows at the end.
KERNEL_SIZES = {
    "fuse_in_header": 40,
    "fuse_out_header": 16,
    "fuse_init_in": 64,
    "fuse_getattr_in": 16,
    "fuse_setattr_in": 88,
    "fuse_mknod_in": 16,
    "fuse_mkdir_in": 8,
    "fuse_rename_in": 8,
    "fuse_rename2_in": 16,
    "fuse_link_in": 8,
    "fuse_open_in": 8,
    "fuse_create_in": 16,
    "fuse_release_in": 24,
    "fuse_flush_in": 24,
    "fuse_read_in": 40,
    "fuse_write_in": 40,
    "fuse_fsync_in": 16,
    "fuse_setxattr_in": 16,
    "fuse_statx_in": 24,
    "fuse_getxattr_in": 8,
    "fuse_lk_in": 48,
    "fuse_interrupt_in": 8,
    "fuse_lseek_in": 24,
    "fuse_fallocate_in": 32,
    "fuse_copy_file_range_in": 56,
    "fuse_init_out": 64,
    "fuse_attr": 88,
    "fuse_entry_out": 128,
    "fuse_attr_out": 104,
    "fuse_statx_out": 288,
    "fuse_open_out": 16,
    "fuse_lk_out": 24,
    "fuse_write_out": 8,
    "fuse_getxattr_out": 8,
    "fuse_lseek_out": 8,
    "fuse_copy_file_range_out": 8,
    "fuse_kstatfs": 80,
    "fuse_dirent": 24,
    "fuse_notify_inval_inode_out": 24,
    "fuse_notify_inval_entry_out": 16,
    "fuse_notify_delete_out": 24,
}

#: Structs that came after protocol 7.38, whose header many machines still have.
YOUNGER = {"fuse_copy_file_range_out", "fuse_statx_in", "fuse_statx_out"}


def structs_of_the_module() -> dict[str, Struct]:
    return {name: value for name, value in vars(wire).items() if isinstance(value, Struct)}


def test_every_struct_has_the_kernels_size() -> None:
    assert {name: struct.size for name, struct in structs_of_the_module().items()} == KERNEL_SIZES


def test_the_table_agrees_with_the_installed_kernel_header(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/linux/fuse.h").exists():
        pytest.skip("needs a C compiler and linux/fuse.h; the table above was made with them")
    names = sorted(set(KERNEL_SIZES) - YOUNGER)
    lines = "".join(f'printf("{name} %zu\\n", sizeof(struct {name}));' for name in names)
    source = tmp_path / "sizes.c"
    source.write_text(f"#include <stdio.h>\n#include <linux/fuse.h>\nint main(void) {{ {lines} return 0; }}\n")
    subprocess.run([compiler, "-o", tmp_path / "sizes", source], check=True)
    output = subprocess.run([tmp_path / "sizes"], check=True, capture_output=True, text=True).stdout
    measured = {name: int(size) for name, size in (line.split() for line in output.splitlines())}
    assert measured == {name: KERNEL_SIZES[name] for name in names}


def test_opcodes_and_flags_agree_with_the_installed_kernel_header(tmp_path: Path) -> None:
    header = Path("/usr/include/linux/fuse.h")
    compiler = shutil.which("cc")
    if compiler is None or not header.exists():
        pytest.skip("needs a C compiler and linux/fuse.h")
    text = header.read_text()
    prefixes = ("FUSE_", "FATTR_", "FOPEN_")
    ours = {
        name: value
        for name, value in vars(wire).items()
        if isinstance(value, int) and name.startswith(prefixes) and name in text and "MINOR_VERSION" not in name
    }
    assert len(ours) > 60
    lines = "".join(f'printf("{name} %llu\\n", (unsigned long long)({name}));' for name in ours)
    source = tmp_path / "values.c"
    source.write_text(f"#include <stdio.h>\n#include <linux/fuse.h>\nint main(void) {{ {lines} return 0; }}\n")
    subprocess.run([compiler, "-o", tmp_path / "values", source], check=True)
    output = subprocess.run([tmp_path / "values"], check=True, capture_output=True, text=True).stdout
    assert {name: int(value) for name, value in (line.split() for line in output.splitlines())} == ours
