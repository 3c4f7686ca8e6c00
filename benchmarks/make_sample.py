"""Write sample_logs from the hand-written scenes in sample_scenes.txt. Running it again writes the same bytes.

    python benchmarks/make_sample.py [FOLDER]

``scenes()`` gives the chats and orders as data, so that tests can hold the exports against them.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

if __package__ in (None, ""):  # run as a script: make the folder above importable
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import layouts

SHOP = "云朵家居旗舰店"
AGENTS = {"美": "小美", "强": "阿强", "丽": "小丽"}
SCENES = Path(__file__).with_name("sample_scenes.txt")
FOLDER = Path(__file__).resolve().parent.parent / "sample_logs"
BROKEN = "{坏}"

# Agent, first and last day of each Txt export. 小美 exported twice: the two overlap from the 15th to the 20th.
TXT_EXPORTS = (
    ("美", "2024-11-01", "2024-11-20"),
    ("美", "2024-11-15", "2024-12-06"),
    ("强", "2024-11-01", "2024-12-06"),
    ("丽", "2024-11-01", "2024-12-06"),
)
ORDER_EXPORTS = ("2024-11-20 09:30:00", "2024-12-06 10:00:00")

# Everyday chats: (客 or 服, seconds after the message before or "wait", text).
TEMPLATES: dict[str, tuple[tuple[str, int | str, str], ...]] = {
    "尺寸": (
        ("客", 0, "亲，{goods}1.5米的床用多大的"),
        ("服", "wait", "亲，1.5米的床建议拍1.5米的款哦"),
        ("客", 35, "那1.8米呢"),
        ("服", "wait", "1.8米的就拍大一号"),
        ("服", 5, "您可以量一下床垫厚度，厚床垫建议大一号"),
        ("客", 60, "好的，我量一下"),
        ("服", "wait", "好的亲，有问题随时找我"),
    ),
    "发货": (
        ("客", 0, "你好"),
        ("客", 4, "{goods}今天拍什么时候发货"),
        ("服", "wait", "亲，下午四点前付款当天发"),
        ("客", 30, "发什么快递"),
        ("服", "wait", "默认圆通，偏远地区发邮政"),
        ("客", 25, "能发顺丰吗，我补差价"),
        ("服", "wait", "可以的亲，补8元拍一下邮费链接就行"),
        ("客", 40, "好"),
    ),
    "优惠": (
        ("客", 0, "{goods}还能便宜点吗"),
        ("服", "wait", "亲，已经是活动价了，店铺首页有满300减30的券"),
        ("客", 50, "领不到啊"),
        ("服", "wait", "亲，退出重新进一下店铺首页就能看到了"),
        ("客", 70, "领到了/:^_^"),
        ("服", "wait", "好的亲，领到就可以拍了哦"),
    ),
    "材质": (
        ("客", 0, "{goods}会不会掉色"),
        ("服", "wait", "不会的亲，活性印染不掉色"),
        ("客", 45, "能机洗吗？"),
        ("服", "wait", "可以机洗，建议用洗衣袋，水温不要超过30度"),
        ("客", 20, "有异味吗,家里有小孩"),
        ("服", "wait", "没有异味的亲，A类标准，宝宝也能用"),
        ("客", 30, "嗯嗯，谢谢"),
        ("服", "wait", "不客气的亲"),
    ),
    "物流": (
        ("客", 0, "我的{goods}怎么还没到"),
        ("服", "wait", "亲，我帮您查一下"),
        ("服", 20, "显示已经到您当地网点了，预计明天派送"),
        ("客", 40, "好的谢谢"),
        ("服", "wait", "不客气，给您添麻烦了"),
    ),
}


@dataclass
class Message:
    """One message of a chat; ``part`` counts the session ids of the message table."""

    sent_at: datetime
    sender: str
    text: str
    part: int = 0


@dataclass
class Chat:
    """One scene: the messages of a buyer, and the exports that hold them."""

    buyer: str
    exports: str
    messages: list[Message] = field(default_factory=list)
    goods: tuple[str, str] = ("", "")


@dataclass
class Order:
    """One order and what became of it."""

    buyer: str
    created: datetime
    paid: datetime | None
    yuan: str
    items: int
    goods: str
    shipped: datetime | None = None
    finished: datetime | None = None
    refunded: datetime | None = None
    refund_yuan: str = "0.00"
    closed: datetime | None = None
    close_reason: str = "订单未关闭"
    memo: str = ""
    fee_yuan: str = "0.00"


_CLOCK = re.compile(r"(\+?)(\d\d:\d\d:\d\d) (\S) (.*)")


def scenes(path: Path = SCENES) -> tuple[list[Chat], list[Order]]:
    """Chats and orders in the order of the scene file."""
    chats: list[Chat] = []
    orders: list[Order] = []
    buyer, day, part = "", "", 0
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("## "):
            buyer = line[3:].split(" | ")[0]
        elif line.startswith("  |"):
            chats[-1].messages[-1].text += "\n" + line[3:]
        elif not line or line.startswith("#"):
            continue
        elif line.startswith("@ "):
            _, day, exports = line.split(" ")
            chats.append(Chat(buyer, exports))
            part = 0
        elif line == "%":
            part += 1
        elif line.startswith("& "):
            _, identifier, goods = line.split(" ", 2)
            chats[-1].goods = (identifier, goods)
        elif line.startswith("~ "):
            chats.append(_everyday(buyer, line))
        elif line.startswith("$ "):
            orders.append(_order(buyer, line))
        elif found := _CLOCK.fullmatch(line):
            next_day, clock, who, text = found.groups()
            at = _instant(f"{day} {clock}") + timedelta(days=len(next_day))
            chats[-1].messages.append(Message(at, _account(who, buyer), text, part))
        else:
            raise ValueError(f"{path.name}, line {number}: not a scene line")
    return chats, orders


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")


def _account(who: str, buyer: str) -> str:
    others = {"客": buyer, "机": f"{SHOP}:{layouts.ROBOT}", "主": SHOP}
    return others[who] if who in others else f"{SHOP}:{AGENTS[who]}"


def _everyday(buyer: str, line: str) -> Chat:
    _, day, clock, who, template, goods, *waits = line.split(" ")
    at, left = _instant(f"{day} {clock}"), [int(wait) for wait in waits]
    chat = Chat(buyer, who)
    for side, delay, text in TEMPLATES[template]:
        at += timedelta(seconds=left.pop(0) if isinstance(delay, str) else delay)
        sender = _account(who if side == "服" else "客", buyer)
        chat.messages.append(Message(at, sender, text.format(goods=goods)))
    if left:
        raise ValueError(f"{buyer}: {len(left)} waits too many")
    return chat


def _order(buyer: str, line: str) -> Order:
    created, paid, yuan, items, goods, *rest = line[2:].split(" | ")
    order = Order(buyer, _instant(created), None if paid == "-" else _instant(paid), yuan, int(items), goods)
    for entry in rest:
        key, _, value = entry.partition(" ")
        if key == "发":
            order.shipped = _instant(value)
        elif key == "收":
            order.finished = _instant(value)
        elif key == "退":
            order.refund_yuan, order.refunded = value.split(" ")[0], _instant(value.split(" ", 1)[1])
        elif key == "关":
            order.close_reason, order.closed = value.split(" ")[0], _instant(value.split(" ", 1)[1])
        elif key == "备":
            order.memo = value
        elif key == "邮":
            order.fee_yuan = value
        elif key == "昵":
            order.buyer = value
        else:
            raise ValueError(f"order of {buyer}: {key} is not known")
    return order


def txt_export(chats: list[Chat], who: str, first: str, last: str) -> bytes:
    """The Txt export of one agent over whole days; blocks with the latest message first, as the client lists them."""
    blocks: dict[str, list[Message]] = {}
    for chat in chats:
        if who in chat.exports:
            held = [message for message in chat.messages if first <= f"{message.sent_at:%Y-%m-%d}" <= last]
            if held:
                blocks.setdefault(chat.buyer, []).extend(held)
    login = f"{SHOP}:{AGENTS[who]}"
    parts = [layouts.txt_header(login)]
    for buyer, messages in sorted(
        blocks.items(), key=lambda block: max(m.sent_at for m in block[1]), reverse=True
    ):
        parts.append(layouts.txt_contact(buyer))
        for message in messages:
            placeholder = re.fullmatch(r"\[\S{2}\]", message.text) is not None
            at = f"{message.sent_at:%Y-%m-%d %H:%M:%S}"
            parts.append(layouts.txt_message(message.sender, at, message.text, placeholder))
    group = layouts.txt_contact("云朵家居客服交接群")
    group += layouts.txt_message(SHOP, f"{first} 08:50:00", "大家早，今天记得看交接表", False)
    group += layouts.txt_message(login, f"{first} 08:51:10", "收到", False)
    parts.append(layouts.txt_group_section(group))
    # The client writes ? for what GBK does not have; the first export also holds one byte cut in half.
    broken = b"\xff" if (who, first) == ("美", "2024-11-01") else b"?"
    return "".join(parts).encode("gbk", errors="replace").replace(BROKEN.encode("gbk"), broken)


def copied_window(chat: Chat) -> bytes:
    """A chat copied from the window (formats 2): month and day not padded, status lines, lines without a time."""
    lines: list[str] = []
    last_of_staff = max(index for index, m in enumerate(chat.messages) if m.sender != chat.buyer)
    for index, message in enumerate(chat.messages):
        if message.text.startswith("当前用户来自") or " 转交给 " in message.text:
            lines.extend(message.text.split("\n"))
            continue
        if message.text == "你撤回了一条消息":
            lines.append(f"{message.sender} 撤回了一条消息")
            continue
        at = message.sent_at
        lines.append(f"{message.sender} {at.year}-{at.month}-{at.day} {at:%H:%M:%S}")
        lines.extend(message.text.split("\n"))
        if message.sender != chat.buyer:
            lines.append("未读" if index == last_of_staff else "已读")
    return (layouts.LINE_END.join(lines) + layouts.LINE_END).encode("utf-8")


def message_table(chats: list[Chat]) -> bytes:
    """One row per message (formats 4.3), with columns that state buyer, agent and shop of each row."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=layouts.LINE_END)
    # With these three columns every row stands for itself, so the table can be cut anywhere.
    writer.writerow((*layouts.TABLE_HEADER, "客户", "客服", "店铺"))
    session = 0
    for chat in chats:
        if "表" not in chat.exports:
            continue
        served_by = {m.part: m.sender for m in chat.messages if m.sender != chat.buyer}
        for message in chat.messages:
            at = message.sent_at
            side = "客户" if message.sender == chat.buyer else "客服"
            identifier = f"S{at:%Y%m%d}{session + message.part + 1:04d}"
            row = (
                identifier,
                f"{at:%Y-%m-%d}",
                f"{at:%H:%M:%S}",
                side,
                message.sender,
                message.text,
                "已读",
                *chat.goods,
                chat.buyer,
                served_by[message.part],
                SHOP,
            )
            writer.writerow(row)
        session += chat.messages[-1].part + 1
    return out.getvalue().encode("utf-8-sig")


