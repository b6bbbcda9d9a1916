"""The FUSE protocol as bytes: every struct, flag and opcode VexFS uses, named as in the kernel's include/uapi/linux/fuse.h.

Used by the rest of `vexfs.mount`, and the only module that knows a layout. Structs are little-endian with explicit padding
(`x`); a test holds their sizes against the kernel's. Times are signed where the kernel reads them so (before 1970). Constants
only, no state.
"""

from struct import Struct

FUSE_KERNEL_VERSION = 7
FUSE_KERNEL_MINOR_VERSION = 45
"""The newest protocol these structs follow; the kernel and VexFS use the smaller of both."""
FUSE_MINOR_OLDEST = 31
"""The oldest protocol served: Linux 5.4."""
FUSE_ROOT_ID = 1

# -- headers -----------------------------------------------------------------------------------------

fuse_in_header = Struct("<IIQQIII4x")
"""len, opcode, unique, nodeid, uid, gid, pid"""
fuse_out_header = Struct("<IiQ")
"""len, error, unique"""

# -- what the kernel sends ---------------------------------------------------------------------------

fuse_init_in = Struct("<IIIII44x")
"""major, minor, max_readahead, flags, flags2"""
FUSE_COMPAT_INIT_IN_SIZE = 16
"""Before 7.36 flags2 is not sent."""
fuse_getattr_in = Struct("<I4xQ")
"""getattr_flags, fh"""
fuse_setattr_in = Struct("<I4xQQQqqqIIIIIII4x")
"""valid, fh, size, lock_owner, atime, mtime, ctime, atimensec, mtimensec, ctimensec, mode, unused, uid, gid"""
fuse_mknod_in = Struct("<III4x")
"""mode, rdev, umask"""
fuse_mkdir_in = Struct("<II")
"""mode, umask"""
fuse_rename_in = Struct("<Q")
"""newdir"""
fuse_rename2_in = Struct("<QI4x")
"""newdir, flags"""
fuse_link_in = Struct("<Q")
"""oldnodeid"""
fuse_open_in = Struct("<II")
"""flags, open_flags"""
fuse_create_in = Struct("<IIII")
"""flags, mode, umask, open_flags"""
fuse_release_in = Struct("<QIIQ")
"""fh, flags, release_flags, lock_owner"""
fuse_flush_in = Struct("<Q8xQ")
"""fh, lock_owner"""
fuse_read_in = Struct("<QQIIQI4x")
"""fh, offset, size, read_flags, lock_owner, flags"""
fuse_write_in = Struct("<QQIIQI4x")
"""fh, offset, size, write_flags, lock_owner, flags"""
fuse_fsync_in = Struct("<QI4x")
"""fh, fsync_flags"""
fuse_setxattr_in = Struct("<III4x")
"""size, flags, setxattr_flags"""
FUSE_COMPAT_SETXATTR_IN_SIZE = 8
"""Without FUSE_SETXATTR_EXT setxattr_flags is not sent."""
fuse_statx_in = Struct("<I4xQII")
"""getattr_flags, fh, sx_flags, sx_mask"""
fuse_getxattr_in = Struct("<I4x")
"""size"""
fuse_lk_in = Struct("<QQQQIII4x")
"""fh, owner, then struct fuse_file_lock (start, end, type, pid), lk_flags; the end is included"""
fuse_interrupt_in = Struct("<Q")
"""unique"""
fuse_lseek_in = Struct("<QQI4x")
"""fh, offset, whence"""
fuse_fallocate_in = Struct("<QQQI4x")
"""fh, offset, length, mode"""
fuse_copy_file_range_in = Struct("<QQQQQQQ")
"""fh_in, off_in, nodeid_out, fh_out, off_out, len, flags; of FUSE_COPY_FILE_RANGE and FUSE_COPY_FILE_RANGE_64"""

# -- what VexFS answers ------------------------------------------------------------------------------

fuse_init_out = Struct("<IIIIHHIIHHIIH22x")
"""major, minor, max_readahead, flags, max_background, congestion_threshold, max_write, time_gran, max_pages, map_alignment,
flags2, max_stack_depth, request_timeout"""
_ATTR = "QQQqqqIIIIIIIIII"
fuse_attr = Struct("<" + _ATTR)
"""ino, size, blocks, atime, mtime, ctime, atimensec, mtimensec, ctimensec, mode, nlink, uid, gid, rdev, blksize, flags"""
fuse_entry_out = Struct("<QQQQII" + _ATTR)
"""nodeid, generation, entry_valid, attr_valid, entry_valid_nsec, attr_valid_nsec, then fuse_attr"""
fuse_attr_out = Struct("<QI4x" + _ATTR)
"""attr_valid, attr_valid_nsec, then fuse_attr"""
fuse_statx_out = Struct("<QII16x" + "IIQIIIH2xQQQQ" + "qI4x" * 4 + "IIII112x")
"""attr_valid, attr_valid_nsec, flags, then struct fuse_statx: mask, blksize, attributes, nlink, uid, gid, mode, ino, size,
blocks, attributes_mask, atime, btime, ctime and mtime (seconds and nanoseconds each), rdev_major, rdev_minor, dev_major,
dev_minor"""
fuse_open_out = Struct("<QI4x")
"""fh, open_flags"""
fuse_lk_out = Struct("<QQII")
"""start, end, type, pid"""
fuse_write_out = Struct("<I4x")
"""size"""
fuse_getxattr_out = Struct("<I4x")
"""size"""
fuse_lseek_out = Struct("<Q")
"""offset"""
fuse_copy_file_range_out = Struct("<Q")
"""bytes_copied; the answer to FUSE_COPY_FILE_RANGE is a fuse_write_out"""
fuse_kstatfs = Struct("<QQQQQIII4x24x")
"""blocks, bfree, bavail, files, ffree, bsize, namelen, frsize"""
fuse_dirent = Struct("<QQII")
"""ino, off, namelen, type; the name follows, padded to 8 bytes"""

