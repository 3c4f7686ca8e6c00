"""The lists a supervisor works from: rows of sample_logs worked out by eye (file and line beside each), and laws that
tie the lists to the figures of the reports.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path

import fastexcel
import msgspec
import polars as pl
import pytest
import typer.main
import worlds
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_against_naive import CHITU, EXAMPLES, WHOLE, store_of
from test_commands import cslog  # noqa: F401  (a fixture)

from cslog import answer, clock, compute, copies, kpi, profile
from cslog.clock import Period
from cslog.coded import Coded
from cslog.commands import app
from cslog.config import Config
from cslog.errors import UsageError
from cslog.inputs import files_below
from cslog.lists import NAMES, aftersale, registry
from cslog.lists.request import Request
from cslog.report import files, worklists
from cslog.store import Store, ledger_row

SAMPLES = Path(__file__).parents[1] / "sample_logs"
NOVEMBER, DECEMBER = Period.of(month="2024-11"), Period.of(month="2024-12")
MEI, QIANG, LI = (
    f"qn-txt/{name}.txt"
    for name in ("小美_20241101-20241120", "阿强_20241101-20241206", "小丽_20241101-20241206")
)
FIRST_ORDERS, LATER_ORDERS = (f"tb-orders/ExportOrderList{n}.csv" for n in ("202411200930", "202412061000"))
RANDOM = settings(
    max_examples=max(EXAMPLES // 6, 4), suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Store:
    return store_of(tmp_path_factory.mktemp("lists"), files_below([str(SAMPLES)]))


def found(
    name: str, store: Store, period: Period = NOVEMBER, at: str | int | None = None, **choices
) -> pl.DataFrame:
    """The rows of a list; ``at`` as typed, the rest fields of Request or Question."""
    instant = clock.parse_instant(at, "--at") if isinstance(at, str) else at
    counting, settings_ = choices.pop("profile", CHITU), choices.pop("config", Config())
    own = {key: choices.pop(key) for key in list(choices) if key in Request.__dataclass_fields__}
    question = answer.Question(period, as_of=instant, **choices)
    (one,) = registry.find([name], Request(question, counting, settings_, **own), store)
    return one.answer.frame


def back_from(name: str, at: str) -> Period:
    return registry.looking_back(name, clock.parse_instant(at, "--at"), CHITU)


def told(rows: pl.DataFrame, *columns: str) -> list[tuple]:
    """The rows as tuples, instants as ``MM-DD HH:MM:SS``, files below sample_logs."""
    shown = []
    for row in rows.select(columns).iter_rows(named=True):
        cells = []
        for name, value in row.items():
            if name in ("from", "to", "silent_since", "waiting_since") or name.endswith("at"):
                value = value and f"{clock.moment_of(value):%m-%d %H:%M:%S}"
            elif name.endswith("_file"):
                value = value and value.split("sample_logs/")[-1]
            cells.append(value)
        shown.append(tuple(cells))
    return shown


def text_at(file: str, line: int) -> str:
    """The line of a sample, all of which are UTF-8 or GBK."""
    content = (SAMPLES / file).read_bytes()
    try:
        return content.decode("utf-8").split("\n")[line - 1]
    except UnicodeDecodeError:
        return content.decode("gb18030", errors="replace").split("\n")[line - 1]


# ---- rows of the sample, by eye -------------------------------------------------------------------


def test_who_waits_at_a_handover(sample):
    at = "2024-12-06T17:00"
    rows = found("unanswered", sample, back_from("unanswered", at), at)
    columns = ("agent", "buyer", "state", "waiting_since", "waited_s", "messages_waiting")
    assert told(rows, *columns, "source_file", "source_line") == [
        ("小丽", "柠檬不酸", "unanswered (未回复)", "12-06 15:10:00", 110 * 60, 1, LI, 26),
    ]
    assert rows["last_messages"].item().split("\n") == [  # lines 24 to 26
        "12-05 20:12:35 柠檬不酸: 嗯嗯，谢谢",
        "12-05 20:12:43 小丽: 不客气的亲",
        "12-06 15:10:00 柠檬不酸: 四件套发错颜色了，怎么办",
    ]


LITTLE_DEER, NIGHT = ("小美", "林间小鹿", "unanswered"), ("阿强", "夜里看海")


@pytest.mark.parametrize(
    ("at", "waiting"),
    [
        # 夜里看海 wrote at 22:41:00 and 22:43:30 and was never answered (阿强, lines 151, 152); after 600 s of silence
        # the turn is over. 林间小鹿's 知道了 of 11:01:40 got no reply (小美, line 174).
        ("2024-11-02T22:40:59", [(*LITTLE_DEER, 41_959, 1)]),
        ("2024-11-02T22:41:00", [(*LITTLE_DEER, 41_960, 1), (*NIGHT, "waiting", 0, 1)]),
        ("2024-11-02T22:53:29", [(*LITTLE_DEER, 42_709, 1), (*NIGHT, "waiting", 749, 2)]),
        ("2024-11-02T22:53:30", [(*LITTLE_DEER, 42_710, 1), (*NIGHT, "unanswered", 750, 2)]),
        # 慢慢来呀 of 13:00:00 was answered at 13:12:00, after 600 s of silence: late, but answered (小丽, lines 175, 176).
        (
            "2024-11-03T13:11:59",
            [
                (*LITTLE_DEER, 94_219, 1),
                (*NIGHT, "unanswered", 52_259, 2),
                ("小丽", "慢慢来呀", "unanswered", 719, 1),
            ],
        ),
        ("2024-11-03T13:12:00", [(*LITTLE_DEER, 94_220, 1), (*NIGHT, "unanswered", 52_260, 2)]),
        # 海盐薄荷 asked 小美 at 14:01:00, was handed to 阿强 at 14:01:35, who answered at 14:02:00 (table, rows 4 to 6).
        ("2024-11-08T14:01:20", [("小美", "海盐薄荷", "waiting", 20, 1)]),
        ("2024-11-08T14:01:40", [("阿强", "海盐薄荷", "waiting", 5, 1)]),
        ("2024-11-08T14:02:00", []),
    ],
)
def test_who_waits_at_an_instant(sample, at, waiting):
    rows = found("unanswered", sample, back_from("unanswered", at), at)
    rows = rows.with_columns(pl.col("state").str.split(" ").list.first())
    assert told(rows, "agent", "buyer", "state", "waited_s", "messages_waiting") == waiting


def test_who_waits_now(sample):
    """Now is the last message of the store: 晚安玛卡's 好 of 20:32:24."""
    now = registry.instant((), None, sample, Config())
    rows = found("unanswered", sample, registry.looking_back("unanswered", now, CHITU), now)
    assert told(rows, "buyer", "state", "waiting_since", "source_file", "source_line") == [
        ("柠檬不酸", "unanswered (未回复)", "12-06 15:10:00", LI, 26),
        ("晚安玛卡", "waiting (等待中)", "12-06 20:32:24", LI, 16),
    ]


