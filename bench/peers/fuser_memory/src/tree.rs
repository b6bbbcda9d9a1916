//! The files themselves: inodes in a hash map, directories as ordered maps, content as byte vectors.
//!
//! Owns no kernel types beyond `FileAttr`; knows nothing of requests and replies. One caller at a time
//! (`main.rs` holds the lock). An inode lives until it has no name and the kernel has forgotten it.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use fuser::{Errno, FileAttr, FileType, INodeNo};

const ROOT: u64 = 1;

pub enum Body {
    File(Vec<u8>),
    Directory(BTreeMap<OsString, u64>),
    Symlink(Vec<u8>),
}

pub struct Node {
    pub attr: FileAttr,
    pub body: Body,
    lookups: u64,
}

impl Node {
    fn children(&self) -> Result<&BTreeMap<OsString, u64>, Errno> {
        match &self.body {
            Body::Directory(children) => Ok(children),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn children_mut(&mut self) -> Result<&mut BTreeMap<OsString, u64>, Errno> {
        match &mut self.body {
            Body::Directory(children) => Ok(children),
            _ => Err(Errno::ENOTDIR),
        }
    }

    pub fn content(&self) -> Result<&[u8], Errno> {
        match &self.body {
            Body::File(content) => Ok(content),
            _ => Err(Errno::EISDIR),
        }
    }

    /// Sets size and block count from the content, and mtime and ctime to `now`.
    fn touch_content(&mut self, now: SystemTime) {
        if let Body::File(content) = &self.body {
            self.attr.size = content.len() as u64;
            self.attr.blocks = self.attr.size.div_ceil(512);
        }
        self.attr.mtime = now;
        self.attr.ctime = now;
    }
}

pub struct Tree {
    nodes: HashMap<u64, Node>,
    next: u64,
}

impl Tree {
    pub fn new(uid: u32, gid: u32) -> Self {
        let body = Body::Directory(BTreeMap::new());
        let root = Node { attr: attributes(ROOT, &body, 0o755, uid, gid), body, lookups: 1 };
        Tree { nodes: HashMap::from([(ROOT, root)]), next: ROOT + 1 }
    }

    pub fn get(&self, ino: u64) -> Result<&Node, Errno> {
        self.nodes.get(&ino).ok_or(Errno::ENOENT)
    }

    pub fn get_mut(&mut self, ino: u64) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&ino).ok_or(Errno::ENOENT)
    }

    pub fn count(&self) -> u64 {
        self.nodes.len() as u64
    }

    fn child(&self, parent: u64, name: &OsStr) -> Result<u64, Errno> {
        self.get(parent)?.children()?.get(name).copied().ok_or(Errno::ENOENT)
    }

    pub fn list(&self, ino: u64) -> Result<Vec<(INodeNo, FileType, OsString)>, Errno> {
        let children = self.get(ino)?.children()?;
        children.iter().map(|(name, child)| Ok((INodeNo(*child), self.get(*child)?.attr.kind, name.clone()))).collect()
    }

    /// One more lookup the kernel will forget one day; the attributes it gets.
    pub fn lookup(&mut self, parent: u64, name: &OsStr) -> Result<FileAttr, Errno> {
        let ino = self.child(parent, name)?;
        let node = self.get_mut(ino)?;
        node.lookups += 1;
        Ok(node.attr)
    }

    pub fn forget(&mut self, ino: u64, count: u64) {
        if let Some(node) = self.nodes.get_mut(&ino) {
            node.lookups = node.lookups.saturating_sub(count);
            self.drop_if_unused(ino);
        }
    }

