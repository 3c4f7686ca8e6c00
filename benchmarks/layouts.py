"""The literals of real export files, byte for byte (formats 1.1, 2, 4.3 and 8.1).

Shared by the generator and by the hand-written sample, so that both write the same layouts.
Nothing here is read from cslog: the readers are tested against these literals.
"""

from __future__ import annotations

from collections.abc import Mapping

RULE = "=" * 64
SINGLE_CHATS = " " * 31 + "单聊" + " " * 29
GROUP_CHATS = " " * 31 + "群聊" + " " * 29
CONTACT_DASHES = "-" * 28
LINE_END = "\r\n"

ROBOT = "服务助手"

CSV_HEADER = ("买家昵称", "客服昵称", "发送时间", "发送方", "消息内容")
TABLE_HEADER = ("会话ID", "日期", "时间", "对象", "发话者", "消息", "消息状态", "商品ID", "商品")

# The 2018-19 generation; these headers end with a space in the csv: 收货地址, 联系电话, 订单付款时间, 宝贝标题,
# 宝贝种类, 物流单号.
ORDER_HEADER = (
    "订单编号", "买家会员名", "买家支付宝账号", "买家应付货款", "买家应付邮费", "买家支付积分", "总金额", "返点积分",
    "买家实际支付金额", "买家实际支付积分", "订单状态", "买家留言", "收货人姓名", "收货地址 ", "运送方式", "联系电话 ",
    "联系手机", "订单创建时间", "订单付款时间 ", "宝贝标题 ", "宝贝种类 ", "物流单号 ", "物流公司", "订单备注",
    "宝贝总数量", "店铺Id", "店铺名称", "订单关闭原因", "卖家服务费", "买家服务费", "发票抬头", "是否手机订单",
    "分阶段订单信息", "特权订金订单id", "是否上传合同照片", "是否上传小票", "是否代付", "定金排名", "修改后的sku",
    "修改后的收货地址", "异常信息", "天猫卡券抵扣", "集分宝抵扣", "是否是O2O交易", "新零售交易类型",
    "新零售导购门店名称", "新零售导购门店id", "新零售发货门店名称", "新零售发货门店id", "退款金额", "预约门店",
    "确认收货时间", "打款商家金额", "含应开票给个人的个人红包",
)  # fmt: skip

WAIT_PAY = "等待买家付款"
PAID = "买家已付款，等待卖家发货"
SHIPPED = "卖家已发货，等待买家确认"
FINISHED = "交易成功"
CLOSED = "交易关闭"

# What every invented order says alike. Phones and addresses are masked already in the data.
_ORDER_DEFAULTS = {
    "买家支付宝账号": "***@example.com",
    "买家应付邮费": "0.00",
    "买家支付积分": "0",
    "返点积分": "0",
    "买家实际支付积分": "0",
    "收货人姓名": "**",
    "收货地址 ": "某省 某市 某区 ****(000000)",
    "运送方式": "快递",
    "联系手机": "'139****0000",
    "宝贝种类 ": "1",
    "店铺Id": "0",
    "订单关闭原因": "订单未关闭",
    "卖家服务费": "0",
    "买家服务费": "0元",
    "是否手机订单": "手机订单",
    "是否上传合同照片": "否",
    "是否上传小票": "否",
    "是否代付": "否",
    "退款金额": "0.00",
    "打款商家金额": "0.00元",
}

_FORMULA_COLUMNS = frozenset({"订单编号", "特权订金订单id"})


def txt_header(login: str) -> str:
    """Head of a Txt export up to the first contact line; ``login`` is the exporter's account (line 0)."""
    return LINE_END.join((login, "", RULE, SINGLE_CHATS, RULE, "", "", ""))


def txt_contact(buyer: str) -> str:
    """The line that opens a contact block."""
    return f"{CONTACT_DASHES}{buyer}{CONTACT_DASHES}{LINE_END}"


def txt_message(sender: str, sent_at: str, text: str, placeholder: bool) -> str:
    """One message; two blanks before a text, one before a placeholder such as ``[图片]``."""
    body = text.replace("\n", LINE_END)
    return f"{sender}({sent_at}): {'' if placeholder else ' '}{body}{LINE_END}"


def txt_group_section(lines: str = "") -> str:
    """The group part at the end of a Txt export; readers of customer chats stop here."""
    return LINE_END.join(("", RULE, GROUP_CHATS, RULE, "", "", "")) + lines


def order_line(values: Mapping[str, str]) -> str:
    """One data row of ``ExportOrderList*.csv``; absent columns are filled as an ordinary order has them.

    Every field is quoted; the order number is an Excel formula with ``=`` outside the quotes.
    """
    row = _ORDER_DEFAULTS | dict(values)
    cells = []
    for column in ORDER_HEADER:
        cell = row.get(column, "").replace('"', '""')
        cells.append(f'="{cell}"' if column in _FORMULA_COLUMNS else f'"{cell}"')
    return ",".join(cells) + LINE_END


def order_header() -> str:
    """The header row of ``ExportOrderList*.csv``."""
    return ",".join(f'"{column}"' for column in ORDER_HEADER) + LINE_END


def csv_cell(text: str) -> str:
    """One cell by RFC 4180: quoted only when it has to be."""
    if any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text