def test_slow_turns(sample):
    rows = found("slow", sample)
    answered = rows.filter(pl.col("reply_at").is_not_null())
    columns = ("agent", "buyer", "wait_s", "late_s", "question", "source_file", "source_line", "reply_line")
    assert told(answered, *columns) == [
        ("阿强", "等等党", 720, None, "收纳箱一套几只", QIANG, 146, 149),
        ("小丽", "慢慢来呀", None, 720, "床垫可以送货上门吗", LI, 175, 176),
        ("阿强", "急急急先生", 200, None, "快点", QIANG, 94, 95),
        ("小丽", "芝士焗番薯", 150, None, "毛毯还能便宜点吗", LI, 116, 117),
        ("阿强", "急急急先生", 130, None, "我的快递到哪了", QIANG, 92, 93),
        ("阿强", "急急急先生", 125, None, "哪天能到", QIANG, 96, 97),
    ]
    # The others never got an answer: one question, and what buyers say last.
    unanswered = rows.filter(pl.col("reply_at").is_null())
    assert unanswered["buyer"].to_list() == [
        "林间小鹿", "夜里看海", "tb2211045", "熬夜冠军", "奶盖三分糖", "tb3390217", "拍照达人lee", "分割线选手", "tb7120068",
        "主号来的", "纠结星人", "糯米团子", "tb4478130", "月亮失眠了",
    ]  # fmt: skip
    assert rows.height == unanswered.height + answered.height
    assert rows["state"].head(unanswered.height).unique().to_list() == ["unanswered (未回复)"]


