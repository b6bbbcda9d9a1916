"""What the server can do wrong with files: lists, names, content and attributes.

A part of `server_mutants.py`, which says how they are used.
"""

from planting import everywhere

_LIST_ENTRIES = '_LIST = "SELECT d.name, n.* FROM dentry d JOIN node n ON n.ino=d.ino WHERE d.parent=? AND d.name>?'

LISTS = {
    "a-list-ends-after-its-first-page": everywhere(
        "api/methods/files.py",
        "response.next_page_token = messages.page_token(entries[shown - 1].name)",
        "pass",
        "the pages after the first are not told of",
        "ListFiles/pages",
        "ListFiles/all-items-in-small-steps",
    ),
    "a-page-token-is-ignored": everywhere(
        "api/methods/files.py",
        "after = messages.page_position(request.page_token)",
        'after = b""',
        "every page is the first",
        "ListFiles/pages",
    ),
    "a-page-token-of-nobody-is-taken": everywhere(
        "api/methods/messages.py",
        'raise MalformedRequest("page_token is not one that this server gave") from None',
        'return b""',
        "a page token that it never gave is taken for none",
        "ListFiles/a-page-token-that-is-none",
    ),
    "a-page-skips-points": everywhere(
        "api/methods/points.py",
        "last = entry.name",
        "last = page[-1].name",
        "the next page begins too far down when something that is no point has moved it",
        "Points/listed-past-what-is-no-point",
    ),
    "a-page-begins-with-the-last-of-the-one-before": everywhere(
        "api/methods/collections.py",
        "page = [collection for collection in declared if collection.ino > after]",
        "page = [collection for collection in declared if collection.ino >= after]",
        "a collection is answered on two pages",
        "Collections/listed-in-pages",
    ),
    "names-are-not-in-byte-order": everywhere(
        "store/dentries.py",
        f'{_LIST_ENTRIES} ORDER BY d.name LIMIT ?"',
        f'{_LIST_ENTRIES} ORDER BY n.ino LIMIT ?"',
        "entries are listed in the order in which they were made",
        "ListFiles/byte-order",
    ),
}

FILES = {
    "no-replace-replaces": everywhere(
        "core/files.py", "if no_replace:", "if False:", "`no_replace` replaces", "MoveFile/nothing-is-replaced-if-asked"
    ),
    "exchange-moves": everywhere(
        "core/files.py", "if exchange:", "if False:", "`exchange` replaces instead of exchanging", "MoveFile/exchanged"
    ),
    "a-directory-moves-into-itself": everywhere(
        "core/files.py",
        "if node.is_directory and _is_below(txn, new_parent, node.ino):",
        "if node.ino == new_parent:",
        "a directory can be moved deep below itself, where nothing leads to it any more",
        "MoveFile/a-directory-deep-into-itself",
    ),
    "a-move-takes-vectors-where-they-do-not-fit": everywhere(
        "core/files.py",
        "collections.check_new_parent(txn, node, new_parent)",
        "pass",
        "a point can be moved into a collection of another dimension",
        "MoveFile/a-point-into-a-collection-it-does-not-fit",
    ),
    "a-directory-with-entries-is-removed": everywhere(
        "core/files.py",
        "if not dentries.is_empty(txn, node.ino):",
        "if False:",
        "a directory with entries is removed without being asked to be",
        "RemoveFile/a-directory-with-entries",
        "MoveFile/a-directory-over-one-with-entries",
    ),
    "copying-is-always-recursive": everywhere(
        "core/trees.py",
        "if not self._recursive:",
        "if False:",
        "a directory is copied with everything below it without being asked to be",
        "CopyFile/a-directory-without-recursive",
    ),
    "a-copy-has-no-metadata": everywhere(
        "core/trees.py",
        "attributes.set_metadata(txn, target, metadata)",
        "pass",
        "a copy comes without metadata",
        "CopyFile/metadata-and-extended-attributes",
    ),
    "sticky-bits-are-not-told": everywhere(
        "api/methods/messages.py",
        "mode=stat.S_IMODE(node.mode),",
        "mode=node.mode & 0o777,",
        "set-id and sticky bits are not told",
        "MakeDirectory/with-a-mode",
        "Attributes/mode",
    ),
    "a-hard-link-is-not-counted": everywhere(
        "core/files.py",
        "linked = node.with_links_changed(txn.now_ns, txn.revision, 1)",
        "linked = node.with_links_changed(txn.now_ns, txn.revision, 0)",
        "a file does not count a name that is added",
        "Links/a-hard-link",
    ),
}

CONTENT = {
    "a-quota-is-ignored": everywhere(
        "core/quotas.py",
        "if growth > used.free_bytes:",
        "if growth > used.free_bytes + used.bytes:",
        "what a volume holds already does not count against its quota",
        "Quota/beside-what-is-there",
    ),
    "a-condition-on-the-content-is-ignored": everywhere(
        "api/methods/content.py",
        "_check_condition(found.node, condition)",
        "pass",
        "`if_content_revision` does not keep a write from content that has changed",
        "Content/only-unchanged-content",
        "Content/only-a-new-file",
    ),
    "a-range-goes-to-the-end": everywhere(
        "api/methods/content.py",
        "return min(wanted, there) if wanted else there",
        "return there",
        "`length` is ignored",
        "Content/a-range",
        "Content/a-range-as-a-stream",
    ),
    "a-stream-ends-after-its-first-piece": everywhere(
        "api/methods/content.py",
        "while offset < end:",
        "while False:",
        "of large content only the first piece is read, and no error says so",
        "Content/large-whole",
    ),
    "a-write-in-the-middle-cuts-the-rest": everywhere(
        "core/content.py",
        "size_bytes = max(node.size_bytes, prepared.end_bytes)",
        "size_bytes = prepared.end_bytes",
        "what lies behind a write with an offset is lost",
        "Content/written-over-in-the-middle",
        "Content/offset-zero-is-an-offset",
    ),
    "what-was-cut-off-comes-back": everywhere(
        "core/content.py",
        "if size_bytes < node.size_bytes:",
        "if False:",
        "a file that is cut and then grows shows its old bytes again instead of zeros",
        "Attributes/cut-off-and-filled-up",
    ),
    "what-was-replaced-comes-back": everywhere(
        "core/content.py",
        "rows.clear(txn, ino, 0, born=txn.revision)",
        "pass",
        "a shorter content that then grows shows the bytes of the longer one before it",
        "Content/replaced-and-filled-up",
    ),
}

ATTRIBUTES = {
    "create-only-replaces": everywhere(
        "core/attributes.py",
        "if create and exists:",
        "if False:",
        "`create_only` replaces an extended attribute",
        "Attributes/extended-create-only",
    ),
    "replace-only-creates": everywhere(
        "core/attributes.py",
        "if replace and not exists:",
        "if False:",
        "`replace_only` makes an extended attribute",
        "Attributes/extended-replace-only",
    ),
    "metadata-has-no-limit": everywhere(
        "core/attributes.py",
        "if len(json) > METADATA_MAX_BYTES:",
        "if False:",
        "metadata of any size is taken",
        "Attributes/metadata-too-large",
        "Points/metadata-too-large",
    ),
}
