"""The invented data: the bytes of the layouts, and that the truth told beside them is the truth."""

import csv
import io
import re
from collections import Counter, defaultdict
from datetime import date
from pathlib import Path

import naive
import numpy as np
import pytest
from naive import CHITU, DAY, Block, Export, Line

from benchmarks import generate, invent, layouts, make_sample, phrases
from cslog.readers.base import Options
from cslog.readers.head import Head
from cslog.readers.qn_txt import QnTxt
from cslog.readers.tb_orders import TbOrders

ROBOTS = (layouts.ROBOT,)
MESSAGE = re.compile(rb"^[^\r\n]+\(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\): {1,2}", re.M)


@pytest.fixture(scope="module")
def month():
    return generate.small_month(seed=3, messages=2000, agents=4)


def contents(written):
    return {file.path.name: file.path.read_bytes() for file in written}


def single_chats(content):
    """The part of a Txt export before the group section."""
    return content[: content.index(layouts.GROUP_CHATS.encode("gbk"))]


def export_of(content, name):
    """A Txt export as the oracle takes it, read by cslog's own reader; nothing may be rejected."""
    batch = QnTxt().read(Head(name, content), Options())
    assert batch.rejects is None or batch.rejects.is_empty()
    blocks = defaultdict(list)
    buyers = {}
    for row in batch.messages.iter_rows(named=True):
        text = f"[自动回复]{row['text']}" if row["auto"] else row["text"]
        blocks[row["block"]].append(Line(row["sent_at"], row["sender"], text))
        buyers[row["block"]] = row["buyer"]
    return Export(
        batch.shop, batch.exporter, [Block(buyers[block], lines) for block, lines in blocks.items()]
    )


def owners_of(exports):
    """Every message of the exports after merging, with its owner (kpi-spec I2, I3), counted."""
    shop = exports[0].shop
    found = Counter()
    for messages in naive.merge(shop, exports, ROBOTS, None).values():
        for m in naive.with_agents(messages, shop, CHITU):
            found[m.buyer, m.sender, m.ts, m.kind, naive.normalised(m.text), m.agent] += 1
    return found


