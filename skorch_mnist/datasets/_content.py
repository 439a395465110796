"""Files to read: on disk, compressed, or in archives, which are unpacked only in memory."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import IO, Any

from ._cache import DatasetError

_FREE = 2**28  # bytes to which any file may unpack
_RATIO = 32  # times its size, if this is more; a CSV file of MNIST has 8
_START = 2**20  # bytes that show the format of a file; a color image as text may take 20,000
_DEEPEST = 3  # nested archives
_MOST_FILES = 2_000_000
_PACKED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
_ARCHIVES = (".gz", ".bz2", ".xz", ".tgz", ".tbz2", ".txz", ".tar", ".zip")
_IGNORED = ("__macosx", "thumbs.db", "desktop.ini")


class Budget:
    """A limit for unpacked bytes, so that a small file cannot fill the memory.

    Parameters
    ----------
    packed : int
        Bytes on disk.
    """

    def __init__(self, packed: int) -> None:
        self.packed = packed
        self.left = _FREE + _RATIO * packed

    def take(self, n_bytes: int) -> None:
        """Use some bytes; raise a DatasetError if there are not enough left."""
        self.left -= n_bytes
        if self.left < 0:
            raise DatasetError(
                f"{self.packed:,} bytes unpack to more than {_FREE + _RATIO * self.packed:,}, "
                "which may be an attempt to fill the memory. If you trust the file, unpack it, "
                "and pass its content."
            )


class _Metered(io.RawIOBase):
    """A stream of unpacked bytes that counts against a budget."""

    def __init__(self, stream: IO[bytes], budget: Budget, *others: IO[bytes]) -> None:
        self.stream, self.budget, self.others = stream, budget, others

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self.stream.read(len(buffer))
        self.budget.take(len(content))
        buffer[: len(content)] = content
        return len(content)

    def close(self) -> None:
        for stream in (self.stream, *self.others):
            stream.close()
        super().close()


class File:
    """A file on disk or in an archive.

    Attributes
    ----------
    name : str
        Path relative to the argument of the user, with slashes, for messages and recognition.
    path : str or None
        Path on disk, if the file is not compressed or in an archive.
    size : int or None
        Size in bytes, if it is known before the file is unpacked.
    """

    def __init__(
        self,
        name: str,
        budget: Budget,
        opener: Callable[[], IO[bytes]],
        path: str | None = None,
        size: int | None = None,
    ) -> None:
        self.name, self.budget, self.path, self.size = name, budget, path, size
        self._opener = opener
        self._start: bytes | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders, then the name."""
        return tuple(self.name.split("/"))

    def stream(self) -> IO[bytes]:
        """Open the file for reading from start to end."""
        return self._opener()

    def start(self) -> bytes:
        """Return the first bytes, at most a megabyte."""
        if self._start is None:
            with self.stream() as stream:
                self._start = stream.read(_START)
        return self._start

    def content(self) -> bytearray:
        """Return all bytes."""
        content = bytearray()
        with self.stream() as stream:
            while part := stream.read(_START):
                content += part
        return content

    def seekable(self) -> IO[bytes]:
        """Open the file for reading at any position."""
        if self.path:
            return open(self.path, "rb")
        return io.BytesIO(self.content())

    def unpacked(self) -> File:
        """Return the decompressed file, if this is a compressed single file."""
        file = self
        for _ in range(_DEEPEST):
            opener = next((o for m, o in _PACKED.items() if file.start().startswith(m)), None)
            if opener is None:
                break
            name = file.name
            for suffix in (".gz", ".bz2", ".xz"):
                name = name.removesuffix(suffix)
            file = File(name, self.budget, _unpacking(file, opener))
        return file


def _unpacking(file: File, opener: Callable[..., Any]) -> Callable[[], IO[bytes]]:
    def unpack() -> IO[bytes]:
        packed = file.stream()
        return io.BufferedReader(_Metered(opener(packed, "rb"), file.budget, packed), 2**16)

    return unpack


def find_files(path: str, stack: ExitStack) -> list[File]:
    """Return the file at a path, or those in a folder or an archive, in order of their names.

    Parameters
    ----------
    path : str
    stack : ExitStack
        Closes the archives, whose members are read later.
    """
    if os.path.isdir(path):
        return list(_all_expanded(files_in(path), stack, 0))
    size = os.path.getsize(path)
    if not os.path.isfile(path):
        raise DatasetError(f"{path} is neither a file nor a folder.")
    name = os.path.basename(path)
    file = File(name, Budget(size), partial(_open, path), path, size)
    return list(_expanded(file, stack, 0, of_user=True))


def files_in(folder: str) -> list[File]:
    """Return the files in a folder, without unpacking archives."""
    found = sorted(_walk(folder))
    budget = Budget(sum(size for _, _, size in found))
    return [File(name, budget, partial(_open, place), place, size) for name, place, size in found]