def test_lost_inquiries(sample):
    rows = found("lost", sample, Period.of(first="2024-11-01", last="2024-11-03"))
    assert told(rows, "agent", "buyer", "day", "final", "at", "source_file", "source_line") == [
        ("阿强", "风铃草0512", "2024-11-01", True, "11-01 10:05:00", QIANG, 154),
        ("小美", "林间小鹿", "2024-11-02", True, "11-02 11:00:30", MEI, 172),
        ("阿强", "等等党", "2024-11-03", True, "11-03 10:00:00", QIANG, 146),
        ("小丽", "慢慢来呀", "2024-11-03", True, "11-03 13:00:00", LI, 175),
    ]
    assert rows["last_messages"][0].split("\n") == [
        "11-01 10:06:30 阿强: 亲，不好意思久等了，春秋被是2斤的，正合适",
        "11-01 10:07:15 风铃草0512: 有点贵，我再看看",
        "11-01 10:07:32 阿强: 好的亲，有需要随时联系我",
    ]


def test_an_unripe_loss_says_so(sample):
    """月底犹豫 ordered half an hour after chatting on the 30th; tb8800123 asked on the 2nd, ordered on the 3rd."""
    period = Period.of(day="2024-11-02")
    early, late = (
        found("lost", sample, period, at=at).select("buyer", "final").rows()
        for at in ("2024-11-02", "2024-11-04T00:00")
    )
    assert early == [("林间小鹿", False), ("tb8800123", False)]
    assert late == [("林间小鹿", True)]


def test_unpaid_orders_at_a_shifts_end(sample):
    at = "2024-11-22T17:00"
    rows = found("unpaid", sample, back_from("unpaid", at), at)
    columns = ("owner", "buyer", "order_id", "created_at", "amount", "source_file", "source_line")
    assert told(rows, *columns) == [
        ("小丽", "拖到最后", "3310000000003400102", "11-21 10:00:00", 19900, LATER_ORDERS, 36),
        ("小美", "早问晚付", "3310000000003700111", "11-22 10:10:00", 29900, LATER_ORDERS, 39),
    ]
    assert rows["age_h"].to_list() == [31.0, pytest.approx(6 + 50 / 60)]


def test_unpaid_orders_now(sample):
    """豆沙包, 手快没付 and 拍了又忘 never paid either; their orders are closed. 0.00 is no amount."""
    rows = found("unpaid", sample, Period.of(first="2024-11-01", last="2024-12-06"))
    assert told(rows, "owner", "buyer", "order_id", "amount", "source_line") == [
        (None, "还没付呢", "3310000000004700141", None, 49),
    ]


def test_silent_orders(sample):
    rows = found("silent", sample)
    assert told(rows, "buyer", "state", "created_at", "amount", "night", "source_file", "source_line") == [
        ("安静下单", "paid (已付款)", "11-03 22:00:00", 12900, False, FIRST_ORDERS, 5),
        ("只买不聊", "paid (已付款)", "11-11 00:02:00", 59800, True, FIRST_ORDERS, 16),
        ("售后常客", "paid (已付款)", "11-15 12:00:00", 5990, False, LATER_ORDERS, 27),
        ("tb2468013", "paid (已付款)", "11-17 13:00:00", 7900, False, LATER_ORDERS, 30),
        ("卡点差一秒", "paid (已付款)", "11-19 10:30:01", 3980, False, LATER_ORDERS, 34),
        ("t**1", "paid (已付款)", "11-21 10:30:00", 7900, False, LATER_ORDERS, 37),
        ("看中就拍", "paid (已付款)", "11-26 08:30:00", 3980, True, LATER_ORDERS, 42),
    ]
    whole = Period.of(first="2024-11-01", last="2024-12-06")
    at_night = found("silent", sample, whole, night=True)
    assert at_night["buyer"].to_list() == ["只买不聊", "看中就拍", "还没付呢"]
    assert at_night["state"].to_list() == ["paid (已付款)", "paid (已付款)", "unpaid (未付款)"]


ROSTER = """
[shops."云朵家居旗舰店".shifts]
"早班" = { hours = ["08:30-17:00"] }
"晚班" = { hours = ["17:00-00:30"] }
[[shops."云朵家居旗舰店".roster]]
agents = ["小丽"]
shift = "晚班"
from = 2024-11-01
to = 2024-12-31
[[shops."云朵家居旗舰店".roster]]
agents = ["小美"]
shift = "早班"
from = 2024-11-01
to = 2024-12-31
"""


