"""mapping: foreign support logs by a small TOML, and every mistake in it named by key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cslog.errors import ReadError, UsageError
from cslog.readers.base import Batch, Options
from cslog.readers.head import Head
from cslog.readers.mapping import load_mapping
from tests.readers.batches import at, rejected, rows
from tests.readers.tables import text_file, workbook

EXAMPLES = Path(__file__).parents[2] / "docs" / "mappings"


def read(mapping: Path, head: Head, options: Options | None = None) -> Batch:
    reader = load_mapping(mapping)
    assert reader.identify(head)
    return reader.read(head, options or Options()).validated("test")


Write = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Write:
    def write(content: str) -> Path:
        path = tmp_path / "mapping.toml"
        path.write_text(content, encoding="utf-8")
        return path

    return write


IRC = """\
--- Log opened Tue Sep 01 09:59:58 2026
10:00 -!- anna [~a@host] has joined #support
10:00 < xiaomei> 大家好
10:01 < anna> hello, my order is late
10:02 <+bert> hi
10:02 <@xiaomei> anna: which number?
10:03 < xiaogang> @bert 您好
10:03 < xiaogang> carl, are you there?
10:04 < xiaomei> one moment
--- Day changed Wed Sep 02 2026
00:05 < Anna> thanks
00:06 < xiaomei> bert: solved?
--- Log closed Wed Sep 02 00:10:00 2026
"""


def test_irc_example() -> None:
    batch = read(EXAMPLES / "irc.toml", text_file("support.log", IRC))
    assert rows(batch, "line", "buyer", "sender", "side", "sent_at") == [
        (3, "anna", "xiaomei", "agent", at("2026-09-01 10:00:00")),  # nobody before: the next customer
        (4, "anna", "anna", "buyer", at("2026-09-01 10:01:00")),
        (5, "bert", "bert", "buyer", at("2026-09-01 10:02:00")),
        (6, "anna", "xiaomei", "agent", at("2026-09-01 10:02:00")),
        (7, "bert", "xiaogang", "agent", at("2026-09-01 10:03:00")),
        (8, "bert", "xiaogang", "agent", at("2026-09-01 10:03:00")),  # carl is unknown: the last customer
        (9, "bert", "xiaomei", "agent", at("2026-09-01 10:04:00")),
        (11, "Anna", "Anna", "buyer", at("2026-09-02 00:05:00")),
        (12, "bert", "xiaomei", "agent", at("2026-09-02 00:06:00")),
    ]
    assert batch.shop == "某旗舰店"
    assert rejected(batch) == []


def test_irc_without_customers_is_rejected() -> None:
    log = "--- Log opened Tue Sep 01 09:59:58 2026\n10:00 < xiaomei> hello?\n"
    with pytest.raises(ReadError, match="line 2: no customer speaks near it"):
        read(EXAMPLES / "irc.toml", text_file("support.log", log))


def test_slack_example() -> None:
    table = (
        "ts,thread_ts,user,text\n"
        "1767060000.000100,1767060000.000100,anna,在吗\n"
        '1767060009.000200,1767060000.000100,mei.support,"在的,\n请说"\n'
        "1767060010.000300,1767060010.000300,mei.support,notice\n"
    )
    batch = read(EXAMPLES / "slack-csv.toml", text_file("slack.csv", table))
    assert rows(batch, "block", "buyer", "sender", "side", "sent_at", "text") == [
        (0, "anna", "anna", "buyer", at("2025-12-30 10:00:00"), "在吗"),
        (0, "anna", "mei.support", "agent", at("2025-12-30 10:00:09"), "在的,\n请说"),
    ]
    assert rejected(batch) == [(5, "its session does not tell the customer", "notice")]


def test_zendesk_example() -> None:
    table = (
        "Chat ID,Timestamp,Visitor Name,Sender Type,Sender,Message\n"
        "2409.1,2026-09-01T02:00:00Z,Anna B.,Visitor,Anna B.,hello\n"
        "2409.1,2026-09-01T02:00:01Z,Anna B.,Trigger,Greeter,Hi there\n"
        "2409.1,2026-09-01T02:00:02Z,Anna B.,System,,Mei has joined\n"
        "2409.1,2026-09-01T02:00:30Z,Anna B.,Agent,Mei,hello Anna\n"
        "2409.1,yesterday,Anna B.,Agent,Mei,bad\n"
    )
    batch = read(EXAMPLES / "zendesk-csv.toml", text_file("chats.csv", table))
    assert rows(batch, "buyer", "sender", "side", "sent_at") == [
        ("Anna B.", "Anna B.", "buyer", at("2026-09-01 10:00:00")),
        ("Anna B.", "Greeter", "robot", at("2026-09-01 10:00:01")),
        ("Anna B.", "System", "system", at("2026-09-01 10:00:02")),
        ("Anna B.", "Mei", "agent", at("2026-09-01 10:00:30")),
    ]
    assert rejected(batch) == [(6, "time is not readable", "bad")]


@pytest.mark.parametrize("name", ["irc.toml", "slack-csv.toml", "zendesk-csv.toml"])
def test_examples_are_short(name: str) -> None:
    lines = (EXAMPLES / name).read_text(encoding="utf-8").splitlines()
    assert sum(bool(line) and not line.startswith("#") for line in lines) <= 12


LINES = r"""
format = "lines"
shop = "甲店"
pattern = '\[(?P<date>\S+) (?P<time>\S+)\] (?P<buyer>\S+) (?P<role>[BA]) (?P<sender>[^:]+): (?P<text>.*)'
role = { column = "role", agent = ["A"] }
time.format = "%d.%m.%Y %H:%M:%S"
time.zone = "Asia/Tokyo"
"""


def test_lines_with_dates_zone_roles_and_continuations(written: Write) -> None:
    log = "noise\r\n[1.9.2026 11:00:05] b1 B anna: hello\r\n\r\nsecond\r\n[01.09.2026 11:00:06] b1 A mei: hi\r\n"
    batch = read(written(LINES), text_file("a.log", log))
    assert rows(batch, "line", "buyer", "sender", "side", "sent_at", "text") == [
        (2, "b1", "anna", "buyer", at("2026-09-01 10:00:05"), "hello\n\nsecond"),
        (5, "b1", "mei", "agent", at("2026-09-01 10:00:06"), "hi"),
    ]
    assert rejected(batch) == [(1, "not a message", "noise")]
    batch = read(written("continuation = false\n" + LINES), text_file("a.log", log))
    assert rows(batch, "text") == [("hello",), ("hi",)]
    assert rejected(batch) == [(1, "not a message", "noise"), (4, "not a message", "second")]


FILE_DATE = r"""
format = "lines"
pattern = '(?P<time>[\d:]+) (?P<sender>\w+)(?:>(?P<buyer>\w+))?: (?P<text>.*)'
role.agents = ["mei"]
[time]
format = "%H:%M:%S"
file_date = '(\d{8})'
file_date_format = "%Y%m%d"
"""


def test_date_from_the_file_name(written: Write) -> None:
    log = "10:00:00 anna: hi\n10:00:05 mei>anna: hello\n"
    options = Options(shop="甲店")
    batch = read(written(FILE_DATE), text_file("chat-20260901.log", log), options)
    assert rows(batch, "buyer", "sent_at") == [
        ("anna", at("2026-09-01 10:00:00")),
        ("anna", at("2026-09-01 10:00:05")),
    ]
    with pytest.raises(ReadError, match="file name holds no date"):
        read(written(FILE_DATE), text_file("chat.log", log), options)
    with pytest.raises(ReadError, match="past midnight"):
        read(
            written(FILE_DATE),
            text_file("chat-20260901.log", "23:59:00 anna: a\n00:01:00 anna: b\n"),
            options,
        )
    with pytest.raises(ReadError, match="which shop"):
        read(written(FILE_DATE), text_file("chat-20260901.log", log))


def test_workbook_with_a_shop_column_and_a_session(written: Write) -> None:
    mapping = written(
        'format = "table"\nrole = { agent_pattern = "^CS-" }\n'
        '[columns]\ntime = "At"\nsender = "Who"\ntext = "What"\nsession = "Case No"\nshop = "Store"\n'
    )
    head = workbook(
        "a.xlsx",
        {
            "cover": [["hello"]],
            "log": [
                ["Store", "case_no", "AT", "who", "what"],
                ["甲店", "1", "2026-09-01 10:00:00", "CS-1", "hi"],
                ["甲店", "1", "2026-09-01T02:00:05Z", "anna", "hello"],
            ],
        },
    )
    batch = read(mapping, head)
    assert batch.shop == "甲店"
    assert rows(batch, "buyer", "sent_at") == [
        ("anna", at("2026-09-01 10:00:00")),
        ("anna", at("2026-09-01 10:00:05")),
    ]
    assert batch.warnings == ["1 sheets without these columns were skipped"]


def test_delimiter_and_encoding(written: Write) -> None:
    mapping = written(
        'format = "table"\nshop = "s"\ndelimiter = "|"\nencoding = "big5"\nrole.agents = ["客服"]\ntime.format = "epoch_ms"\n'
        '[columns]\ntime = "t"\nsender = "s"\ntext = "x"\nbuyer = "b"\n'
    )
    batch = read(mapping, text_file("a.txt", "t|s|x|b\n1767060000123|客服|您好|b1\n", "big5"))
    assert rows(batch, "sender", "sent_at", "text") == [("客服", at("2025-12-30 10:00:00"), "您好")]
    assert batch.encoding == "big5"


def test_missing_column_is_named() -> None:
    with pytest.raises(ReadError, match="has no column Timestamp"):
        read(EXAMPLES / "zendesk-csv.toml", text_file("a.csv", "Chat ID,Message\n1,x\n"))


TABLE = 'format = "table"\nshop = "s"\nrole.agents = ["a"]\n[columns]\ntime = "t"\nsender = "s"\ntext = "x"\nbuyer = "b"\n'
PATTERN = "(?P<time>.) (?P<sender>.) (?P<buyer>.) (?P<text>.)"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (TABLE.replace("buyer", "buyr"), r"unknown field `buyr` - at `\$\.columns`"),
        (TABLE.replace("table", "tabel"), r"Invalid value 'tabel' - at `\$\.format`"),
        (TABLE.replace('text = "x"\n', ""), r"missing required field `text` - at `\$\.columns`"),
        (TABLE.replace('"t"', "1"), r"Expected `str`, got `int` - at `\$\.columns\.time`"),
        (TABLE.replace('buyer = "b"\n', ""), "columns: names neither buyer nor session"),
        (TABLE.replace('role.agents = ["a"]', "role = {}"), "role: needs exactly one of"),
        (
            TABLE.replace('role.agents = ["a"]', 'role = { agents = ["a"], agent_pattern = "b" }'),
            "role: needs exactly",
        ),
        (TABLE.replace('role.agents = ["a"]', 'role.column = "r"'), "role.agent: list the values"),
        (
            TABLE.replace('role.agents = ["a"]', 'role.agent_pattern = "("'),
            "role.agent_pattern: is no regular",
        ),
        ('conversation = "stream"\n' + TABLE, 'conversation: "stream" does not go with buyer'),
        ('time.zone = "Mars/Base"\n' + TABLE, "unknown time zone 'Mars/Base'"),
        ('time.format = "iso8601"\n' + TABLE, "time.format: iso8601 is unknown"),
        ('time.format = "%Q"\n' + TABLE, "time.format: %Q is no strptime format"),
        ('time.format = "%H:%M"\n' + TABLE, "time.format: has no date"),
        ('time.format = "%m-%d %H:%M"\n' + TABLE, "time.format: has a day but no year"),
        (
            'format = "lines"\nrole.agents = ["a"]\npattern = "(?P<time>.)"\n',
            "pattern: lacks the groups sender, text",
        ),
        (f'format = "lines"\nrole.agents = ["a"]\npattern = "{PATTERN}(?P<nick>.)"\n', "unknown groups nick"),
        (
            f'format = "lines"\nrole = {{ column = "role", agent = ["a"] }}\npattern = "{PATTERN}"\n',
            "role.column: is no",
        ),
        (
            f'format = "lines"\nrole.agents = ["a"]\npattern = "{PATTERN}"\nskip = ["("]\n',
            r"skip\[0\]: is no regular",
        ),
        ("format = ", "mapping.toml: "),
    ],
)
def test_mistakes_name_the_file_and_the_key(written: Write, content: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as caught:
        load_mapping(written(content))
    assert caught.value.hint
    assert caught.value.exit_status == 2


def test_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load_mapping(tmp_path / "none.toml")
