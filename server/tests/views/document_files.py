"""Documents for tests, made here: PDF and docx, whole, encrypted, damaged and hostile."""

import io
import zipfile
import zlib
from collections.abc import Sequence

NAMESPACE = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(*pages: str, compressed: bool = True) -> bytes:
    """A PDF with a page for each text, a line of it for each line."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, text in enumerate(pages):
        lines = [line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in text.splitlines()]
        shown = "".join(f"({line}) Tj 0 -14 Td " for line in lines)
        stream = f"BT /F1 12 Tf 72 720 Td {shown}ET".encode("cp1252")
        resources = "/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 612 792]"
        objects.append(f"<< /Type /Page /Parent 2 0 R {resources} /Contents {5 + 2 * number} 0 R >>".encode())
        objects.append(stream_object(stream, compressed=compressed))
    return assembled(objects)


def stream_object(data: bytes, *, compressed: bool) -> bytes:
    kind = b" /Filter /FlateDecode" if compressed else b""
    data = zlib.compress(data, 9) if compressed else data
    return b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(data), kind, data)


def assembled(objects: Sequence[bytes], trailer: bytes = b"/Root 1 0 R") -> bytes:
    """The objects, numbered from 1, with a table of where they are."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, trailer, start)
    return bytes(out)


def encrypted_pdf(password: str) -> bytes:
    import pypdf

    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf("secret words")))
    writer.encrypt(user_password=password, owner_password="owner", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def pdf_whose_table_goes_in_circles() -> bytes:
    whole = pdf("round and round")
    start = whole.rindex(b"xref\n0")
    return whole.replace(b"/Root 1 0 R", b"/Root 1 0 R /Prev %d" % start)


def pdf_whose_pages_go_in_circles() -> bytes:
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 /Parent 2 0 R >>"]
    return assembled(objects)


def pdf_bomb(unpacked_mib: int) -> bytes:
    """A small file whose one page unpacks to so much."""
    packer = zlib.compressobj(9)
    data = b"".join([*(packer.compress(b"(x) Tj " * 149_797) for _ in range(unpacked_mib)), packer.flush()])
    stream = b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(data), data)
    page = b"<< /Type /Page /Parent 2 0 R /Resources << >> /MediaBox [0 0 9 9] /Contents 4 0 R >>"
    return assembled([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page, stream])


def slow_pdf(pages: int) -> bytes:
    """A small file of many pages that are all the same stream of blanks, which takes a good part of a second each."""
    stream = stream_object(b"BT /F1 12 Tf ( ) Tj ET " * 10_000, compressed=True)
    resources = "/Resources << /Font << /F1 3 0 R >> >> /MediaBox [0 0 612 792]"
    page = f"<< /Type /Page /Parent 2 0 R {resources} /Contents 4 0 R >>".encode()
    kids = " ".join(f"{5 + number} 0 R" for number in range(pages))
    catalog = b"<< /Type /Catalog /Pages 2 0 R >>"
    tree = f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>".encode()
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    return assembled([catalog, tree, font, stream, *([page] * pages)])


def docx(*paragraphs: str | tuple[str, str], body: str = "", before: str = "", **parts: str) -> bytes:
    """A Word document; a paragraph with a style is a pair of both. `body` is XML after them, `before` stands before all."""

    def paragraph(given: str | tuple[str, str]) -> str:
        text, style = given if isinstance(given, tuple) else (given, "")
        properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
        return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"

    inside = "".join(map(paragraph, paragraphs)) + body
    root = f'<w:document xmlns:w="{NAMESPACE}"><w:body>{inside}</w:body></w:document>'
    document = f'<?xml version="1.0" encoding="UTF-8"?>{before}{root}'
    return zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": document} | parts)


def zipped(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def docx_bomb(unpacked_mib: int) -> bytes:
    """A small file whose text unpacks to so much."""
    out = io.BytesIO()
    begin = f'<w:document xmlns:w="{NAMESPACE}"><w:body><w:p><w:r><w:t>'
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        part = archive.open("word/document.xml", "w")
        part.write(begin.encode())
        for _ in range(unpacked_mib):
            part.write(b"x" * (1 << 20))
        part.write(b"</w:t></w:r></w:p></w:body></w:document>")
        part.close()
    return out.getvalue()