class TestGenerator:
    def test_a_seed_gives_the_same_files_and_another_seed_others(self, tmp_path):
        def everything(seed, folder):
            invented = generate.small_month(seed, messages=300, shops_=2)
            files = [
                *generate.write_txt(invented, folder, files_per_agent=2),
                *generate.write_csv(invented, folder),
                *generate.write_orders(invented, folder),
            ]
            return {file.path.relative_to(folder): file.path.read_bytes() for file in files}

        first = everything(5, tmp_path / "a")
        assert first == everything(5, tmp_path / "b")
        assert first != everything(6, tmp_path / "c")

    def test_a_shop_does_not_depend_on_how_many_there_are(self):
        one = generate.generate(generate.Config(messages=500, seed=9, shops=1, agents=3))
        two = generate.generate(generate.Config(messages=1000, seed=9, shops=2, agents=3))
        assert one.shops[0].frame().equals(two.shops[0].frame())
        assert two.shops[0].name != two.shops[1].name

    def test_about_as_many_messages_as_asked(self):
        shop = generate.generate(generate.Config(messages=50_000, agents=10)).shops[0]
        assert abs(len(shop) - 50_000) < 250
        share = np.bincount(shop.role, minlength=5) / len(shop)
        assert 0.03 < share[invent.ROBOT] < 0.07
        assert 0.005 < share[invent.SYSTEM] + share[invent.TRANSFER] < 0.02
        assert 8 < len(shop) / len(shop.session_buyer) < 12

    def test_conversations_run_forward_and_sessions_of_a_buyer_lie_apart(self, month):
        shop = month.shops[0]
        same_buyer = np.diff(shop.session_buyer[shop.session]) == 0
        step = np.diff(shop.sent_at)[same_buyer]
        assert (step >= 0).all()
        new_session = (np.diff(shop.session) > 0)[same_buyer]
        assert (step[new_session] >= invent.BETWEEN_SESSIONS_S).all()
        assert (step[~new_session] < invent.BETWEEN_SESSIONS_S * 2).all()

    def test_the_literals_of_a_txt_export(self, month, tmp_path):
        for content in contents(generate.write_txt(month, tmp_path)).values():
            assert b"\n" not in content.replace(b"\r\n", b"")
            lines = content.decode("gbk").split("\r\n")
            assert lines[0].startswith(f"{month.shops[0].name}:")
            assert lines[1:7] == ["", "=" * 64, " " * 31 + "单聊" + " " * 29, "=" * 64, "", ""]
            assert len(lines[3].encode("gbk")) == 64
            contacts = [line for line in lines if line.startswith("-" * 28)]
            assert all(re.fullmatch(r"-{28}[^-].*[^-]-{28}", line) for line in contacts)
            group = lines.index(" " * 31 + "群聊" + " " * 29)
            assert lines[group - 2 : group + 4] == ["", "=" * 64, lines[group], "=" * 64, "", ""]
            heads = [
                line
                for line in lines[:group]
                if re.match(r"^[^()]+.*\(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\): ", line)
            ]
            for line in heads:
                blanks, text = re.search(r"\d\d\):( {1,2})(?! )(.*)$", line).groups()
                assert len(blanks) == (1 if re.fullmatch(r"\[\S\S\]", text) else 2), line

    def test_a_txt_export_counts_what_it_says(self, month, tmp_path):
        shop = month.shops[0]
        written = generate.write_txt(month, tmp_path)
        for file in written:
            assert len(MESSAGE.findall(single_chats(file.path.read_bytes()))) == file.rows
        moved = shop.session_next_agent[shop.session] >= 0
        assert moved.any()
        assert sum(file.rows for file in written) == len(shop) + moved.sum()

    @pytest.mark.parametrize("files_per_agent", [1, 4])
    def test_readers_find_the_truth_in_txt(self, month, tmp_path, files_per_agent):
        shop = month.shops[0]
        written = generate.write_txt(month, tmp_path, files_per_agent)
        truth = Counter()
        for row in shop.frame().iter_rows(named=True):
            says = {invent.BUYER: row["agent"], invent.ROBOT: row["sender"], invent.AGENT: row["sender"]}
            owner = says.get(row["role"])
            agent = None if owner is None else owner.split(":")[1]
            text = row["text"].encode("gbk", errors="replace").decode("gbk")
            key = (row["sent_at"], naive.kind_of(text), naive.normalised(text), agent)
            truth[(row["buyer"], row["sender"], *key)] += 1
        exports = [export_of(content, name) for name, content in contents(written).items()]
        assert owners_of(exports) == truth

    def test_parts_of_an_agent_overlap(self, month, tmp_path):
        whole = sum(file.rows for file in generate.write_txt(month, tmp_path / "whole"))
        parts = generate.write_txt(month, tmp_path / "parts", files_per_agent=3)
        assert len(parts) == 12
        assert sum(file.rows for file in parts) > whole

    @pytest.mark.parametrize("encoding", ["gb18030", "utf-8-sig"])
    def test_csv_holds_every_message_once(self, month, tmp_path, encoding):
        shop = month.shops[0]
        frame = shop.frame()
        said = ("买家", "客服", "机器人", "系统", "系统")
        truth = Counter(
            (row["buyer"], row["sent_at"], said[row["role"]], row["text"])
            for row in frame.iter_rows(named=True)
        )
        found = Counter()
        for file in generate.write_csv(month, tmp_path, encoding):
            rows = csv.DictReader(io.StringIO(file.path.read_bytes().decode(encoding), newline=""))
            assert tuple(rows.fieldnames) == layouts.CSV_HEADER
            before = found.total()
            for row in rows:
                day, clock = row["发送时间"].split(" ")
                hours, minutes, seconds = map(int, clock.split(":"))
                at = (
                    (date.fromisoformat(day) - invent.EPOCH).days * DAY
                    + hours * 3600
                    + minutes * 60
                    + seconds
                )
                found[row["买家昵称"], at, row["发送方"], row["消息内容"]] += 1
                assert (row["客服昵称"].split(":")[1] == layouts.ROBOT) == (row["发送方"] == "机器人")
            assert found.total() - before == file.rows
        assert found == truth

    def test_chunks_leave_no_seam(self, month, tmp_path, monkeypatch):
        whole = contents(
            generate.write_txt(month, tmp_path / "a") + generate.write_csv(month, tmp_path / "a")
        )
        monkeypatch.setattr(generate, "CHUNK", 7)
        assert (
            contents(generate.write_txt(month, tmp_path / "b") + generate.write_csv(month, tmp_path / "b"))
            == whole
        )

    def test_orders_are_read_back(self, month, tmp_path):
        shop = month.shops[0]
        middle = month.config.start_at + 15 * DAY
        end = month.config.start_at + 45 * DAY
        for file, as_of in zip(
            generate.write_orders(month, tmp_path, (middle, end)), (middle, end), strict=True
        ):
            content = file.path.read_bytes()
            assert content.startswith('"订单编号","买家会员名"'.encode("gbk"))
            assert b'\r\n="35' in content
            assert '"联系电话 ","联系手机","订单创建时间","订单付款时间 "'.encode("gbk") in content
            batch = TbOrders().read(Head(file.path.name, content), Options())
            assert batch.rejects is None or batch.rejects.is_empty()
            columns = ["order_id", "buyer", "created_at", "paid_at", "amount_cents", "refund_cents"]
            truth = shop.order_frame(as_of)
            assert batch.orders.height == file.rows == truth.height > 0
            assert batch.orders.select(columns).equals(truth.select(columns))
        assert shop.order_frame(middle).height < shop.order_frame(end).height

    def test_texts_fit_their_encoding(self):
        nicks = generate.small_month(1, messages=5000).shops[0].buyers
        assert len(set(nicks)) == len(nicks)
        for name in (*nicks, *phrases.AGENT_NAMES):
            assert name.encode("gbk").decode("gbk") == name

    def test_the_command_writes_files(self, tmp_path, capsys):
        generate.main(["--messages", "400", "--agents", "3", "--layout", "csv", "--out", str(tmp_path)])
        assert "messages/s" in capsys.readouterr().err
        assert len(list(tmp_path.rglob("*.csv"))) == 4


