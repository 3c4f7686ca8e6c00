"""Who works when: the configuration's entries, DingTalk sheets, and what is made of them."""

from __future__ import annotations

import datetime
import io
import json

import msgspec
import polars as pl
import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from cslog import clock, config, roster, roster_sheets
from cslog.commands import app
from cslog.errors import UsageError
from cslog.readers.head import Head

DAY = clock.day_number(datetime.date(2024, 11, 1))  # a Friday
HOURS = """
[shops."店".shifts."白班"]
hours = ["09:00-12:00", "13:00-18:00"]
[shops."店".shifts."晚班"]
hours = ["17:00-01:00"]
"""


def settings(text: str, folder: object = "") -> config.Config:
    written = msgspec.toml.decode(text, type=config.Written)
    return config.Config(**msgspec.structs.asdict(written), folder=str(folder))


def duty(
    agents: str = '"小美"', shift: str = "白班", days: str = "2024-11-01 2024-11-01", more: str = ""
) -> str:
    first, last = days.split()
    return f'[[shops."店".roster]]\nagents = [{agents}]\nshift = "{shift}"\nfrom = {first}\nto = {last}\n{more}\n'


def at(text: str) -> int:
    """Wall seconds of ``1 17:00``, a day of November 2024 and a time."""
    day, time = text.split()
    hour, minute = time.split(":")
    return ((DAY + int(day) - 1) * 24 + int(hour)) * 3600 + int(minute) * 60


def shown(frame: pl.DataFrame) -> list[tuple]:
    """Rows with their instants as ``1 17:00``, counted in November."""

    def moment(second: int) -> str:
        day, rest = divmod(second, 86_400)
        return f"{day - DAY + 1} {rest // 3600:02d}:{rest // 60 % 60:02d}"

    return [(*row[:-2], moment(row[-2]), moment(row[-1])) for row in frame.drop("shop").iter_rows()]


def november(text: str, folder: object = "", last: int = 30) -> roster.Roster:
    return roster.load(settings(text, folder), DAY, DAY + last - 1)


# ---- the configuration ----------------------------------------------------------------------------


def test_an_empty_roster_has_the_columns():
    found = november("")
    assert found.ranges.schema == found.ranges.clear().schema == pl.Schema(roster.RANGES)
    assert found.shifts.schema == found.labels.schema == pl.Schema(roster.SHIFTS)
    assert found.shop_labels.schema == pl.Schema(roster.SHOP_LABELS)
    assert found.agents.schema == {"shop": pl.String, "agent": pl.String}
    full = november(HOURS + duty())
    for name in ("ranges", "shifts", "labels", "shop_labels", "agents"):
        assert getattr(full, name).schema == getattr(found, name).schema
        assert getattr(found, name).is_empty()


def test_breaks_are_left_out_of_ranges_only():
    found = november(HOURS + duty())
    assert shown(found.ranges) == [("小美", "1 09:00", "1 12:00"), ("小美", "1 13:00", "1 18:00")]
    assert shown(found.shifts) == [("小美", "白班", "1 09:00", "1 18:00")]
    assert found.labels.equals(found.shifts)


def test_past_midnight():
    found = november(HOURS + duty(shift="晚班", days="2024-10-31 2024-11-01"))
    # The shift of the day before began outside what was asked for.
    assert shown(found.shifts) == [("小美", "晚班", "1 17:00", "2 01:00")]
    night = '[shops."店".shifts."夜"]\nhours = ["20:00-24:00", "00:30-04:00"]\n'
    found = november(night + duty(shift="夜"))
    assert shown(found.ranges) == [("小美", "1 20:00", "2 00:00"), ("小美", "2 00:30", "2 04:00")]


