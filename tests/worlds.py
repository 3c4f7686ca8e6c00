"""Random shops for the comparison with `naive.py`: what happened, the exports that show parts of it, and
the same as files in the layouts of the real clients.
"""

from __future__ import annotations

import datetime
from pathlib import Path

from hypothesis import strategies as st
from naive import DAY, Block, Export, Line, OrderRow

SHOP = "某旗舰店"
AGENTS = ("小美", "阿强", "小丽")
FIRST_DAY = (datetime.date(2024, 11, 28) - datetime.date(1970, 1, 1)).days  # four days over a month's end
DAYS = 5
BEGIN = FIRST_DAY * DAY
STATES = (
    "等待买家付款",
    "买家已付款，等待卖家发货",
    "部分发货",
    "卖家已发货，等待买家确认",
    "交易成功",
    "交易关闭",
)

TEXTS = (
    "在吗",
    "在吗？",
    "有货",
    "[图片]",
    "[卡片]",
    "好的 亲\n有的",
    "[自动回复]您好",
    "当前用户来自 商品详情页",
    "",
)
GAPS = (0, 0, 1, 20, 40, 90, 150, 599, 600, 601, 1800, 4000, 30_000, 80_000)


@st.composite
def stories(draw):
    """What happened: {buyer: chronological [(ts, speaker, text)]}, speaker an account or the buyer."""
    happened = {}
    buyers = draw(st.integers(1, 5))
    for number in range(buyers):
        buyer = draw(st.sampled_from([f"buyer_{number}", f"买家({number})", f"t**{number}"]))
        at = BEGIN + draw(st.integers(0, 3 * DAY))
        if draw(st.booleans()):  # near midnight
            at = BEGIN + draw(st.integers(1, 3)) * DAY - draw(st.integers(1, 300))
        people = draw(st.sampled_from([AGENTS[:1], AGENTS[1:2], AGENTS[:2], AGENTS]))
        lines = []
        for _ in range(draw(st.integers(1, 14))):
            speaker = draw(
                st.sampled_from(
                    [buyer] * 4
                    + [f"{SHOP}:{name}" for name in people] * 3
                    + [SHOP, f"{SHOP}:服务助手"]
                    + ["transfer"] * (len(people) > 1)
                )
            )
            if speaker == "transfer":
                pair = draw(st.permutations([*people, "服务助手"]))
                lines.append((at, buyer, f"由 {pair[0]} 转交给 {pair[1]}"))
            else:
                lines.append((at, speaker, draw(st.sampled_from(TEXTS))))
            at += draw(st.sampled_from(GAPS))
        happened[buyer] = lines
    return happened


@st.composite
def exports_of(draw, happened):
    """Export files that each show some buyers over some range of time; together they may overlap."""
    files = []
    for _ in range(draw(st.integers(1, 4))):
        login = draw(st.sampled_from([SHOP, *(f"{SHOP}:{name}" for name in AGENTS)]))
        low = BEGIN + draw(st.integers(-1, 3)) * DAY
        high = low + draw(st.integers(1, 9)) * DAY
        blocks = []
        for buyer in draw(st.permutations(sorted(happened))):
            seen = [Line(*line) for line in happened[buyer] if low <= line[0] < high]
            if seen and draw(st.integers(0, 3)):
                blocks.append(Block(buyer, seen))
        files.append(Export(SHOP, login, blocks))
    return files


@st.composite
def orders_of(draw, happened):
    """Order versions near what was said: at the 48 h edge, before the chat, paid later or never."""
    rows = []
    moments = [ts for lines in happened.values() for ts, _, _ in lines]
    edges = (0, 1, -1, 600, -600, 2 * DAY, 2 * DAY + 1, 2 * DAY - 1, DAY, -3 * DAY, -DAY)
    for number in range(draw(st.integers(0, 6))):
        buyer = draw(st.sampled_from([*sorted(happened), "silent_buyer"]))
        created = draw(st.sampled_from(moments)) + draw(st.sampled_from(edges))
        paid = (
            created + draw(st.sampled_from((0, 10, 3600, DAY, 2 * DAY, 5 * DAY)))
            if draw(st.booleans())
            else None
        )
        amount = draw(st.integers(0, 99_999))
        items = draw(st.integers(1, 3))
        final = OrderRow(
            SHOP, f"90000000{number:08d}", buyer, created, paid, None, 1 if paid else 0, amount, items, 0
        )
        versions = [final]
        if paid is not None and draw(st.booleans()):
            versions.append(final._replace(state=0, paid=None))  # an older export
        if paid is not None and draw(st.booleans()):
            versions.append(final._replace(state=3, shipped=paid + 7200))
        if paid is not None and draw(st.booleans()):
            versions.append(final._replace(state=5, shipped=paid + 7200, refund=amount))
        rows += draw(st.permutations(versions))
    return rows


@st.composite
def worlds(draw):
    """(exports, order rows)."""
    happened = draw(stories())
    return draw(exports_of(happened)), draw(orders_of(happened))


def clock_text(ts: int) -> str:
    """``2024-11-28 09:00:00``."""
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=ts)).isoformat(sep=" ")


def txt_bytes(export: Export, encoding: str = "gbk") -> bytes:
    """The export as the PC client writes it (formats 1.1)."""
    rule = "=" * 64
    lines = [export.login, "", rule, " " * 31 + "单聊" + " " * 29, rule, "", ""]
    for block in export.blocks:
        lines.append("-" * 28 + block.buyer + "-" * 28)
        for line in block.lines:
            lead = " " if line.text.startswith("[") else "  "
            lines += f"{line.sender}({clock_text(line.ts)}):{lead}{line.text}".split("\n")
    lines += ["", rule, " " * 31 + "群聊" + " " * 29, rule, ""]
    return "\r\n".join(lines).encode(encoding)


def order_bytes(rows: list[OrderRow]) -> bytes:
    """Order versions as an order export in GBK (formats 8.1); ``=`` outside the quotes."""
    header = [
        "订单编号", "买家会员名", "买家实际支付金额", "订单状态", "订单创建时间", "订单付款时间 ", "宝贝总数量",
        "店铺名称", "退款金额", "发货时间",
    ]  # fmt: skip
    lines = [",".join(f'"{name}"' for name in header)]
    for row in rows:
        cells = [
            row.buyer,
            f"{row.amount // 100}.{row.amount % 100:02d}",
            STATES[row.state],
            clock_text(row.created),
            "" if row.paid is None else clock_text(row.paid),
            str(row.items),
            row.shop,
            f"{row.refund // 100}.{row.refund % 100:02d}",
            "" if row.shipped is None else clock_text(row.shipped),
        ]
        lines.append(f'="{row.order_id}",' + ",".join(f'"{cell}"' for cell in cells))
    return ("\r\n".join(lines) + "\r\n").encode("gb18030")


def write_files(folder: Path, exports: list[Export], order_rows: list[OrderRow]) -> list[Path]:
    """The world as files; orders in two files when there are several versions."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, export in enumerate(exports):
        if export.blocks:
            written.append(folder / f"chat{number}.txt")
            written[-1].write_bytes(txt_bytes(export))
    half = len(order_rows) // 2
    for number, part in enumerate((order_rows[:half], order_rows[half:])):
        if part:
            written.append(folder / f"ExportOrderList{number}.csv")
            written[-1].write_bytes(order_bytes(part))
    return written
