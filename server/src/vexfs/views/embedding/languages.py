"""Which language a file is written in, by its name and its first bytes. One table, no state."""

import re
from typing import Literal

Family = Literal["text", "markdown", "html", "code"]
"""How a language is extracted and split."""

_MARKDOWN = {"md": "markdown", "markdown": "markdown", "mdown": "markdown", "mkd": "markdown", "mdx": "markdown"}
_HTML = {"html": "html", "htm": "html", "xhtml": "html"}
_CODE = {
    "py": "python", "pyi": "python", "pyw": "python", "pyx": "cython", "pxd": "cython",
    "c": "c", "h": "c", "cc": "cpp", "cpp": "cpp", "cxx": "cpp", "hpp": "cpp", "hh": "cpp", "cu": "cuda",
    "rs": "rust", "go": "go", "java": "java", "kt": "kotlin", "kts": "kotlin", "scala": "scala", "groovy": "groovy",
    "js": "javascript", "mjs": "javascript", "cjs": "javascript", "jsx": "javascript",
    "ts": "typescript", "tsx": "typescript", "mts": "typescript", "vue": "vue", "svelte": "svelte",
    "cs": "csharp", "fs": "fsharp", "swift": "swift", "m": "objective-c", "mm": "objective-c", "dart": "dart",
    "rb": "ruby", "php": "php", "pl": "perl", "pm": "perl", "lua": "lua", "r": "r", "jl": "julia",
    "hs": "haskell", "ml": "ocaml", "mli": "ocaml", "ex": "elixir", "exs": "elixir", "erl": "erlang", "clj": "clojure",
    "el": "lisp", "lisp": "lisp", "scm": "scheme", "zig": "zig", "nim": "nim", "v": "verilog", "vhd": "vhdl",
    "sh": "shell", "bash": "shell", "zsh": "shell", "fish": "shell", "ps1": "powershell", "bat": "batch", "cmd": "batch",
    "sql": "sql", "proto": "protobuf", "graphql": "graphql", "thrift": "thrift", "tf": "terraform", "nix": "nix",
    "css": "css", "scss": "css", "less": "css", "s": "assembly", "asm": "assembly", "tcl": "tcl", "vim": "vim",
    "cmake": "cmake", "mk": "make", "gradle": "groovy", "bzl": "starlark",
}  # fmt: skip
_TEXT = {
    "txt": "text", "text": "text", "log": "text", "rst": "rst", "adoc": "asciidoc", "org": "org", "tex": "tex", "bib": "bibtex",
    "json": "json", "jsonl": "json", "yaml": "yaml", "yml": "yaml", "toml": "toml", "ini": "ini", "cfg": "ini", "conf": "ini",
    "xml": "xml", "svg": "xml", "csv": "csv", "tsv": "csv", "po": "gettext", "diff": "diff", "patch": "diff", "srt": "text",
}  # fmt: skip
_DOCUMENTS = {"pdf": "pdf", "docx": "docx"}
_NAMES = {
    "makefile": "make", "gnumakefile": "make", "dockerfile": "dockerfile", "containerfile": "dockerfile",
    "cmakelists.txt": "cmake", "rakefile": "ruby", "gemfile": "ruby", "vagrantfile": "ruby", "jenkinsfile": "groovy",
    "build": "starlark", "build.bazel": "starlark", "workspace": "starlark",
}  # fmt: skip
_BY_EXTENSION = {**_DOCUMENTS, **_TEXT, **_CODE, **_HTML, **_MARKDOWN}
_CODE_LANGUAGES = frozenset((*_CODE.values(), *_NAMES.values()))

_INTERPRETERS = {"python": "python", "sh": "shell", "bash": "shell", "zsh": "shell", "node": "javascript", "perl": "perl",
                 "ruby": "ruby", "php": "php", "lua": "lua", "tclsh": "tcl", "awk": "awk", "make": "make"}  # fmt: skip
_HTML_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL)

_PDF_START = b"%PDF-"
_ZIP_START = b"PK\x03\x04"


def language_of(name: bytes, content: bytes) -> str:
    """The language's lower-case name; "text" when nothing says more."""
    plain = name.decode("utf-8", "replace").lower()
    if plain in _NAMES:
        return _NAMES[plain]
    stem, dot, extension = plain.rpartition(".")
    if dot and stem and extension in _BY_EXTENSION:
        return _BY_EXTENSION[extension]
    return _by_content(content)


def may_be_document(name: bytes) -> bool:
    """Whether a file of that name is worth a look at its first bytes, for `document_kind`."""
    return language_of(name, b"") in ("text", "pdf", "docx")


def document_kind(language: str, head: bytes) -> str:
    """ "pdf" or "docx" when the first bytes say so, too; else empty."""
    starts = {"pdf": _PDF_START, "docx": _ZIP_START}
    return language if language in starts and head.startswith(starts[language]) else ""


def _by_content(content: bytes) -> str:
    head = content[:1024]
    if head.startswith(_PDF_START):
        return "pdf"
    if head.startswith(b"#!"):
        interpreter = _interpreter(head.split(b"\n", 1)[0])
        if interpreter in _INTERPRETERS:
            return _INTERPRETERS[interpreter]
    return "html" if _HTML_START.match(head) else "text"


def _interpreter(line: bytes) -> str:
    """The program a `#!` line names, without its version: "#!/usr/bin/env python3" is "python"."""
    words = line[2:].split()
    if words and words[0].endswith(b"/env"):
        words = [word for word in words[1:] if not word.startswith(b"-")]
    if not words:
        return ""
    return words[0].rsplit(b"/", 1)[-1].rstrip(b"0123456789.").decode("ascii", "replace")


def family_of(language: str) -> Family:
    if language in ("markdown", "html"):
        return "markdown" if language == "markdown" else "html"
    return "code" if language in _CODE_LANGUAGES or language in _INTERPRETERS.values() else "text"