def test_overlap_and_touching_shifts():
    both = HOURS + duty() + duty(shift="晚班")
    found = november(both)
    assert shown(found.ranges) == [("小美", "1 09:00", "1 12:00"), ("小美", "1 13:00", "2 01:00")]
    assert shown(found.labels) == [
        ("小美", "白班", "1 09:00", "1 18:00"),
        ("小美", "晚班", "1 18:00", "2 01:00"),
    ]
    split = both.replace("17:00-01:00", "18:00-01:00")
    assert shown(november(split).ranges)[1] == ("小美", "1 13:00", "2 01:00")


def test_days_weekdays_and_days_off():
    more = "weekdays = [5, 6, 7]\noff = [2024-11-03]"
    found = november(HOURS + duty(days="2024-11-01 2024-11-10", more=more))
    assert [row[2][:2].strip() for row in shown(found.shifts)] == ["1", "2", "8", "9", "10"]
    rest = november(HOURS + duty(days="2024-12-01 2024-12-31"))
    assert rest.shifts.is_empty()
    assert rest.agents.rows() == [("店", "小美")], "somebody named on another date is somebody with a roster"


def test_seasons():
    text = (
        HOURS
        + '[[shops."店".shifts."白班".seasons]]\nfrom = "10-01"\nto = "04-30"\nhours = ["09:30-18:30"]\n'
        + '[[shops."店".shifts."白班".seasons]]\nfrom = "04-30"\nto = "09-30"\nhours = ["10:00-19:00"]\n'
        + duty(days="2024-01-01 2024-12-31")
    )
    conf = settings(text)

    def begins(year: int, month: int, day: int) -> list[int]:
        number = clock.day_number(datetime.date(year, month, day))
        return [second % 86_400 for second in roster.load(conf, number, number).shifts["begin"]]

    assert begins(2024, 1, 1) == begins(2024, 12, 31) == begins(2024, 10, 1) == [9 * 3600 + 1800]
    assert begins(2024, 4, 30) == [9 * 3600 + 1800], "the first season that holds the date wins"
    assert begins(2024, 5, 1) == begins(2024, 9, 30) == [10 * 3600]
    early = settings(text.replace('"04-30"\nto = "09-30"', '"07-01"\nto = "07-31"'))
    number = clock.day_number(datetime.date(2024, 5, 1))
    assert roster.load(early, number, number).ranges.height == 2, "outside the seasons the usual hours hold"


def test_agents_are_named_as_in_the_store():
    accounts = '"小美", "店:小丽", "别名：小丽", "店", "别名"'
    found = november('[shops."店"]\naliases = ["别名"]\n' + HOURS + duty(accounts))
    assert found.agents["agent"].to_list() == ["小丽", "小美", "店"]
    assert found.shifts["agent"].to_list() == ["小丽", "小美", "店"], "each shift once"


def test_labels_of_a_shop_are_of_all_its_agents():
    found = november(HOURS + duty('"小美", "小丽"') + duty('"小明"', "晚班"))
    assert shown(found.shop_labels) == [("白班", "1 09:00", "1 18:00"), ("晚班", "1 18:00", "2 01:00")]


BROKEN = {
    "shops.\"店\".roster[1].shift: no shift '中班'; use one of: 白班, 晚班": HOURS
    + duty()
    + duty(shift="中班"),
    'shops."店".roster[0].shift: no shift \'白班\'; add shifts."白班"': duty(),
    'shops."店".roster[0]: from 2024-11-02 is after to 2024-11-01': HOURS
    + duty(days="2024-11-02 2024-11-01"),
    'shops."店".shifts."白班".hours: \'9点\' is not a time span': HOURS.replace("09:00-12:00", "9点"),
    "shifts.\"白班\".hours: '9' is not a time of day": HOURS.replace("09:00-12:00", "9-18:00"),
    "shifts.\"白班\".hours: '11:00-18:00' overlaps": HOURS.replace("13:00", "11:00"),
    'shifts."白班".hours: there are no hours': HOURS.replace('"09:00-12:00", "13:00-18:00"', ""),
    "seasons[0].from: '13-01' is not a day of the year": HOURS
    + '[[shops."店".shifts."白班".seasons]]\nfrom = "13-01"\nto = "04-30"\nhours = ["09:00-10:00"]\n',
    "seasons[0].to: 'May' is not a day of the year": HOURS
    + '[[shops."店".shifts."白班".seasons]]\nfrom = "02-29"\nto = "May"\nhours = ["09:00-10:00"]\n',
    "seasons[0].hours: '25:00' is not a time of day": HOURS
    + '[[shops."店".shifts."白班".seasons]]\nfrom = "01-01"\nto = "04-30"\nhours = ["25:00-26:00"]\n',
    'shops."店".roster_files[0]: 没有.csv: No such file': '[shops."店"]\nroster_files = ["没有.csv"]\n',
}


