"""All readers: the built-in ones and plug-ins; and the one that reads a given file."""

from __future__ import annotations

from importlib import metadata

from cslog import limits
from cslog.errors import ReadError, UsageError
from cslog.readers import refusals
from cslog.readers.base import Reader
from cslog.readers.head import Head

ENTRY_POINTS = "cslog.readers"
"""Entry-point group of plug-ins; each names a Reader class without arguments, or an instance."""


def builtin_readers() -> list[Reader]:
    """One instance of every reader that cslog ships, in the order of the format notes."""
    from cslog.readers.message_table import MessageTable
    from cslog.readers.qn_copy import QnCopy
    from cslog.readers.qn_txt import QnTxt
    from cslog.readers.tb_orders import TbOrders
    from cslog.readers.ww_txt_old import WwTxtOld

    return [QnTxt(), WwTxtOld(), QnCopy(), MessageTable(), TbOrders()]


def plugin_readers() -> list[Reader]:
    """Readers of installed packages. Raises UsageError when one cannot be loaded."""
    readers: list[Reader] = []
    for point in sorted(metadata.entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            loaded = point.load()
            readers.append(loaded() if isinstance(loaded, type) else loaded)
        except Exception as error:  # whatever foreign code raises must name its package
            package = point.dist.name if point.dist else point.value
            raise UsageError(
                f"reader {point.name} of package {package} cannot be loaded: {type(error).__name__}",
                f"update or uninstall {package}",
            ) from error
    return readers


def all_readers() -> list[Reader]:
    """Built-in readers and plug-ins."""
    return [*builtin_readers(), *plugin_readers()]


def reader_by_id(reader_id: str) -> Reader:
    """The reader named by ``--reader``. Raises UsageError that lists the ids."""
    readers = all_readers()
    for reader in readers:
        if reader.id == reader_id:
            return reader
    ids = ", ".join(reader.id for reader in readers)
    hint = "give --mapping FILE.toml instead" if reader_id == "mapping" else f"choose one of {ids}"
    raise UsageError(f"there is no reader {reader_id}", hint)


def identify(head: Head, readers: list[Reader]) -> Reader:
    """The one reader of the file. Raises ReadError when it is refused, unknown, ambiguous, or too large to read.

    A single reader in ``readers`` was chosen by the user; then nothing but its own sign counts.
    """
    found = _identified(head, readers)
    if (line := head.overlong_line()) is not None:
        raise ReadError(
            f"{head.path}, line {line}: is longer than {limits.shown(limits.LINE_BYTES)}, which no message is",
            "export it again, or take the line out",
        )
    return found


def _identified(head: Head, readers: list[Reader]) -> Reader:
    if len(readers) == 1:
        if readers[0].identify(head):
            return readers[0]
        raise refusals.refusal(head) or ReadError(
            f"{head.path}: is not of the format {readers[0].id} (sign: {readers[0].sign})",
            "leave out --reader, or see `cslog readers`",
        )
    if refused := refusals.never(head):
        raise refused
    candidates = [reader for reader in readers if reader.identify(head)]
    if refused := refusals.not_yet(head):
        # Our own readers do not claim these on purpose, but some lines of a JD log look like a window copy.
        candidates = [reader for reader in candidates if not _is_builtin(reader)]
        if not candidates:
            raise refused
    if not candidates:
        raise ReadError(
            f"{head.path}: unknown format",
            "`cslog readers` lists the formats; for others give --mapping FILE.toml",
        )
    if len(candidates) > 1:
        ids = [reader.id for reader in candidates]
        raise ReadError(
            f"{head.path}: could be {' or '.join(ids)}", f"say which, for example --reader {ids[0]}"
        )
    return candidates[0]


def _is_builtin(reader: Reader) -> bool:
    return type(reader).__module__.startswith("cslog.readers.")


def is_live(reader: Reader) -> bool:
    """Whether its files may be logs to which a program adds all day: those of a mapping or a plug-in. An export is
    written once.
    """
    return reader.id == "mapping" or not _is_builtin(reader)