def test_silent_orders_of_a_shift(sample):
    rostered = msgspec.toml.decode(ROSTER, type=Config)
    late = found("silent", sample, shift="晚班", config=rostered)
    assert late["buyer"].to_list() == [
        "安静下单",
        "只买不聊",
    ]  # 22:00, and 00:02 of the shift before midnight
    early = found("silent", sample, shift="早班", config=rostered)
    assert early["buyer"].to_list() == ["售后常客", "tb2468013", "卡点差一秒", "t**1", "看中就拍"]
    with pytest.raises(UsageError, match="no shift '夜班'; use one of: 早班, 晚班"):
        found("silent", sample, shift="夜班", config=rostered)
    with pytest.raises(UsageError, match="no roster"):
        found("silent", sample, shift="晚班")


def test_after_sale_without_reply(sample):
    """松鼠存粮 had an after-sale question on the 4th, too; 小丽 answered him (lines 28 to 31)."""
    rows = found("aftersale", sample, DECEMBER)
    columns = (
        "agent",
        "buyer",
        "state",
        "final",
        "at",
        "order_id",
        "bought_at",
        "source_file",
        "source_line",
    )
    assert told(rows, *columns) == [
        (
            "小丽", "月亮失眠了", "last message without reply (末句未回复)", True, "12-04 14:35:00",
            "3310000000004100123", "11-28 22:51:00", LI, 45,
        ),
        (
            "小丽", "柠檬不酸", "no reply (未回复)", False, "12-06 15:10:00",
            "3310000000004600138", "12-05 20:41:00", LI, 26,
        ),
    ]  # fmt: skip
    assert found("aftersale", sample).is_empty()  # 售后常客 and 老顾客阿宝 were answered to the end


def test_overloaded_agents(sample):
    """小美 received four buyers on the 11th, three of them at once; 阿强 had one after-sale buyer on the 23rd."""
    rows = found("overload", sample, limit=3)
    columns = ("agent", "day", "buyers_received", "max_concurrent", "reply_rate", "over")
    assert told(rows, *columns) == [("小美", "2024-11-11", 4, 3, 1.0, "received (接待) > 3")]
    rows = found("overload", sample, limit=100, after_sale_limit=0)
    assert told(rows, "agent", "day", "after_sale_buyers", "over") == [
        ("阿强", "2024-11-23", 1, "after-sale (售后) > 0"),  # 售后常客
        ("小丽", "2024-11-26", 1, "after-sale (售后) > 0"),  # 老顾客阿宝
    ]
    assert found("overload", sample).is_empty()


def test_online_and_silent(sample):
    """小丽 answered at 14:00:25 (line 42), then automatically, then 松鼠存粮 at 14:50:00 (line 29)."""
    rows = found("idle", sample, DECEMBER)
    columns = (
        "agent",
        "silent_since",
        "from",
        "to",
        "minutes",
        "buyers_waiting",
        "messages_waiting",
        "auto_replies",
    )
    assert told(rows, *columns, "buyer", "source_line") == [
        ("小丽", "12-04 14:00:25", "12-04 14:20:00", "12-04 14:50:00", 30.0, 2, 3, 2, "月亮失眠了", 43),
    ]
    assert found("idle", sample, DECEMBER, minutes=31).is_empty()
    # 急急急先生 waited while 阿强 was there (lines 94 to 97).
    rows = found("idle", sample, minutes=2)
    assert told(rows, "agent", "from", "to", "source_line") == [
        ("阿强", "11-11 10:32:30", "11-11 10:35:50", 94),
        ("阿强", "11-11 10:36:10", "11-11 10:38:15", 96),
    ]
    # Nobody is there while he sleeps: 熬夜冠军's 行，拍一条 of 00:02:10 and 小丽's reply of 12:00:45 to another.
    rows = found("idle", sample, away=720)
    assert ("小丽", "11-06 00:02:10", "11-06 12:00:45") in told(rows, "agent", "from", "to")


@pytest.mark.parametrize("name", ["unanswered", "slow", "lost", "unpaid", "silent", "aftersale", "idle"])
def test_every_row_stands_at_its_line(sample, name):
    whole = Period.of(first="2024-11-01", last="2024-12-06")
    rows = found(name, sample, whole, minutes=1) if name == "idle" else found(name, sample, whole)
    assert rows.height
    for file, line, buyer in told(rows, "source_file", "source_line", "buyer"):
        assert buyer in text_at(file, line)