@pytest.mark.parametrize("said", BROKEN)
def test_mistakes_in_the_configuration(said):
    with pytest.raises(UsageError) as raised:
        november(BROKEN[said])
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.hint


# ---- by minutes -----------------------------------------------------------------------------------

SPANS = st.lists(st.integers(0, 47), min_size=2, max_size=4, unique=True).map(sorted)
ROSTERED = st.lists(
    st.tuples(st.sampled_from(["甲", "乙"]), st.sampled_from("ABC"), st.integers(0, 2), SPANS), max_size=8
)


def half_hour(number: int) -> str:
    return f"{number // 2:02d}:{number % 2 * 30:02d}"


@given(ROSTERED)
def test_every_half_hour_has_what_covers_it(given_works):
    """Ranges and labels against a look at each half hour; a shift of three bounds ends on the next day."""
    text, works = "", []
    for number, (agent, name, day, bounds) in enumerate(given_works):
        bounds = [*bounds, bounds[0]] if len(bounds) == 3 else bounds  # the last one ends tomorrow
        pairs = [tuple(bounds[place : place + 2]) for place in range(0, len(bounds), 2)]
        shift = f"{name}{number}"
        hours = ", ".join(f'"{half_hour(first)}-{half_hour(last)}"' for first, last in pairs)
        text += f'[shops."店".shifts.{shift}]\nhours = [{hours}]\n'
        date = datetime.date(2024, 11, 1 + day)
        text += duty(f'"{agent}"', shift, f"{date} {date}")
        begin = (DAY + day) * 48
        spans = [(begin + a, begin + (b if b > a else b + 48)) for a, b in pairs]
        works.append((agent, shift, spans))
    found = november(text)

    def covering(rows: list[tuple], slot: int) -> list[tuple]:
        return [row for row in rows if row[-2] <= slot * 1800 < row[-1]]

    ranges, labels, shop_labels = (
        list(f.iter_rows()) for f in (found.ranges, found.labels, found.shop_labels)
    )
    for slot in range(DAY * 48, (DAY + 5) * 48):
        whole = [
            (spans[0][0], shift, agent) for agent, shift, spans in works if spans[0][0] <= slot < spans[-1][1]
        ]
        now = {agent for agent, _, spans in works if any(begin <= slot < end for begin, end in spans)}
        assert sorted(row[1] for row in covering(ranges, slot)) == sorted(now)
        first = {agent: shift for _, shift, agent in sorted(whole, reverse=True)}  # the smallest comes last
        assert sorted(row[1:3] for row in covering(labels, slot)) == sorted(first.items())
        assert [row[1] for row in covering(shop_labels, slot)] == [entry[1] for entry in sorted(whole)[:1]]
    assert found.shifts.height == len(works)
    for frame in (found.ranges, found.shifts, found.labels):
        keys = [name for name in ("shop", "agent", "begin", "shift") if name in frame.columns]
        assert frame.equals(frame.sort(keys))


# ---- sheets ---------------------------------------------------------------------------------------

