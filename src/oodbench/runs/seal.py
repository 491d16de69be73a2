"""A checksum of a Parquet file, inside the file.

Parquet's own page checksums leave out the pages' headers and the footer, where a flipped bit
changes values unseen. The seal is a sha256 of all other bytes of the file and stands between the
last page and the footer, a place that no reader looks at: pages are found by their offsets, the
footer from the end. So a file and its checksum are replaced at once, whatever is killed, and copied
together.
"""

import hashlib

_MARK = b"oodbench sha256:"
_SIZE = len(_MARK) + hashlib.sha256().digest_size
_TAIL = 8
"""Bytes after the footer: its length and Parquet's own mark."""


def sealed(content: bytes) -> bytes:
    """The bytes of a Parquet file with a seal.

    Args:
        content: of a file without one.
    """
    footer = _footer_start(content)
    digest = hashlib.sha256(content).digest()
    return b"".join([content[:footer], _MARK, digest, content[footer:]])


def has_seal(content: bytes) -> bool:
    """Whether the file has a seal, which files of earlier versions have not.

    Raises:
        ValueError: it has one, and of other bytes.
    """
    footer = _footer_start(content)
    start = footer - _SIZE
    if start < 0 or content[start : start + len(_MARK)] != _MARK:
        return False
    body = memoryview(content)
    digest = hashlib.sha256(body[:start])
    digest.update(body[footer:])
    if digest.digest() != content[start + len(_MARK) : footer]:
        raise ValueError("its checksum is another")
    return True


def _footer_start(content: bytes) -> int:
    length = int.from_bytes(content[-_TAIL : -_TAIL + 4], "little")
    return len(content) - _TAIL - length