def _open(path: str) -> IO[bytes]:
    return open(path, "rb")


def _walk(root: str) -> Iterator[tuple[str, str, int]]:
    """Yield name, path and size of each file in a folder; links to folders are followed once."""
    seen = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [] if real in seen else [name for name in folders if _is_visible(name)]
        if real in seen:
            continue
        seen.add(real)
        inside = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        for name in filter(_is_visible, names):
            place = os.path.join(folder, name)
            with contextlib.suppress(FileNotFoundError):  # a broken link
                status = os.stat(place)
                if stat.S_ISREG(status.st_mode):
                    yield prefix + name, place, status.st_size


def _is_visible(name: str) -> bool:
    return not name.startswith((".", "__")) and name.lower() not in _IGNORED


def _expanded(file: File, stack: ExitStack, depth: int, of_user: bool = False) -> Iterator[File]:
    """Yield a file, or the files in it if it is an archive."""
    inner = file.unpacked()
    prefix = "" if of_user else f"{inner.name}/"
    if depth >= _DEEPEST:
        yield inner
    elif inner.start()[257:262] == b"ustar":
        yield from _all_expanded(_tar_members(inner, prefix), stack, depth + 1)
    elif inner.start().startswith((b"PK\x03\x04", b"PK\x05\x06")):
        archive = stack.enter_context(zipfile.ZipFile(stack.enter_context(inner.seekable())))
        if _is_format(archive):
            yield inner
        else:
            yield from _all_expanded(_zip_members(archive, inner, prefix), stack, depth + 1)
    else:
        yield inner


def _all_expanded(files: Iterable[File], stack: ExitStack, depth: int) -> Iterator[File]:
    """Yield files, and the files in archives, which are recognized by their names."""
    for file in files:
        if file.name.lower().endswith(_ARCHIVES):
            yield from _expanded(file, stack, depth)
        else:
            yield file


def _is_format(archive: zipfile.ZipFile) -> bool:
    """Whether a zip file is of another format, such as .npz, and is read as a whole."""
    names = [name for name in archive.namelist() if not name.endswith("/")]
    arrays = bool(names) and all(name.endswith(".npy") and "/" not in name for name in names)
    return arrays or any(
        name == "[Content_Types].xml" or name.endswith("data.pkl") for name in names
    )


def _checked(name: str, archive: str) -> str:
    """Return the name of a member; raise a DatasetError if it points outside of the archive."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        raise DatasetError(f"{archive} has a member {name!r}, which points outside of the archive.")
    return "/".join(parts)


def _zip_members(archive: zipfile.ZipFile, file: File, prefix: str) -> Iterator[File]:
    members = archive.infolist()
    if len(members) > _MOST_FILES:
        raise DatasetError(f"{file.name} has {len(members):,} members")
    for member in sorted(members, key=lambda member: member.filename):
        name = _checked(member.filename, file.name)
        if member.is_dir() or not all(map(_is_visible, name.split("/"))):
            continue
        if member.flag_bits & 1:
            raise DatasetError(f"{file.name} is encrypted. Unpack it, and pass the folder.")
        yield _ZipMember(prefix + name, file.budget, archive, member)


class _ZipMember(File):
    """A file in a zip archive."""

    def __init__(
        self, name: str, budget: Budget, archive: zipfile.ZipFile, member: zipfile.ZipInfo
    ) -> None:
        # Without an opener: the garbage collector would be busy with those of 60,000 members.
        self.name, self.budget, self.path, self.size = name, budget, None, None
        self._start, self._archive, self._member = None, archive, member

    def stream(self) -> IO[bytes]:
        metered = _Metered(self._archive.open(self._member), self.budget)
        return io.BufferedReader(metered, 2**16)

    def content(self) -> bytearray:
        return bytearray(self._read())

    def seekable(self) -> IO[bytes]:
        return io.BytesIO(self._read())

    def _read(self) -> bytes:
        self.budget.take(self._member.file_size)  # zipfile returns no more than that
        return self._archive.read(self._member)


def _tar_members(file: File, prefix: str) -> list[File]:
    """Read all members, because reading them later would unpack the archive again."""
    files = []
    with file.stream() as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if not member.isreg():
                continue
            name = _checked(member.name, file.name)
            if not all(map(_is_visible, name.split("/"))):
                continue
            if member.issparse():  # they claim to be larger than they are
                raise DatasetError(f"{file.name} has a sparse member, {name}, which is not read")
            content = archive.extractfile(member)
            data = content.read() if content else b""
            files.append(_in_memory(prefix + name, file.budget, data))
    return sorted(files, key=lambda member: member.name)


def _in_memory(name: str, budget: Budget, data: bytes) -> File:
    return File(name, budget, lambda: io.BytesIO(data), size=len(data))