PEOPLE = '[shops."店"]\nroster_files = ["{}"]\npeople = {{ "张 三" = "小美", "李四" = "店:小丽" }}\n'
WIDE = (
    "钉钉排班表,,,,\n"
    "姓名,部门,2024-11-01 星期五,2024年11月2日,11/3\n"
    ",,五,六,日\n"
    '张三,售前,白班,"白班、\n晚班",休\n'
    "李四,售前,休息,早班 08:00-12:00/12:30-16:00,\n"
    "店:小明,售后,,,晚班(17:00～次日01:00)\n"
    "新人,售后,,,\n"
    "备注,早班八点到岗,,,好\n"
)
EXPECTED = [
    ("小丽", "早班", "2 08:00", "2 16:00"),
    ("小明", "晚班", "3 17:00", "4 01:00"),
    ("小美", "白班", "1 09:00", "1 18:00"),
    ("小美", "白班", "2 09:00", "2 18:00"),
    ("小美", "晚班", "2 17:00", "3 01:00"),
]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_a_wide_sheet_as_text(tmp_path, encoding, delimiter):
    text = WIDE.replace(",", delimiter).replace("\n", "\r\n")
    (tmp_path / "表.csv").write_bytes(text.encode(encoding))
    found = november(PEOPLE.format("表.csv") + HOURS, tmp_path)
    assert shown(found.shifts) == EXPECTED
    assert found.agents["agent"].to_list() == ["小丽", "小明", "小美"], (
        "a row without any cell rosters nobody"
    )
    assert shown(found.ranges)[:2] == [("小丽", "2 08:00", "2 12:00"), ("小丽", "2 12:30", "2 16:00")]


def workbook(*sheets: tuple[str, list[list[object]]]) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        dated = book.add_format({"num_format": "m/d"})
        for name, rows in sheets:
            page = book.add_worksheet(name)
            for line, row in enumerate(rows):
                for position, cell in enumerate(row):
                    page.write(line, position, cell, *([dated] if isinstance(cell, datetime.date) else []))
    return buffer.getvalue()


def test_a_wide_sheet_of_a_workbook(tmp_path):
    first, second = datetime.date(2024, 11, 1), datetime.date(2024, 11, 2)
    content = workbook(
        ("说明", [["请按模板填写"]]),
        ("排班", [[None, "11月排班"], [], ["姓名", "部门", first, second, 3],
            ["张三", None, "白班", "白班\n晚班"], ["李四", None, "休", "早班08:00-12:00,12:30-16:00"],
            [], ["小明", None, None, None, "晚班"]]),
    )  # fmt: skip
    (tmp_path / "2024客服.xlsx").write_bytes(content)
    assert shown(november(PEOPLE.format("2024客服.xlsx") + HOURS, tmp_path).shifts) == EXPECTED


def test_a_long_sheet(tmp_path):
    rows = [["日期", "姓名", "班次"], ["2024-11-01", "张三", "白班"], [], ["2024/11/2", "张三", "白班/晚班"],
        ["20241102", "李四", "早班 08:00-12:00 12:30-16:00"], ["2024年11月3日 星期日", "小明", "晚班"],
        ["2024-11-03", "李四", "休息"], ["2024-12-01", "王五", ""]]  # fmt: skip
    (tmp_path / "a.csv").write_text("\n".join(",".join(row) for row in rows), encoding="gbk")
    dated = [[datetime.date(2024, 11, 1) if cell == "2024-11-01" else cell for cell in row] for row in rows]
    (tmp_path / "a.xlsx").write_bytes(workbook(("Sheet1", dated)))
    for name in ("a.csv", "a.xlsx"):
        found = november(PEOPLE.format(name) + HOURS, tmp_path)
        assert shown(found.shifts) == EXPECTED
        assert found.agents["agent"].to_list() == ["小丽", "小明", "小美", "王五"]


def test_entries_and_sheets_add_up(tmp_path):
    (tmp_path / "a.csv").write_text("姓名,2024-11-01\n小美,白班\n小丽,晚班\n", encoding="utf-8")
    found = november(PEOPLE.format("a.csv") + HOURS + duty(), tmp_path)
    assert [row[:2] for row in shown(found.shifts)] == [("小丽", "晚班"), ("小美", "白班")]