class TestSample:
    def test_the_folder_holds_what_the_scenes_say(self):
        for name, content in make_sample.files():
            assert (make_sample.FOLDER / name).read_bytes() == content, (
                f"{name}: run benchmarks/make_sample.py"
            )

    def test_it_is_small_and_rich(self):
        chats, orders = make_sample.scenes()
        assert 400 <= sum(len(chat.messages) for chat in chats) <= 700
        assert len({chat.buyer for chat in chats}) >= 60
        assert len(orders) >= 45
        last = max(message.sent_at for chat in chats for message in chat.messages)
        assert last.date() == date(2024, 12, 6)  # the conversions of 30 November are final (definitions 29)
        for chat in chats:
            times = [message.sent_at for message in chat.messages]
            assert times == sorted(times), chat.buyer

    def test_nobody_can_be_reached(self):
        for _, content in make_sample.files():
            text = content.decode("gb18030", errors="replace")
            assert not re.search(r"(?<!\d)1\d{10}(?!\d)", text)  # a mobile phone
            assert "@qq" not in text

    def test_the_special_bytes(self):
        held = dict(make_sample.files())
        early, late = held["qn-txt/小美_20241101-20241120.txt"], held["qn-txt/小美_20241115-20241206.txt"]
        assert early.count(b"\xff") == 1
        assert b"\xff" not in late
        both = "有这个颜色吗".encode("gbk") + b"?"  # the client writes ? where GBK has no character
        assert both in early
        copied = held["qn-copy/晴天小屋.txt"].decode("utf-8")
        assert "有这个颜色吗😊\r\n" in copied
        assert "晴天小屋 2024-11-6 10:12:00\r\n" in copied
        assert held["message-table/客服聊天明细_20241108.csv"].startswith("\ufeff会话ID,日期".encode())

    def test_scenes_that_are_no_scenes_are_named(self, tmp_path):
        path = tmp_path / "scenes.txt"
        path.write_text("## 某人\n@ 2024-11-01 美\nwhat is this\n", encoding="utf-8")
        with pytest.raises(ValueError, match="line 3"):
            make_sample.scenes(path)

    def test_cutting_an_export_moves_no_message_to_another_agent(self):
        """Every cut at midnight, and all cuts between blocks and days together, leave the owners as they are."""
        exports = [
            export_of(content, name) for name, content in make_sample.files() if name.startswith("qn-txt/")
        ]
        whole = owners_of(exports)

        def part(export, keep):
            blocks = [
                Block(b.buyer, [line for line in b.lines if keep(line.ts // DAY)]) for b in export.blocks
            ]
            return export._replace(blocks=[block for block in blocks if block.lines])

        for export in exports:
            others = [other for other in exports if other is not export]
            days = sorted({line.ts // DAY for block in export.blocks for line in block.lines})
            for day in days[1:]:
                halves = [part(export, lambda d, cut=day: d < cut), part(export, lambda d, cut=day: d >= cut)]
                assert owners_of([*others, *halves]) == whole, (export.login, day)
            splinters = [
                export._replace(blocks=[block])
                for one_day in days
                for block in part(export, lambda d, only=one_day: d == only).blocks
            ]
            assert owners_of([*others, *splinters]) == whole, export.login

    def test_every_file_named_in_the_readme_exists(self):
        readme = (make_sample.FOLDER / "README.md").read_text(encoding="utf-8")
        for name, _ in make_sample.files():
            assert Path(name).name in readme
        buyers = {chat.buyer for chat in make_sample.scenes()[0]}
        for nick in re.findall(r"^\| `([^`/]+)`", readme, re.M):
            assert nick in buyers or nick in {order.buyer for order in make_sample.scenes()[1]}