# -- notifications -----------------------------------------------------------------------------------

fuse_notify_inval_inode_out = Struct("<Qqq")
"""ino, off, len: off < 0 drops attributes only, len 0 drops the content to its end"""
fuse_notify_inval_entry_out = Struct("<QII")
"""parent, namelen, flags; the name and a NUL follow"""
fuse_notify_delete_out = Struct("<QQI4x")
"""parent, child, namelen; the name and a NUL follow"""

FUSE_NOTIFY_INVAL_INODE = 2
FUSE_NOTIFY_INVAL_ENTRY = 3
FUSE_NOTIFY_DELETE = 6
FUSE_NOTIFY_INC_EPOCH = 8
FUSE_MINOR_INC_EPOCH = 44
"""From this protocol on the kernel understands FUSE_NOTIFY_INC_EPOCH: every cached name is looked up again."""

# -- opcodes -----------------------------------------------------------------------------------------

FUSE_LOOKUP = 1
FUSE_FORGET = 2
FUSE_GETATTR = 3
FUSE_SETATTR = 4
FUSE_READLINK = 5
FUSE_SYMLINK = 6
FUSE_MKNOD = 8
FUSE_MKDIR = 9
FUSE_UNLINK = 10
FUSE_RMDIR = 11
FUSE_RENAME = 12
FUSE_LINK = 13
FUSE_OPEN = 14
FUSE_READ = 15
FUSE_WRITE = 16
FUSE_STATFS = 17
FUSE_RELEASE = 18
FUSE_FSYNC = 20
FUSE_SETXATTR = 21
FUSE_GETXATTR = 22
FUSE_LISTXATTR = 23
FUSE_REMOVEXATTR = 24
FUSE_FLUSH = 25
FUSE_INIT = 26
FUSE_OPENDIR = 27
FUSE_READDIR = 28
FUSE_RELEASEDIR = 29
FUSE_FSYNCDIR = 30
FUSE_GETLK = 31
FUSE_SETLK = 32
FUSE_SETLKW = 33
FUSE_ACCESS = 34
FUSE_CREATE = 35
FUSE_INTERRUPT = 36
FUSE_DESTROY = 38
FUSE_BATCH_FORGET = 42
FUSE_FALLOCATE = 43
FUSE_READDIRPLUS = 44
FUSE_RENAME2 = 45
FUSE_LSEEK = 46
FUSE_COPY_FILE_RANGE = 47
FUSE_TMPFILE = 51
FUSE_STATX = 52
FUSE_COPY_FILE_RANGE_64 = 53

OPCODE_MAX = 64
"""Opcodes above are answered ENOSYS without a look into the table."""

# -- what a request is made of ------------------------------------------------------------------------