def test_an_account_of_another_shop_is_passed_over(tmp_path):
    (tmp_path / "a.csv").write_text("账号,2024-11-01\n店:小美,白班\n乙店:小红,晚班\n", encoding="utf-8")
    found = november('[shops."乙店"]\n' + PEOPLE.format("a.csv") + HOURS, tmp_path)
    assert found.agents.rows() == [("店", "小美")]


def dates(text: str, name: str = "a.csv") -> list[str]:
    return [f"{entry.date}" for entry in roster_sheets.read(Head(name, text.encode()))]


@pytest.mark.parametrize(
    ("header", "title", "name"),
    [
        ("2024-11-01", "", "a.csv"),
        ("2024.11.1", "", "a.csv"),
        ("2024-11-01 00:00:00", "", "a.csv"),
        ("2024/11/1(周五)", "", "a.csv"),
        ("20241101 Fri", "", "a.csv"),
        ("11-01", "2024年排班", "a.csv"),
        ("11/1", "", "排班2024.csv"),
        ("11月1日星期五", "", "2024-10.csv"),
        ("11月1号", "", "2024年.csv"),
        ("1", "2024年11月排班表", "a.csv"),
        ("1日", "排班 2024-11-01至2024-11-30", "a.csv"),
        ("01", "", "客服排班_20241101-20241130.csv"),
        ("1号", "11月", "2024.csv"),
        ("1五", "11月1日-11月30日", "2024.csv"),
        ("1(星期五)", "", "202411.csv"),
        ("１日", "２０２４年１１月", "a.csv"),
        ("1", "制表 2024-10-28", "2024.11.csv"),
        ("1", "", "2024_11排班.csv"),
    ],
)
def test_dates_and_what_completes_them(header, title, name):
    text = f"{title}\n姓名,{header}\n小美,白班\n"
    assert dates(text, name) == ["2024-11-01"]


def test_dates_go_on_into_the_next_month():
    assert dates("2024年12月\n姓名,30,31,1,2\n小美,白,白,白,白") == [
        "2024-12-30", "2024-12-31", "2025-01-01", "2025-01-02"
    ]  # fmt: skip
    assert dates("2024年\n姓名,12/31,1/1\n小美,白,白") == ["2024-12-31", "2025-01-01"]
    assert dates("姓名,2024-11-30,1日\n小美,白,白") == ["2024-11-30", "2024-12-01"]


def test_dates_above_and_below_the_row_of_names():
    for text in (
        "2024-11\n日期,1,2\n姓名,五,六\n小美,白班,",
        "2024-11\n姓名,日期,\n,1,2\n,五,六\n小美,白班,",
    ):
        assert dates(text) == ["2024-11-01", "2024-11-02"]


@pytest.mark.parametrize(
    ("cell", "shifts"),
    [
        ("白班", [("白班", ())]),
        (" 白 班 ", [("白班", ())]),
        ("白班09:00-18:00", [("白班", ("09:00-18:00",))]),
        ("A班（9:00－18:00）", [("A班", ("9:00-18:00",))]),
        ("早 08:00~12:00", [("早", ("08:00-12:00",))]),
        ("晚 17:00-次日 01:00", [("晚", ("17:00-01:00",))]),
        ("09:00-12:00/13:00-18:00", [("09:00-12:00 13:00-18:00", ("09:00-12:00", "13:00-18:00"))]),
        ("早 09:00:00-12:00:00；晚班", [("早", ("09:00-12:00",)), ("晚班", ())]),
        ("休、晚班", [("晚班", ())]),
        ("早/晚", [("早/晚", ())]),
        *((off, []) for off in ("", " ", "休", "休 息", "空", "-", "/", "OFF", "年假")),
    ],
)
def test_cells(cell, shifts):
    known = frozenset(map(roster_sheets.key_of, ("白班", "早/晚")))
    found = [(part.name.replace(" ", "") if part.name == "白 班" else part.name, part.hours)
        for part in roster_sheets.parts(cell, known)]  # fmt: skip
    assert found == shifts