def test_the_choice_of_agents(sample):
    everything = found("slow", sample)
    only = found("slow", sample, agents=("小丽",))
    assert only.equals(everything.filter(pl.col("agent") == "小丽"))
    assert only.height


# ---- laws -----------------------------------------------------------------------------------------


def figures(store: Store, period: Period, by: tuple[str, ...], counting=CHITU, at=None) -> pl.DataFrame:
    return kpi.report(answer.Question(period, by=by, as_of=at), store, counting, Config()).frame


def assert_lists_are_the_figures(store: Store, period: Period, counting=CHITU, at=None) -> None:
    agents = figures(store, period, ("agent",), counting, at)
    slow, lost = (found(name, store, period, at, profile=counting) for name in ("slow", "lost"))
    for row in agents.iter_rows(named=True):
        mine = slow.filter(pl.col("agent") == row["agent"])
        assert mine["wait_s"].is_null().sum() == row["turns_unanswered"]
        assert mine["late_s"].is_not_null().sum() == row["turns_late"]
        # slow_s is 120 s: between the rates of 60 s and of 180 s.
        slower = mine["wait_s"].drop_nulls()
        turns = row["turns"] or 1
        if counting.within_180s == "turn" and row["turns"]:
            assert turns - round(row["within_180s_rate"] * turns) <= mine.height
            assert mine.height <= turns - round(row["within_60s_rate"] * turns)
        assert (slower > counting.slow_s).all()
        if "inquiries_lost" not in row["immature"]:
            assert lost.filter(pl.col("agent") == row["agent"]).height == row["inquiries_lost"]

    silent = found("silent", store, period, at, profile=counting).filter(pl.col("paid_at").is_not_null())
    for row in figures(store, period, ("shop",), counting, at).iter_rows(named=True):
        mine = silent.filter(pl.col("shop") == row["shop"])
        assert (mine.height, mine["amount"].sum()) == (row["silent_orders"], row["silent_amount"])

    days = figures(store, period, ("agent", "day"), counting, at)
    busy = found("overload", store, period, at, profile=counting, limit=0)
    received = days.filter(pl.col("buyers_received") > 0).sort("day", "shop", "agent")
    columns = ["shop", "agent", "day", "buyers_received", "reply_rate", "response_avg", "max_concurrent"]
    assert busy.select(columns).equals(received.select(columns))


@pytest.mark.parametrize("counting", [item.id for item in profile.available()])
def test_lists_are_the_figures_of_the_sample(sample, counting):
    assert_lists_are_the_figures(sample, NOVEMBER, profile.load(counting))


def test_the_shop_loses_whom_no_agent_kept(sample):
    """In the shop's row a buyer's day is lost once, however many agents he asked: 茶茶子 asked two."""
    rows = found("lost", sample)
    (shop,) = figures(sample, NOVEMBER, ("shop",)).rows(named=True)
    assert rows.height == 28
    assert rows.select("buyer", "day").n_unique() == shop["inquiries_lost"] == 27


def test_orders_are_paid_or_open_or_closed(sample):
    """All orders of November at its end: each credited, silent, unpaid, or closed without payment."""
    at = clock.parse_instant("2024-11-30", "--at")
    unpaid = found("unpaid", sample, at=at)
    silent = found("silent", sample, at=at)
    (shop,) = figures(sample, NOVEMBER, ("shop",), at=at).rows(named=True)
    closed = {"豆沙包", "手快没付", "拍了又忘"}
    assert unpaid["buyer"].to_list() == ["月底犹豫"]
    known = sample.snapshot().order_versions().filter(pl.col("created_at") <= at).collect()
    paid = shop["sales_orders"] + silent.filter(pl.col("paid_at").is_not_null()).height
    assert known["order_id"].n_unique() == paid + unpaid.height + len(closed)
    assert set(silent.filter(pl.col("paid_at").is_null())["order_id"]) <= set(unpaid["order_id"])


def cut(store: Store, at: int, folder: Path) -> Store:
    """A store that ends at ``at``: nothing later was ever ingested."""
    snapshot, shorter = store.snapshot(), Store(folder)
    messages = snapshot.messages(0, at).filter(pl.col("sent_at") <= at).collect()
    with shorter.writer() as writer:
        writer.append_messages(copies.merged(Coded.of(messages)))
        writer.append_orders(snapshot.order_versions().filter(pl.col("created_at") <= at).collect())
        row = ledger_row(path="cut", sha256="", fingerprint="", messages_new=messages.height)
        writer.commit(pl.DataFrame([row], infer_schema_length=None))
    return shorter


