"""tb-orders: every header generation and quirk of formats 8.1, and the item tables of 8.2."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from cslog.errors import ReadError
from cslog.readers.base import Batch, Options
from cslog.readers.head import Head
from cslog.readers.tb_orders import STATES, TbOrders, cents
from cslog.schema import OrderState
from tests.readers.batches import at
from tests.readers.tables import text_file, workbook

TITLES_2016 = (
    "订单编号,买家会员名,买家支付宝账号,买家应付货款,买家应付邮费,买家支付积分,总金额,返点积分,买家实际支付金额,"
    "买家实际支付积分,订单状态,买家留言,收货人姓名,收货地址 ,运送方式,联系电话 ,联系手机,订单创建时间,订单付款时间 ,"
    "宝贝标题 ,宝贝种类 ,物流单号 ,物流公司,订单备注,宝贝总数量,店铺Id,店铺名称,订单关闭原因,卖家服务费,买家服务费,"
    "发票抬头,是否手机订单,分阶段订单信息,定金排名,修改后的sku,修改后的收货地址,异常信息,天猫卡券抵扣,集分宝抵扣,是否是O2O交易"
)
BASE_2016 = TITLES_2016.split(",")
GENERATIONS = {
    "2016": BASE_2016,
    "2017": [*BASE_2016[:33], "是否上传合同照片", "是否上传小票", "是否代付", *BASE_2016[33:], "退款金额", "预约门店"],
    "2019": [BASE_2016[0], "支付单号", *BASE_2016[1:], "退款金额", "预约门店", "确认收货时间", "打款商家金额"],
    "2021": [
        "主订单编号", "买家会员名", "支付单号", "支付详情", "买家应付货款", "买家应付邮费", "总金额", "买家实际支付金额",
        "订单状态", "订单创建时间", "订单付款时间", "宝贝总数量", "店铺名称", "订单关闭原因", "退款金额", "返现金额",
        "发货时间", "商家备注", "商家备注旗帜",
    ],
    "custom": [
        "订单编号", "买家昵称", "买家应付邮费", "买家实付金额", "订单状态", "买家下单时间", "买家付款时间", "运单号", "宝贝规格",
        "购买数量", "店铺名称", "订单关闭原因", "退款金额(元)", "商家备忘", "旗帜",
    ],
}  # fmt: skip
VALUES = {
    "订单编号": "3515313147329123", "主订单编号": "3515313147329123", "买家会员名": "buyer_a", "买家昵称": "buyer_a",
    "买家应付邮费": "5.00", "买家实际支付金额": "201.12", "买家实付金额": "201.12", "总金额": "999.99",
    "打款商家金额": "12.00元", "返现金额": "3", "订单状态": "买家已付款，等待卖家发货", "订单创建时间": "2017-07-08 00:42:32",
    "买家下单时间": "2017-07-08 00:42:32", "订单付款时间": "2017-07-08 00:42:39", "买家付款时间": "2017-07-08 00:42:39",
    "宝贝总数量": "2", "购买数量": "2", "店铺名称": "某海外生活", "订单关闭原因": "订单未关闭", "退款金额": "1.50",
    "退款金额(元)": "1.50", "订单备注": "顺丰", "商家备忘": "顺丰", "商家备注": "顺丰", "旗帜": "红旗", "商家备注旗帜": "红旗",
    "联系手机": "'13900000000", "买家服务费": "0元",
}  # fmt: skip


def read(head: Head) -> Batch:
    reader = TbOrders()
    assert reader.identify(head)
    return reader.read(head, Options()).validated("test")


def one(batch: Batch) -> dict[str, Any]:
    assert batch.orders is not None
    assert batch.rejects is not None
    assert batch.rejects.is_empty(), batch.rejects
    return batch.orders.row(0, named=True)


def values_of(header: list[str], **changed: str) -> list[str]:
    return [changed.get(title.strip(), VALUES.get(title.strip(), "")) for title in header]


def report(header: list[str], *records: list[str]) -> Head:
    """An ExportOrderList csv: GBK, CRLF, everything quoted, the = of the formula outside the quotes."""

    def line(cells: list[str]) -> str:
        head, *rest = cells
        return ",".join(
            [f'="{head}"', *('=""' if number == 20 else f'"{cell}"' for number, cell in enumerate(rest))]
        )

    text = "\r\n".join([",".join(f'"{title}"' for title in header), *map(line, records), ""])
    return text_file("ExportOrderList201707080000.csv", text, "gb18030")


SHORT = ["订单编号", "买家会员名", "买家实际支付金额", "订单状态", "订单创建时间", "订单付款时间 "]


def short(*records: str, separator: str = ",") -> Head:
    return text_file("a.csv", "\n".join([separator.join(SHORT), *records]) + "\n")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_generation_of_headers(generation: str) -> None:
    header = GENERATIONS[generation]
    found = one(read(report(header, values_of(header))))
    expected = {
        "line": 2,
        "order_id": "3515313147329123",
        "shop": "某海外生活",
        "buyer": "buyer_a",
        "created_at": at("2017-07-08 00:42:32"),
        "paid_at": at("2017-07-08 00:42:39"),
        "shipped_at": None,
        "state": OrderState.PAID,
        "amount_cents": 20112,
        "post_fee_cents": 500,
        "refund_cents": 150 if generation != "2016" else None,
        "items": 2,
        "memo": "顺丰",
        "flag": "红旗" if generation in ("2021", "custom") else None,
        "close_reason": "订单未关闭",
    }
    assert found == expected


def test_verbatim_row_of_the_format_notes() -> None:
    header = GENERATIONS["2017"][:46]
    row = (
        '="3515313147329123","tb612001","x@example.com","201.12","0.00","0","201.12","0","201.12","0",'
        '"买家已付款，等待卖家发货","","薛**","广东省 广州市 越秀区 …(510180)","快递","","\'13900000165",'
        '"2017-07-08 00:42:32","2017-07-08 00:42:39","【顺丰包邮】…雪平锅不锈钢","1","","","","1","0","某海外生活",'
        '"订单未关闭","0","0元","","手机订单","",="","否","否","否","","","","","","","","0.00",""'
    )
    # The row of the notes has one cell more than their header: its last is empty, which is no reason to reject it.
    text = ",".join(f'"{title}"' for title in header) + "\r\n" + row + "\r\n"
    found = one(read(text_file("ExportOrderList.csv", text, "gb18030")))
    assert (found["order_id"], found["buyer"], found["amount_cents"]) == (
        "3515313147329123",
        "tb612001",
        20112,
    )
    assert (found["shop"], found["items"], found["memo"]) == ("某海外生活", 1, None)


def test_excel_resave_with_tabs_and_slashes() -> None:
    head = short(
        "'3515313147329123\tbuyer_a\t1,299\t交易成功\t2016/5/23 22:02\t2016/5/23 9:05", separator="\t"
    )
    found = one(read(head))
    assert found["created_at"] == at("2016-05-23 22:02:00")
    assert found["paid_at"] == at("2016-05-23 09:05:00")
    assert found["amount_cents"] == 129900


def test_workbook_with_text_and_real_dates() -> None:
    row = [
        "3515313147329123124",
        "t**1",
        201.12,
        "卖家已发货，等待买家确认",
        datetime.datetime(2021, 6, 1, 0, 0),
        "-",
    ]
    found = one(read(workbook("订单.xlsx", {"说明": [["请勿修改"]], "订单": [SHORT, row]})))
    assert found["order_id"] == "3515313147329123124"
    assert found["buyer"] == "t**1"
    assert found["amount_cents"] == 20112
    assert found["created_at"] == at("2021-06-01 00:00:00")
    assert found["paid_at"] is None


def test_numeric_order_ids_below_2_to_53_are_exact() -> None:
    row = [3515313147329123, "b", 0, "交易成功", "2021-06-01 00:00:00", None]
    assert one(read(workbook("a.xlsx", {"s": [SHORT, row]})))["order_id"] == "3515313147329123"


def test_rounded_order_ids_refuse_the_file() -> None:
    rest = "b,1.00,交易成功,2021-06-01 00:00:00,"
    with pytest.raises(ReadError, match="line 3: Excel has rounded the numbers in column 订单编号") as caught:
        read(short(f"3515313147329123,{rest}", f"3.51531E+15,{rest}"))
    assert "export the file again" in caught.value.hint
    row = ["b", 1, "交易成功", "2021-06-01 00:00:00", None]
    mixed = [SHORT, ["3515313147329123124", *row], [3515313147329123124, *row]]
    with pytest.raises(ReadError, match="line 3: Excel has rounded"):
        read(workbook("a.xlsx", {"s": mixed}))
    with pytest.raises(ReadError, match="rounded"):
        read(short(*(f"3515313147329{number}0000,{rest}" for number in range(10, 13))))


def test_text_ids_that_a_double_could_hold_are_not_refused() -> None:
    row = ["3515313147329124096", "b", 1, "交易成功", "2021-06-01 00:00:00", None]
    assert one(read(workbook("a.xlsx", {"s": [SHORT, row]})))["order_id"] == "3515313147329124096"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("201.12", 20112), ("0", 0), ("¥1,299.00", 129900), ("￥ 12.5", 1250), ("12.00元", 1200), ("1，299.00", 129900),
        ("0.10", 10), ("12.000", 1200), ("12.345", None), ("", None), ("免费", None), ("1e5", None), ("1.", None),
        ("90071992547409.93", 9007199254740993),
    ],
)  # fmt: skip
def test_amounts_are_exact(written: str, expected: int | None) -> None:
    assert cents(written) == expected


@pytest.mark.parametrize(
    ("written", "state"),
    [
        ("等待买家付款", OrderState.WAIT_PAY),
        ("买家已付款，等待卖家发货", OrderState.PAID),
        ('"买家已付款,等待卖家发货"', OrderState.PAID),
        ("部分发货", OrderState.PARTLY_SHIPPED),
        ("卖家部分发货，等待其余", OrderState.PARTLY_SHIPPED),
        ("卖家已发货，等待买家确认", OrderState.SHIPPED),
        ("交易成功", OrderState.FINISHED),
        ("交易关闭", OrderState.CLOSED),
        ("WAIT_BUYER_PAY", OrderState.WAIT_PAY),
        ("WAIT_SELLER_SEND_GOODS", OrderState.PAID),
        ("WAIT_BUYER_CONFIRM_GOODS", OrderState.SHIPPED),
        ("TRADE_FINISHED", OrderState.FINISHED),
        ("TRADE_CLOSED", OrderState.CLOSED),
        ("TRADE_CLOSED_BY_TAOBAO", OrderState.CLOSED),
    ],
)
def test_states(written: str, state: OrderState) -> None:
    assert one(read(short(f"3515313147329123,b,1.00,{written},2021-06-01 00:00:00,")))["state"] == state


def test_states_cover_every_rank() -> None:
    assert set(STATES.values()) == {int(state) for state in OrderState}


def test_bad_rows_are_rejected_with_nothing_but_the_order_number() -> None:
    head = short(
        "3515313147329001,b,1.00,交易成功,2021-06-01 00:00:00,",
        "3515313147329002,b,1.00,火星,2021-06-01 00:00:00,",
        "3515313147329003,b,12.345,交易成功,2021-06-01 00:00:00,",
        "3515313147329004,b,1.00,交易成功,昨天,",
        "3515313147329005,b,1.00,交易成功,2021-06-01 00:00:00,昨天",
        ",b,1.00,交易成功,2021-06-01 00:00:00,",
        "13900000000,某路1号,b,1.00,交易成功,2021-06-01 00:00:00,x",
        "某路1号,b,1.00,交易成功,2021-06-01 00:00:00,",
        "3515313147329009,b,1.00,交易成功",
    )
    batch = read(head)
    assert batch.orders is not None
    assert batch.orders["line"].to_list() == [2]
    assert batch.rejects is not None
    assert batch.rejects.rows() == [
        (3, "order state is not known", "3515313147329002"),
        (4, "amount is not readable", "3515313147329003"),
        (5, "creation time is not readable", "3515313147329004"),
        (6, "payment time is not readable", "3515313147329005"),
        (7, "order number is not readable", ""),
        (8, "7 cells instead of 6", ""),
        (9, "order number is not readable", ""),
        (10, "4 cells instead of 6", "3515313147329009"),
    ]


def test_refund_without_an_application_is_none() -> None:
    header = [*SHORT, "退款金额 (无退款申请)"]
    text = ",".join(header) + "\n3515313147329123,b,1.00,交易成功,2021-06-01 00:00:00,,无退款申请\n"
    assert one(read(text_file("a.csv", text)))["refund_cents"] is None


@pytest.mark.parametrize(
    "header",
    [
        '"订单编号","标题","价格","购买数量","外部系统编号","商品属性","套餐信息","备注","订单状态","商家编码"',
        "子订单编号,主订单编号,买家昵称,商品标题,购买数量,订单状态,买家实付金额,订单创建时间,订单付款时间",
        "买家昵称,客服昵称,发送时间,发送方,消息内容",
    ],
)
def test_other_tables_are_not_claimed(header: str) -> None:
    assert not TbOrders().identify(text_file("a.csv", header + "\n"))


def test_nothing_readable_is_an_error() -> None:
    with pytest.raises(ReadError, match="none of 1 rows could be read; line 2: order state is not known"):
        read(short("3515313147329002,b,1.00,火星,2021-06-01 00:00:00,"))