def test_a_name_that_is_spelled_otherwise_is_the_configured_shift(tmp_path):
    (tmp_path / "a.csv").write_text("姓名,2024-11-01\n小美,白 班 08:00-20:00\n小丽,ａ班\n", encoding="utf-8")
    text = HOURS + '[shops."店".shifts."A班"]\nhours = ["10:00-11:00"]\n'
    found = november(PEOPLE.format("a.csv") + text, tmp_path)
    # Hours that the configuration knows are the configuration's: the sheet's have no breaks.
    assert shown(found.shifts) == [
        ("小丽", "A班", "1 10:00", "1 11:00"),
        ("小美", "白班", "1 09:00", "1 18:00"),
    ]


WRONG = {
    'a.csv, row 2, column C (2024-11-02): no shift \'中班\'; add [shops."店".shifts."中班"]': (
        "姓名,2024-11-01,2024-11-02\n小美,白班,中班\n"
    ),
    "row 3, column C (2024-11-01): no shift '中班'": "日期,姓名,班次\n\n2024-11-01,小美,中班\n",
    "row 2, column B (2024-11-01): '25:00' is not a time of day": "姓名,2024-11-01\n小美,早班 25:00-26:00\n",
    "row 1, column B: '11-01' is a date without year; write the month": "姓名,11-01\n小美,白班\n",
    "row 1, column B: '1日' is a date without year and month": "姓名,1日\n小美,白班\n",
    "row 1, column B: '31' is not a date of 2024-11": "姓名,31\n小美,白班\n",
    "row 1, column C: a second column for 2024-11-01": "姓名,2024.11.1,2024.11.1\n小美,白班,白班\n",
    "row 2, column C: 2024-11-02 is 周六": "姓名,2024-11-01,2024-11-02\n,五,日\n小美,白班,\n",
    "row 1, column B: 2024-11-02 is 周六, the sheet says 星期五": "姓名,2024-11-02 星期五\n小美,白班\n",
    "row 3: shifts without a name in column A": "姓名,2024-11-01\n小美,白班\n,晚班\n",
    "row 2: a shift without a name": "日期,姓名,班次\n2024-11-01,,白班\n",
    "row 2: a shift without a date": "日期,姓名,班次\n,小美,白班\n",
    "row 2, column A: '明天' is not a date": "日期,姓名,班次\n明天,小美,白班\n",
    "a.csv: no row has a name": "工号,2024-11-01\n1,白班\n",
    "a quote is never closed": '姓名,2024-11-01\n小美,"白班\n',
}


@pytest.mark.parametrize("said", WRONG)
def test_mistakes_in_a_sheet(tmp_path, said):
    name = "202411.csv" if "'31'" in said else "a.csv"
    (tmp_path / name).write_text(WRONG[said], encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        november(PEOPLE.format(name) + HOURS, tmp_path)
    assert said in str(raised.value)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.hint


def test_a_mistake_in_one_of_several_sheets_names_it(tmp_path):
    good = [["姓名", "2024-11-01"], ["小美", "白班"]]
    bad = [["姓名", "2024-12-01"], ["小美", "中班"]]
    (tmp_path / "a.xlsx").write_bytes(workbook(("11月", good), ("12月", bad)))
    with pytest.raises(UsageError, match=r"a\.xlsx, sheet 12月, row 2, column B"):
        november(PEOPLE.format("a.xlsx") + HOURS, tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"%PDF-1.4", "is no table"),
        (b"", "no row has a name"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "cannot be opened"),
    ],
)
def test_what_is_no_sheet(content, said):
    with pytest.raises(UsageError, match=said):
        roster_sheets.read(Head("a", content))