    pub fn insert(
        &mut self,
        parent: u64,
        name: &OsStr,
        body: Body,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> Result<FileAttr, Errno> {
        let ino = self.next;
        let attr = attributes(ino, &body, mode, uid, gid);
        let directory = self.get_mut(parent)?;
        let children = directory.children_mut()?;
        if children.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        children.insert(name.to_owned(), ino);
        directory.touch_content(attr.mtime);
        if attr.kind == FileType::Directory {
            directory.attr.nlink += 1;
        }
        self.next += 1;
        self.nodes.insert(ino, Node { attr, body, lookups: 1 });
        Ok(attr)
    }

    pub fn write(&mut self, ino: u64, offset: u64, data: &[u8]) -> Result<(), Errno> {
        let node = self.get_mut(ino)?;
        let Body::File(content) = &mut node.body else {
            return Err(Errno::EISDIR);
        };
        let start = usize::try_from(offset).map_err(|_| Errno::EFBIG)?;
        let end = start.checked_add(data.len()).ok_or(Errno::EFBIG)?;
        if start == content.len() {
            content.extend_from_slice(data);
        } else {
            if content.len() < end {
                content.resize(end, 0);
            }
            content[start..end].copy_from_slice(data);
        }
        node.touch_content(SystemTime::now());
        Ok(())
    }

    pub fn truncate(&mut self, ino: u64, size: u64) -> Result<(), Errno> {
        let node = self.get_mut(ino)?;
        let Body::File(content) = &mut node.body else {
            return Err(Errno::EISDIR);
        };
        content.resize(usize::try_from(size).map_err(|_| Errno::EFBIG)?, 0);
        node.touch_content(SystemTime::now());
        Ok(())
    }

    pub fn link(&mut self, ino: u64, parent: u64, name: &OsStr) -> Result<FileAttr, Errno> {
        let now = SystemTime::now();
        let directory = self.get_mut(parent)?;
        if directory.children()?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        directory.children_mut()?.insert(name.to_owned(), ino);
        directory.touch_content(now);
        let node = self.get_mut(ino)?;
        node.attr.nlink += 1;
        node.attr.ctime = now;
        node.lookups += 1;
        Ok(node.attr)
    }

    pub fn unlink(&mut self, parent: u64, name: &OsStr) -> Result<(), Errno> {
        let ino = self.child(parent, name)?;
        if self.get(ino)?.attr.kind == FileType::Directory {
            return Err(Errno::EISDIR);
        }
        self.remove_name(parent, name)?;
        self.drop_name_of(ino);
        Ok(())
    }

    pub fn rmdir(&mut self, parent: u64, name: &OsStr) -> Result<(), Errno> {
        let ino = self.child(parent, name)?;
        if !self.get(ino)?.children()?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.remove_name(parent, name)?;
        self.get_mut(parent)?.attr.nlink -= 1;
        self.get_mut(ino)?.attr.nlink = 0;
        self.drop_if_unused(ino);
        Ok(())
    }

    pub fn rename(
        &mut self,
        parent: u64,
        name: &OsStr,
        new_parent: u64,
        new_name: &OsStr,
        no_replace: bool,
    ) -> Result<(), Errno> {
        let ino = self.child(parent, name)?;
        match self.child(new_parent, new_name) {
            Ok(replaced) if replaced == ino => return Ok(()),
            Ok(_) if no_replace => return Err(Errno::EEXIST),
            Ok(replaced) if self.get(replaced)?.attr.kind == FileType::Directory => self.rmdir(new_parent, new_name)?,
            Ok(_) => self.unlink(new_parent, new_name)?,
            Err(_) => {}
        }
        self.remove_name(parent, name)?;
        let now = SystemTime::now();
        let target = self.get_mut(new_parent)?;
        target.children_mut()?.insert(new_name.to_owned(), ino);
        target.touch_content(now);
        let node = self.get_mut(ino)?;
        node.attr.ctime = now;
        if node.attr.kind == FileType::Directory && parent != new_parent {
            self.get_mut(parent)?.attr.nlink -= 1;
            self.get_mut(new_parent)?.attr.nlink += 1;
        }
        Ok(())
    }

    fn remove_name(&mut self, parent: u64, name: &OsStr) -> Result<(), Errno> {
        let directory = self.get_mut(parent)?;
        directory.children_mut()?.remove(name);
        directory.touch_content(SystemTime::now());
        Ok(())
    }

    fn drop_name_of(&mut self, ino: u64) {
        if let Some(node) = self.nodes.get_mut(&ino) {
            node.attr.nlink -= 1;
            node.attr.ctime = SystemTime::now();
        }
        self.drop_if_unused(ino);
    }

    fn drop_if_unused(&mut self, ino: u64) {
        if self.nodes.get(&ino).is_some_and(|node| node.attr.nlink == 0 && node.lookups == 0) {
            self.nodes.remove(&ino);
        }
    }
}

fn attributes(ino: u64, body: &Body, mode: u32, uid: u32, gid: u32) -> FileAttr {
    let now = SystemTime::now();
    let (kind, size, nlink) = match body {
        Body::File(content) => (FileType::RegularFile, content.len() as u64, 1),
        Body::Directory(_) => (FileType::Directory, 0, 2),
        Body::Symlink(target) => (FileType::Symlink, target.len() as u64, 1),
    };
    FileAttr {
        ino: INodeNo(ino),
        size,
        blocks: size.div_ceil(512),
        atime: now,
        mtime: now,
        ctime: now,
        crtime: now,
        kind,
        perm: (mode & 0o7777) as u16,
        nlink,
        uid,
        gid,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}