SHAPES = {
    FUSE_LOOKUP: (0, 1),
    FUSE_FORGET: (0, 0),
    FUSE_GETATTR: (fuse_getattr_in.size, 0),
    FUSE_SETATTR: (fuse_setattr_in.size, 0),
    FUSE_READLINK: (0, 0),
    FUSE_SYMLINK: (0, 2),
    FUSE_MKNOD: (fuse_mknod_in.size, 1),
    FUSE_MKDIR: (fuse_mkdir_in.size, 1),
    FUSE_UNLINK: (0, 1),
    FUSE_RMDIR: (0, 1),
    FUSE_RENAME: (fuse_rename_in.size, 2),
    FUSE_LINK: (fuse_link_in.size, 1),
    FUSE_OPEN: (fuse_open_in.size, 0),
    FUSE_READ: (fuse_read_in.size, 0),
    FUSE_WRITE: (fuse_write_in.size, 0),
    FUSE_STATFS: (0, 0),
    FUSE_RELEASE: (fuse_release_in.size, 0),
    FUSE_FSYNC: (fuse_fsync_in.size, 0),
    FUSE_SETXATTR: (FUSE_COMPAT_SETXATTR_IN_SIZE, 0),
    FUSE_GETXATTR: (fuse_getxattr_in.size, 1),
    FUSE_LISTXATTR: (fuse_getxattr_in.size, 0),
    FUSE_REMOVEXATTR: (0, 1),
    FUSE_FLUSH: (fuse_flush_in.size, 0),
    FUSE_OPENDIR: (fuse_open_in.size, 0),
    FUSE_READDIR: (fuse_read_in.size, 0),
    FUSE_RELEASEDIR: (fuse_release_in.size, 0),
    FUSE_FSYNCDIR: (fuse_fsync_in.size, 0),
    FUSE_GETLK: (fuse_lk_in.size, 0),
    FUSE_SETLK: (fuse_lk_in.size, 0),
    FUSE_SETLKW: (fuse_lk_in.size, 0),
    FUSE_CREATE: (fuse_create_in.size, 1),
    FUSE_INTERRUPT: (fuse_interrupt_in.size, 0),
    FUSE_DESTROY: (0, 0),
    FUSE_BATCH_FORGET: (0, 0),
    FUSE_FALLOCATE: (fuse_fallocate_in.size, 0),
    FUSE_READDIRPLUS: (fuse_read_in.size, 0),
    FUSE_RENAME2: (fuse_rename2_in.size, 2),
    FUSE_LSEEK: (fuse_lseek_in.size, 0),
    FUSE_COPY_FILE_RANGE: (fuse_copy_file_range_in.size, 0),
    FUSE_TMPFILE: (fuse_create_in.size, 0),
    FUSE_STATX: (fuse_statx_in.size, 0),
    FUSE_COPY_FILE_RANGE_64: (fuse_copy_file_range_in.size, 0),
}
"""Of the requests that are handled: bytes of the struct behind the header (nothing is read of the FORGETs), and how many names,
each ended by a NUL, follow it up to the end. Behind the struct of SETXATTR and WRITE their values come."""

# -- flags -------------------------------------------------------------------------------------------

FATTR_MODE = 1 << 0
FATTR_UID = 1 << 1
FATTR_GID = 1 << 2
FATTR_SIZE = 1 << 3
FATTR_ATIME = 1 << 4
FATTR_MTIME = 1 << 5
FATTR_FH = 1 << 6
FATTR_ATIME_NOW = 1 << 7
FATTR_MTIME_NOW = 1 << 8
FATTR_CTIME = 1 << 10
FATTR_KILL_SUIDGID = 1 << 11

FOPEN_DIRECT_IO = 1 << 0
FOPEN_KEEP_CACHE = 1 << 1
FOPEN_CACHE_DIR = 1 << 3
FOPEN_NOFLUSH = 1 << 5

FUSE_ASYNC_READ = 1 << 0
FUSE_POSIX_LOCKS = 1 << 1
FUSE_ATOMIC_O_TRUNC = 1 << 3
FUSE_BIG_WRITES = 1 << 5
FUSE_DONT_MASK = 1 << 6
FUSE_FLOCK_LOCKS = 1 << 10
FUSE_DO_READDIRPLUS = 1 << 13
FUSE_READDIRPLUS_AUTO = 1 << 14
FUSE_ASYNC_DIO = 1 << 15
FUSE_PARALLEL_DIROPS = 1 << 18
FUSE_POSIX_ACL = 1 << 20
FUSE_MAX_PAGES = 1 << 22
FUSE_CACHE_SYMLINKS = 1 << 23
FUSE_EXPLICIT_INVAL_DATA = 1 << 25
FUSE_HANDLE_KILLPRIV_V2 = 1 << 28
FUSE_SETXATTR_EXT = 1 << 29
FUSE_INIT_EXT = 1 << 30
FUSE_DIRECT_IO_ALLOW_MMAP = 1 << 36
"""Bits from 32 on travel in flags2, shifted down."""

FUSE_RELEASE_FLOCK_UNLOCK = 1 << 1
FUSE_LK_FLOCK = 1 << 0
FUSE_WRITE_CACHE = 1 << 0
FUSE_WRITE_KILL_SUIDGID = 1 << 2
FUSE_OPEN_KILL_SUIDGID = 1 << 0
FUSE_FSYNC_FDATASYNC = 1 << 0
FUSE_SETXATTR_ACL_KILL_SGID = 1 << 0

STATX_BASIC_STATS = 0x7FF
STATX_BTIME = 0x800

FALLOC_FL_KEEP_SIZE = 1 << 0
FALLOC_FL_PUNCH_HOLE = 1 << 1
FALLOC_FL_ZERO_RANGE = 1 << 4

RENAME_NOREPLACE = 1 << 0
RENAME_EXCHANGE = 1 << 1

IN_HEADER_BYTES = fuse_in_header.size
OUT_HEADER_BYTES = fuse_out_header.size
MAX_WRITE_BYTES = 1 << 20
MAX_READ_BYTES = MAX_WRITE_BYTES
"""What one READ, or READDIR, asks for at most: as many pages as were agreed on."""
READ_BUFFER_BYTES = MAX_WRITE_BYTES + 4096 + IN_HEADER_BYTES + fuse_write_in.size
"""What one request can be at most: a full WRITE, with room for its headers (the kernel wants max_write + 4 KiB)."""