def test_columns_are_named_as_spreadsheets_do():
    wide = "姓名," + ",".join(f"2024-11-{day:02d}" for day in range(1, 31)) + "\n小美" + "," * 30 + "中班"
    assert roster_sheets.read(Head("a.csv", wide.encode()))[-1].where.endswith(
        "row 2, column AE (2024-11-30)"
    )


# ---- the command ----------------------------------------------------------------------------------


@pytest.fixture
def shops(tmp_path, monkeypatch):
    """A folder with cslog.toml and a sheet of two shops, the current one."""
    (tmp_path / "排班.csv").write_text("姓名,2024-11-01,2024-11-02\n张三,白班,晚班\n", encoding="gbk")
    text = PEOPLE.format("排班.csv") + HOURS + duty('"小丽"', "白班") + '[shops."乙店".shifts."中班"]\n'
    text += 'hours = ["16:00-24:00"]\n' + duty('"小红"', "中班").replace("店", "乙店")
    (tmp_path / "cslog.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CSLOG_CONFIG", raising=False)


def typed(*words: str) -> Result:
    return CliRunner().invoke(app, ["roster", *words], env={"LANG": "C", "COLUMNS": "100"})


@pytest.mark.usefixtures("shops")
def test_the_command_lists_shifts():
    report = json.loads(typed("--month", "2024-11", "--json").stdout)
    assert report["period"] == {"from": "2024-11-01", "to": "2024-11-30"}
    assert report["rows"][0] == {
        "date": "2024-11-01",
        "weekday": "Fri 周五",
        "shop": "乙店",
        "agent": "小红",
        "shift": "中班",
        "hours": "16:00-24:00",
        "minutes": 480,
        "begin": "2024-11-01T16:00:00+08:00",
        "end": "2024-11-02T00:00:00+08:00",
    }
    rest = [(row["date"][-2:], row["agent"], row["hours"], row["minutes"]) for row in report["rows"][1:]]
    assert rest == [
        ("01", "小丽", "09:00-12:00 13:00-18:00", 480),
        ("01", "小美", "09:00-12:00 13:00-18:00", 480),
        ("02", "小美", "17:00-01:00", 480),
    ]


@pytest.mark.usefixtures("shops")
def test_the_command_shows_a_table():
    shown = typed("--day", "2024-11-01").stdout
    assert "3 shifts, 24 h 00 min" in shown
    assert " shop " in shown
    one = typed("--from", "2024-11-01", "--to", "2024-11-02", "--shop", "店", "--language", "zh").stdout
    assert one.startswith("店  2024-11-01 – 2024-11-02\n")
    lines = [line.split() for line in one.split("\n")]
    assert ["2024-11-02", "Sat", "周六", "小美", "晚班", "17:00-01:00", "480"] in lines
    assert ["日期", "星期", "客服", "班次", "时段", "排班分钟"] in lines
    table = typed("--day", "2024-11-02", "--format", "csv", "--language", "zh").stdout
    assert table.splitlines()[1] == (
        "2024-11-02,Sat 周六,店,小美,晚班,17:00-01:00,480,2024-11-02 17:00:00,2024-11-03 01:00:00"
    )


@pytest.mark.usefixtures("shops")
def test_the_command_chooses():
    rows = json.loads(typed("--month", "2024-11", "--json", "--agent", "小美", "--agent", "小红").stdout)[
        "rows"
    ]
    assert [row["agent"] for row in rows] == ["小红", "小美", "小美"]
    done = typed("--month", "2024-11", "--agent", "张三")
    assert (done.exit_code, "(no rows)" in done.stdout) == (0, True)
    assert "the roster names no 张三" in done.stderr
    assert "cslog.toml has no shop 丙店; it has: " in str(
        typed("--month", "2024-11", "--shop", "丙店").exception
    )
    assert "no period given" in str(typed().exception)


def test_the_command_without_a_roster(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CSLOG_CONFIG", raising=False)
    done = typed("--month", "2024-11")
    assert done.exit_code == 0
    assert "nobody is rostered" in done.stderr
    assert typed("--month", "2024-11", "--quiet").stderr == ""