@pytest.mark.parametrize(
    "at",
    ["2024-11-02T22:45", "2024-11-03T13:11", "2024-11-08T14:01:40", "2024-12-04T14:40", "2024-12-06T17:00"],
)
def test_what_came_later_does_not_count(sample, tmp_path, at):
    instant = clock.parse_instant(at, "--at")
    shorter = cut(sample, instant, tmp_path / "store")
    period = back_from("unanswered", at)
    assert found("unanswered", sample, period, at).equals(found("unanswered", shorter, period, at))


@RANDOM
@given(worlds.worlds(), st.integers(0, 6 * worlds.DAY), st.sampled_from(["chitu", "taobao", "vip"]))
def test_random_months(world, after, counting):
    exports, order_rows = world
    at = worlds.BEGIN + after
    day = at // worlds.DAY
    period, its = Period(day - 1, day), profile.load(counting)
    with tempfile.TemporaryDirectory() as name:
        written = worlds.write_files(Path(name) / "in", exports, order_rows)
        if not written:
            return
        store = store_of(Path(name), written)
        waiting = found("unanswered", store, period, at, profile=its)
        shorter = cut(store, at, Path(name) / "shorter")
        assert waiting.equals(found("unanswered", shorter, period, at, profile=its))
        assert_waiting(store, waiting, at, period, its)
        assert_lists_are_the_figures(store, WHOLE, its)
        assert_after_sale(store, its)
        assert_idle(store)


def assert_waiting(store: Store, rows: pl.DataFrame, at: int, period: Period, counting) -> None:
    """Everybody whose last word of these days is his own, and nobody else, is on the list."""
    question = answer.Question(period, as_of=at)
    expected = set()
    for task in kpi.plan(question, store.snapshot(), counting, Config()):
        facts = compute.facts_of(task)
        inside = pl.col("day").is_between(period.first_day, period.last_day)
        last = facts.messages.sort("at", "rank").group_by("buyer_key").last()
        expected |= set(last.filter("from_buyer", "counted", inside)["buyer_key"])
        older = facts.messages.filter(~inside)["buyer_key"]  # his turn may have opened before
        expected -= set(older)
        names = store.snapshot().messages(0, 2**32, ["buyer", "buyer_key"]).unique().collect()
    listed = set(names.filter(pl.col("buyer").is_in(rows["buyer"].to_list()))["buyer_key"])
    assert expected <= listed
    assert (rows["waited_s"] == at - rows["waiting_since"]).all()
    assert (rows["waited_s"] >= 0).all()


def assert_after_sale(store: Store, counting) -> None:
    """For received buyers the list asks what the reports ask."""
    for task in kpi.plan(answer.Question(WHOLE), store.snapshot(), counting, Config()):
        facts = compute.facts_of(task)
        received, key = facts.peer_days.filter("received"), ["agent", "buyer_key", "day"]
        asked = aftersale.of_peer_days(received, facts.orders, counting)
        assert asked.select(key).equals(received.filter("after_sale").select(key))


