//! Every method about files, on the real server.

use std::time::{Duration, SystemTime};

use serde_json::json;
use vexfs_client::{ErrorKind, FileKind, FileRef, Metadata, Reason, SymlinkTarget};

use crate::support::real;

#[tokio::test]
async fn a_file_is_written_read_moved_copied_and_removed() {
    let (client, directory) = real().await;
    let files = client.files();
    let path = format!("{directory}/deep/a.txt");
    let error = files.write(&path, "x").await.unwrap_err();
    assert_eq!((error.kind(), error.reason()), (ErrorKind::NotFound, Some(Reason::FileNotFound)));

    let before = SystemTime::now() - Duration::from_secs(5);
    let written = files.write(&path, "hello").make_parents(true).mode(0o600).answer().await.unwrap();
    let file = written.value;
    assert_eq!((file.path.as_str(), file.size_bytes, file.mode), (path.as_str(), 5, 0o600));
    assert_eq!((file.kind, file.revision), (FileKind::Regular, written.revision));
    assert!(file.mtime > before && file.path_bytes.is_none());
    assert_eq!(files.stat(&path).await.unwrap(), file);
    assert_eq!(files.stat(&file).await.unwrap().id, file.id, "by id");

    let patched = files.write(&path, "J").offset(0).await.unwrap();
    assert_eq!(files.read(&path).await.unwrap(), "Jello");
    assert_eq!(files.read(&path).at_revision(written.revision).await.unwrap(), "hello", "as it was");
    let error = files.write(&path, "z").if_content_revision(file.content_revision).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::ContentChanged));
    files.write(&path, "z").if_content_revision(patched.content_revision).await.unwrap();
    assert_eq!(files.write(&path, "z").if_content_revision(0).await.unwrap_err().reason(), Some(Reason::FileExists));

    let copy = format!("{directory}/b.txt");
    let copied = files.copy(&path, &copy).await.unwrap();
    assert_eq!((copied.count, copied.file.path.as_str()), (1, copy.as_str()));
    assert_eq!(files.copy(&path, &copy).no_replace(true).await.unwrap_err().reason(), Some(Reason::FileExists));
    let moved = files.move_to(&copied.file, format!("{directory}/c.txt")).await.unwrap();
    assert_eq!(moved.id, copied.file.id);
    assert_eq!(files.move_to(&moved, &path).no_replace(true).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    files.move_to(&moved, &path).exchange(true).await.unwrap();
    assert_eq!(files.stat(&path).await.unwrap().id, moved.id);

    let deep = format!("{directory}/deep");
    assert_eq!(files.remove(&deep).await.unwrap_err().reason(), Some(Reason::DirectoryNotEmpty));
    let removed = files.remove(&deep).recursive(true).answer().await.unwrap();
    assert_eq!(removed.value, 2);
    assert!(removed.revision > written.revision);
}

#[tokio::test]
async fn directories_are_made() {
    let (client, directory) = real().await;
    let files = client.files();
    let path = format!("{directory}/x/y");
    let made = files.make_directory(&path).make_parents(true).mode(0o700).await.unwrap();
    assert_eq!((made.kind, made.mode), (FileKind::Directory, 0o700));
    assert_eq!(files.make_directory(&path).make_parents(true).await.unwrap().id, made.id);
    assert_eq!(files.make_directory(&path).await.unwrap_err().reason(), Some(Reason::FileExists));
}

#[tokio::test]
async fn links_lead_where_they_should() {
    let (client, directory) = real().await;
    let files = client.files();
    let file = files.write(format!("{directory}/a"), "x").await.unwrap();
    let symlink = format!("{directory}/s");
    let made = files.symlink(&symlink, "a").await.unwrap();
    assert_eq!(made.kind, FileKind::Symlink);
    assert_eq!(files.read_symlink(&symlink).await.unwrap(), SymlinkTarget::from("a"));
    assert_eq!(files.stat(FileRef::path(&symlink).follow(true)).await.unwrap().id, file.id);
    let bytes = SymlinkTarget::Bytes((&b"\xff"[..]).into());
    files.symlink(format!("{directory}/t"), bytes.clone()).await.unwrap();
    assert_eq!(files.read_symlink(format!("{directory}/t")).await.unwrap(), bytes);
    let link = files.link(&file, format!("{directory}/l")).await.unwrap();
    assert_eq!((link.id, link.nlink), (file.id, 2));
}

#[tokio::test]
async fn a_name_that_is_not_utf8_keeps_its_bytes() {
    let (client, directory) = real().await;
    let mut path = directory.clone().into_bytes();
    path.extend_from_slice(b"/\xff\xfe");
    let made = client.files().write(FileRef::path_bytes(path.clone()), "x").await.unwrap();
    assert_eq!((made.path.as_str(), made.path_bytes.as_deref()), ("", Some(&path[..])));
    let listed = client.files().list(&directory).all().await.unwrap();
    assert_eq!(listed[0].path_bytes.as_deref(), Some(&path[..]));
}

#[tokio::test]
async fn attributes_change_one_by_one() {
    let (client, directory) = real().await;
    let files = client.files();
    let file = files.write(format!("{directory}/a"), "hello").await.unwrap();
    let time = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    let changed = files.set_attributes(&file).mode(0o640).mtime(time).size_bytes(2).await.unwrap();
    assert_eq!((changed.mode, changed.mtime, changed.size_bytes, changed.uid), (0o640, time, 2, file.uid));
    let changed = files.set_attributes(&file).uid(7).gid(8).atime(time).await.unwrap();
    assert_eq!((changed.uid, changed.gid, changed.atime, changed.mode), (7, 8, time, 0o640));
}

#[tokio::test]
async fn extended_attributes_come_and_go() {
    let (client, directory) = real().await;
    let files = client.files();
    let file = files.write(format!("{directory}/a"), "x").await.unwrap();
    files.set_xattr(&file, "user.colour", "red").create_only(true).await.unwrap();
    let error = files.set_xattr(&file, "user.colour", "blue").create_only(true).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::AttributeExists));
    let error = files.set_xattr(&file, "user.size", "1").replace_only(true).await.unwrap_err();
    assert_eq!(error.reason(), Some(Reason::AttributeNotFound));
    assert_eq!(files.get_xattr(&file, "user.colour").await.unwrap(), "red");
    assert_eq!(files.list_xattrs(&file).await.unwrap(), ["user.colour"]);
    files.remove_xattr(&file, "user.colour").await.unwrap();
    assert!(files.list_xattrs(&file).await.unwrap().is_empty());
}

#[tokio::test]
async fn metadata_is_a_json_object() {
    let (client, directory) = real().await;
    let files = client.files();
    let file = files.write(format!("{directory}/a"), "x").await.unwrap();
    assert_eq!(files.get_metadata(&file).await.unwrap(), Metadata::new());
    let value = json!({"year": 1999, "tags": ["a", null], "author": {"name": "Ü"}, "share": 0.25});
    files.set_metadata(&file, value.as_object().unwrap().clone()).await.unwrap();
    assert_eq!(serde_json::Value::Object(files.get_metadata(&file).await.unwrap()), value);
    files.set_metadata(&file, [("lang", "en")]).await.unwrap();
    assert_eq!(files.get_metadata(&file).await.unwrap()["lang"], "en");
    files.set_metadata(&file, Metadata::new()).await.unwrap();
    assert!(files.get_metadata(&file).await.unwrap().is_empty());
}