def order_export(orders: list[Order], as_of: str) -> bytes:
    """``ExportOrderList*.csv`` with the orders in their states at ``as_of``."""
    now = _instant(as_of)

    def known(at: datetime | None) -> str:
        return f"{at:%Y-%m-%d %H:%M:%S}" if at is not None and at <= now else ""

    lines = [layouts.order_header()]
    for number, order in enumerate(sorted(orders, key=lambda order: order.created)):
        if order.created > now:
            continue
        paid = order.yuan if known(order.paid) else "0.00"
        finished = known(order.finished)
        if known(order.closed):
            state = layouts.CLOSED
        elif finished:
            state = layouts.FINISHED
        elif known(order.shipped):
            state = layouts.SHIPPED
        else:
            state = layouts.PAID if known(order.paid) else layouts.WAIT_PAY
        lines.append(
            layouts.order_line(
                {
                    "订单编号": str(3_310_000_000_000_000_000 + number * 100_003),
                    "买家会员名": order.buyer,
                    "买家应付货款": f"{float(order.yuan) - float(order.fee_yuan):.2f}",
                    "买家应付邮费": order.fee_yuan,
                    "总金额": order.yuan,
                    "买家实际支付金额": paid,
                    "订单状态": state,
                    "订单创建时间": known(order.created),
                    "订单付款时间 ": known(order.paid),
                    "宝贝标题 ": order.goods,
                    "宝贝种类 ": str(order.goods.count("，") + 1),
                    "物流单号 ": "No:YT****0000" if known(order.shipped) else "",
                    "物流公司": "圆通速递" if known(order.shipped) else "",
                    "订单备注": order.memo if known(order.paid) else "",
                    "宝贝总数量": str(order.items),
                    "店铺名称": SHOP,
                    "订单关闭原因": order.close_reason if known(order.closed) else "订单未关闭",
                    "退款金额": order.refund_yuan if known(order.refunded) else "0.00",
                    "确认收货时间": finished,
                    "打款商家金额": f"{paid if finished else '0.00'}元",
                }
            )
        )
    return "".join(lines).encode("gbk")


def files() -> Iterator[tuple[str, bytes]]:
    """Relative path and content of every generated file of sample_logs."""
    chats, orders = scenes()
    for who, first, last in TXT_EXPORTS:
        name = f"{AGENTS[who]}_{first.replace('-', '')}-{last.replace('-', '')}.txt"
        yield f"qn-txt/{name}", txt_export(chats, who, first, last)
    for chat in chats:
        if "窗" in chat.exports:
            yield f"qn-copy/{chat.buyer}.txt", copied_window(chat)
    yield "message-table/客服聊天明细_20241108.csv", message_table(chats)
    for as_of in ORDER_EXPORTS:
        stamp = re.sub(r"\D", "", as_of)[:12]
        yield f"tb-orders/ExportOrderList{stamp}.csv", order_export(orders, as_of)


def main() -> None:
    """Write the files; README.md and goldens beside them are left alone."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name, content in files():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main()