def assert_idle(store: Store, minutes: int = 10, away: int = 120) -> None:
    """The same by going through every agent's day."""
    (task,) = kpi.plan(answer.Question(WHOLE), store.snapshot(), CHITU, Config())
    facts = compute.facts_of(task)
    inside = pl.col("day").is_between(WHOLE.first_day, WHOLE.last_day)
    said = [(row["at"], row["rank"], row) for row in facts.messages.filter(inside).iter_rows(named=True)]
    autos = facts.autos.with_columns(day=pl.col("at") // worlds.DAY).filter(inside)
    expected = []
    for agent, day in {(row["agent"], row["day"]) for _, _, row in said if not row["from_buyer"]} | set(
        autos.select("agent", "day").rows()
    ):
        if agent == "服务助手":
            continue
        own = autos.filter((pl.col("agent") == agent) & (pl.col("day") == day))["at"].to_list()
        answers = sorted(
            at for at, _, row in said if (row["agent"], row["day"], row["from_buyer"]) == (agent, day, False)
        )
        signs = sorted(own + answers)
        presences = [[signs[0]]]
        for sign in signs[1:]:
            if sign - presences[-1][-1] <= away * 60:
                presences[-1].append(sign)
            else:
                presences.append([sign])
        for presence in presences:
            here = [at for at in answers if presence[0] <= at <= presence[-1]]
            borders = sorted({presence[0], *here, presence[-1]})
            for begin, end in itertools.pairwise(borders):
                asked = [
                    (at, rank, row)
                    for at, rank, row in said
                    if row["agent"] == agent and row["from_buyer"] and row["counted"] and begin <= at < end
                ]
                waiting = [
                    (at, row["buyer_key"])
                    for at, rank, row in asked
                    if not any(
                        not other["from_buyer"]
                        and other["buyer_key"] == row["buyer_key"]
                        and ((at, rank) < (then, place) or (at == then and rank == place))
                        and then < end
                        for then, place, other in said
                    )
                ]
                if waiting and end - min(waiting)[0] >= minutes * 60:
                    expected.append(
                        (agent, begin, min(waiting)[0], end, len({b for _, b in waiting}), len(waiting))
                    )
    rows = found("idle", store, WHOLE, minutes=minutes, away=away)
    columns = ("agent", "silent_since", "from", "to", "buyers_waiting", "messages_waiting")
    assert sorted(rows.select(columns).rows()) == sorted(expected)


# ---- the commands and the workbook ----------------------------------------------------------------

GROUP = typer.main.get_command(app).commands["list"]  # type: ignore[attr-defined]


def test_every_list_has_a_name_a_command_and_a_finder():
    assert [name.name for name in NAMES] == list(GROUP.commands) == list(registry.FINDERS)
    for name in NAMES:
        assert GROUP.commands[name.name].help == f"{name.what} ({name.zh})."
        for parameter in GROUP.commands[name.name].params:
            assert getattr(parameter, "help", None), (name.name, parameter.name)


@pytest.fixture
def stored(cslog):  # noqa: F811
    assert cslog("ingest", SAMPLES, "--store", "s", "-q")[0] == 0
    return lambda *arguments: cslog(*arguments, *(() if arguments[-1] == "--bare" else ("--store", "s")))


def test_the_names(cslog):  # noqa: F811
    status, shown, said = cslog("list")
    assert (status, said) == (0, "")
    for name in NAMES:
        assert name.name in shown
        assert name.zh in shown
    assert [row["list"] for row in json.loads(cslog("list", "--json")[1])["lists"]] == [n.name for n in NAMES]


def test_json_of_a_list(stored):
    status, shown, _ = stored("list", "unanswered", "--at", "2024-12-06T17:00", "--json")
    document = json.loads(shown)
    assert status == 0
    (row,) = document.pop("rows")
    assert document.pop("config_hash")
    assert document.pop("cslog_version")
    assert document == {
        "list": "unanswered",
        "period": {"from": "2024-12-05", "to": "2024-12-06"},
        "profile": "chitu",
        "clock": "wall",
        "attribution": "order_first",
        "lookup": "asof",
        "store_version": 1,
        "as_of": "2024-12-06T17:00:00+08:00",
        "warnings": [],
    }
    assert row["waiting_since"] == "2024-12-06T15:10:00+08:00"
    assert (row["source_line"], row["waited_s"]) == (26, 6600)


def test_all_formats_of_a_list(stored):
    rows = json.loads(stored("list", "silent", "--month", "2024-11", "--json")[1])["rows"]
    for ending in ("csv", "xlsx", "parquet", "html"):
        target = f"silent.{ending}"
        assert (
            stored("list", "silent", "--month", "2024-11", "--output", target, "-q", "--language", "en")[0]
            == 0
        )
    tables = [
        pl.read_csv("silent.csv", schema_overrides={"order_id": pl.String}),
        fastexcel.read_excel("silent.xlsx").load_sheet("silent").to_polars(),
        pl.read_parquet("silent.parquet"),
    ]
    for table in tables:
        assert table["order_id"].to_list() == [row["order_id"] for row in rows]
        assert [float(amount) for amount in table["amount"]] == [row["amount"] for row in rows]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "nonsense"), "nonsense"),
        (("list", "slow"), "no period given"),
        (("list", "--json", "slow", "--month", "2024-11"), "behind the list's name"),
        (("list", "unanswered", "--at", "noon"), "--at noon"),
        (("list", "silent", "--month", "2024-11", "--shift", "夜班"), "no roster"),
        (("list", "silent", "--month", "2024-11", "--agent", "小美"), "--agent"),
        (("list", "slow", "--month", "2024-11", "--shop", "没有这家店"), "没有这家店"),
        (("list", "idle", "--month", "2024-11", "--minutes", "0"), "--minutes"),
        (("report", "--month", "2024-11"), "--output"),
        (("report", "--month", "2024-11", "--output", "report.csv"), "report.xlsx"),
        (("report", "--month", "2024-11", "--output", "report.xlsx", "--json"), "--json"),
        (("report", "--output", "report.xlsx"), "no period given"),
    ],
)
def test_usage_errors_are_one_line(stored, arguments, said):
    status, shown, complaint = stored(*arguments)
    assert (status, shown) == (2, "")
    assert said in complaint
    assert complaint.count("\n") == 1
    assert not list(Path().glob("report.*"))


