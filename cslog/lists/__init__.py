"""Lists a supervisor works from: unanswered buyers, slow turns, lost inquiries, unpaid and silent orders ….

Here are their names alone, which cost nothing to import; cslog.lists.registry finds their rows.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Name:
    """What a list is called and what is on it."""

    name: str
    zh: str
    what: str
    what_zh: str


NAMES = (
    Name(
        "unanswered",
        "未回复买家",
        "Buyers who wait for an answer at an instant: now, or at a shift's end (handover 交接)",
        "某一时刻仍在等待回复的买家, 可用于交接班",
    ),
    Name(
        "slow",
        "慢响应",
        "Turns answered more slowly than the profile's limit, or not at all, longest wait first",
        "响应超过慢响应秒数或未回复的对话轮次, 等待最长的在前",
    ),
    Name(
        "lost",
        "询单流失",
        "Inquiries without an order, with the last messages of both sides",
        "没有下单的询单, 附双方最后几句话",
    ),
    Name(
        "unpaid",
        "催付",
        "Orders that nobody has paid yet, by owner, oldest first, with their age",
        "尚未付款的订单, 按负责客服分组, 最早的在前",
    ),
    Name(
        "silent",
        "静默订单",
        "Orders credited to nobody, of the night or of one shift if wanted",
        "没有客服归属的订单, 可只看夜间或某个班次",
    ),
    Name(
        "aftersale",
        "售后当日未回复",
        "Buyers with an after-sale question that nobody answered the same day",
        "售后咨询当天没有得到回复的买家",
    ),
    Name(
        "overload",
        "超负荷",
        "Agent-days with more buyers than a limit, with speed and quality beside",
        "当天接待人数超过上限的客服, 附响应与回复率",
    ),
    Name(
        "idle",
        "在线不应答",
        "Spans in which an agent was online and silent while buyers waited (空挂)",
        "客服在线却不回复、有买家在等待的时段(空挂)",
    ),
)
"""All lists."""

BY_NAME = {name.name: name for name in NAMES}