def test_an_empty_store_has_empty_lists(cslog):  # noqa: F811
    for name in registry.FINDERS:
        period = () if name in registry.DAYS_BACK else ("--month", "2024-11")
        status, shown, _ = cslog("list", name, *period, "--store", "never", "--json")
        assert (status, json.loads(shown)["rows"]) == (0, [])
    assert cslog("report", "--month", "2024-11", "--store", "never", "--output", "r.xlsx")[0] == 0


def test_warnings(stored):
    said = stored("list", "unpaid", "--at", "2024-12-10T09:00")[2]
    assert "the newest order or payment of 云朵家居旗舰店 in the store is of 2024-12-05 23:30" in said
    assert "2024-12-06 20:32" in stored("list", "unanswered", "--at", "2024-12-06T22:00")[2]
    assert "not final" in stored("list", "lost", "--day", "2024-12-06")[2]
    assert stored("list", "lost", "--day", "2024-11-06")[2] == ""


def test_no_list_says_on_stderr_what_a_buyer_wrote(stored):
    for name in registry.FINDERS:
        period = () if name in registry.DAYS_BACK else ("--month", "2024-12")
        _, _, said = stored("list", name, *period, "--json")
        assert not any(buyer in said for buyer in ("柠檬不酸", "发错颜色", "月亮失眠了"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_workbook(stored, sample, language):
    status, shown, said = stored("report", "--month", "2024-11", "--output", "r.xlsx", "--language", language)
    assert (status, shown) == (0, "")
    assert said.endswith("wrote r.xlsx\n")
    book = fastexcel.read_excel("r.xlsx")
    own = [name.name if language == "en" else name.zh for name in NAMES]
    first, about = (
        (["by agent", "by shop", "by day"], "about")
        if language == "en"
        else (["客服", "店铺", "日期"], "说明")
    )
    assert book.sheet_names == [*first, *own, about]

    agents, lost = book.load_sheet(first[0]).to_polars(), book.load_sheet(own[2]).to_polars()
    by_agent = figures(sample, NOVEMBER, ("agent",))
    name, received, last = (
        ("agent", "buyers_received", "last_messages")
        if language == "en"
        else ("客服", "接待人数", "最后几句")
    )
    assert agents[name].to_list() == by_agent["agent"].to_list()
    assert agents[received].to_list() == by_agent["buyers_received"].to_list()
    assert lost[last].to_list() == found("lost", sample)["last_messages"].to_list()
    assert book.load_sheet(own[4]).to_polars().height == 7
    lines = book.load_sheet(about, header_row=None).to_polars().rows()
    assert [line[0] for line in lines[: len(own) + 3]] == [*first, *own]
    assert ("profile 口径", "chitu (赤兔名品口径)") in lines
    assert any(line[0] == "warning" and "masked buyer nick" in line[1] for line in lines)


def test_long_texts_are_wrapped(sample):
    """The format of cells with several lines wraps; their column is as wide as texts may be, numbers are narrow."""
    import io
    import zipfile

    (one,) = registry.find(["lost"], Request(answer.Question(NOVEMBER), CHITU, Config()), sample)
    content = zipfile.ZipFile(io.BytesIO(files.to_xlsx(worklists.sheet_of(one), "en")))
    page, styles = (content.read(f"xl/{name}.xml").decode() for name in ("worksheets/sheet1", "styles"))
    widths = [float(part.split('"')[0]) for part in page.split(' width="')[1:]]
    assert max(widths) == pytest.approx(60, abs=1)
    assert 'wrapText="1"' in styles
