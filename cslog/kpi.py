"""A report from question to rows: plan the tasks, run them, finalise, and say what the reader must know."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace

import polars as pl

from cslog import cautions, clock, compute, metrics
from cslog.answer import Answer, Question
from cslog.compute import Task
from cslog.config import Config
from cslog.engine import local
from cslog.errors import UsageError
from cslog.facts import rules
from cslog.facts.circumstances import Circumstances, Duty
from cslog.facts.credit import memo_agents
from cslog.metrics import METRICS
from cslog.names import Names
from cslog.order_versions import fold_orders
from cslog.profile import Profile
from cslog.snapshot import Snapshot
from cslog.split import Split
from cslog.store import Store

_MESSAGES_PER_TASK = 1_000_000  # bounds the memory of a report, whatever its month holds
_SMALL = 500_000  # below this a second thread costs more than it brings


def report(
    question: Question,
    store: Store,
    profile: Profile,
    config: Config,
    on_done: Callable[[int, int], None] = lambda done, total: None,
) -> Answer:
    """Compute the answer to ``question`` from ``store``; an empty period gives no rows."""
    with store.reading():
        snapshot = store.snapshot(question.version)
        chats = snapshot.data_ends()
        ends = _data_ends(question, snapshot, config, chats)
        tasks = plan(question, snapshot, profile, config, ends)
        split = _split(question, profile, config)
        merged = local.run(tasks, split, on_done)
        frame = metrics.finalize(merged, split, profile, ends)
        keys = tuple(
            metric.key for metric in METRICS if not question.metrics or metric.key in question.metrics
        )
        return Answer(
            question=question,
            by=question.by,
            keys=keys,
            profile=profile,
            store_version=snapshot.store_version,
            as_of=min(ends.values(), default=question.as_of),
            config_hash=config.hash(profile),
            warnings=tuple(
                cautions.of(
                    question,
                    snapshot,
                    profile,
                    config,
                    chats,
                    ends,
                    frame,
                    keys,
                    merged,
                    compute.orders_of(tasks[0]),
                )
            ),
            frame=_labelled(frame, split, keys),
        )


def plan(
    question: Question,
    snapshot: Snapshot,
    profile: Profile,
    config: Config,
    ends: dict[str, int] | None = None,
) -> list[Task]:
    """The tasks whose facts, put together, hold every row of the answer to ``question``.

    What only all buyers together can tell is found out here: texts sent so often that they are automatic, and
    how long shifts went on.
    """
    if ends is None:
        ends = _data_ends(question, snapshot, config, snapshot.data_ends())
    circumstances = Circumstances(
        profile=profile,
        rule=question.attribution,
        data_ends=ends,
        config=config,
        names=_names(snapshot, ends, config, question.as_of),
        automatic=_automatic(question, snapshot, profile, config, ends),
    )
    split = _split(question, profile, config)
    tasks = list(_tasks(question, snapshot, split, circumstances))
    if profile.clock != "shift":
        return tasks
    rostered = replace(circumstances, duty=_duty(tasks, snapshot, ends, config))
    return [replace(task, circumstances=rostered) for task in tasks]


def _names(snapshot: Snapshot, ends: dict[str, int], config: Config, as_of: int | None) -> Names:
    """Every account that messages or seller memos name."""
    accounts = snapshot.accounts()
    if any(shop.memo for shop in config.shops.values()):
        orders = fold_orders(snapshot.order_versions().filter(pl.col("shop").is_in(sorted(ends))), as_of)
        accounts = pl.concat([accounts, memo_agents(orders, config).rename(accounts.name)])
    return Names.of(accounts, list(ends))


def _split(question: Question, profile: Profile, config: Config) -> Split:
    dimensions = tuple(name for name in dict.fromkeys(question.by) if name != "shop")
    split = Split(dimensions, question.period, profile.day_cut_s)
    if split.by_team:
        split = replace(split, teams=_teams(config))
    if split.by_shift:
        from cslog import roster

        found = roster.needed(config, question.period.first_day - 2, question.period.last_day + 2)
        split = replace(split, shifts=found.labels, shop_shifts=found.shop_labels)
    return split


def _teams(config: Config) -> pl.DataFrame:
    """shop, agent, team: the first team by name that lists the agent (definitions 46)."""
    if not any(shop.teams for shop in config.shops.values()):
        raise UsageError("no team is configured", 'add [shops."…".teams] to cslog.toml')
    rows = [
        (name, agent, team)
        for name, shop in config.shops.items()
        for team, agents in shop.teams.items()
        for agent in agents
    ]
    return (
        pl.DataFrame(rows, schema={"shop": pl.String, "agent": pl.String, "team": pl.String}, orient="row")
        .group_by("shop", "agent")
        .agg(pl.col("team").min())
    )


def _duty(tasks: list[Task], snapshot: Snapshot, ends: dict[str, int], config: Config) -> Duty:
    """Time on duty for all that the store knows, since chats of the period's orders may lie far from it."""
    from cslog import roster

    first, last = snapshot.range_until(max(ends.values(), default=0))
    found = roster.needed(config, first // clock.DAY_SECONDS - 2, last // clock.DAY_SECONDS + 2)
    longer = pl.concat(compute.extensions_of(task, found.shifts) for task in tasks)
    longer = longer.group_by("shop", "agent", "begin").agg(pl.col("end").max())
    columns = ["shop", "agent", "begin", "end"]
    worked = roster.united(pl.concat([found.ranges.select(columns), longer.select(columns)]))
    return Duty(agents=found.agents, rostered=found.ranges, worked=worked)


def _automatic(
    question: Question, snapshot: Snapshot, profile: Profile, config: Config, ends: dict[str, int]
) -> pl.DataFrame | None:
    """What statistics call an automatic reply, over all that is known: some facts lie far from the period."""
    if not config.auto_replies.statistical:
        return None
    last = question.as_of if question.as_of is not None else max(ends.values(), default=0)
    columns = ["shop", "buyer_key", "sent_at", "rank", "message_class", "kind", "message_key"]
    messages = snapshot.messages(*snapshot.range_until(last), columns).filter(
        pl.col("shop").is_in(sorted(ends))
    )
    return rules.automatic_keys(messages.collect(), config, profile.day_cut_s)


def _data_ends(
    question: Question, snapshot: Snapshot, config: Config, chats: dict[str, int]
) -> dict[str, int]:
    """Last second known of every shop that is asked for; ``chats``: last message second of the shops."""
    known = snapshot.order_ends() | chats  # a shop without chats ends with its orders
    wanted = _wanted_shops(question, config, known)
    return {
        shop: question.as_of if question.as_of is not None else end
        for shop, end in known.items()
        if shop in wanted
    }


def _wanted_shops(question: Question, config: Config, known: Iterable[str]) -> set[str]:
    if not question.shops:
        return set(known)
    wanted = {config.canonical_shop(name) for name in question.shops}
    missing = sorted(wanted - set(known))
    if missing and known:
        raise UsageError(f"the store has no shop {', '.join(missing)}", f"it has: {', '.join(sorted(known))}")
    return wanted


def _tasks(
    question: Question, snapshot: Snapshot, split: Split, circumstances: Circumstances
) -> Iterable[Task]:
    """Tasks over ranges of the buyer keys that weigh about the same."""
    first = split.period.first_day * clock.DAY_SECONDS
    last = (split.period.last_day + 1) * clock.DAY_SECONDS - 1
    messages = snapshot.count(first, last)
    count = max(1 if messages < _SMALL else 2, -(-messages // _MESSAGES_PER_TASK))
    bounds = snapshot.cuts(first, last, count)
    for low, high in itertools.pairwise(bounds):
        yield Task(
            folder=str(snapshot.folder),
            version=snapshot.store_version,
            split=split,
            circumstances=circumstances,
            measures=metrics.measures_of(metrics.resolved(circumstances.profile, split.by_agent)),
            as_of=question.as_of,
            agents=frozenset(question.agents) or None,
            low_key=low,
            high_key=high - 1,
        )


def _labelled(frame: pl.DataFrame, split: Split, keys: tuple[str, ...]) -> pl.DataFrame:
    frame = frame.rename({key: key.removeprefix("by_") for key in split.keys})
    if "day" in split.dimensions:
        frame = frame.with_columns(pl.from_epoch(pl.col("day"), time_unit="d").dt.strftime("%Y-%m-%d"))
    wanted = pl.col("immature").list.set_intersection(list(keys)).list.sort()
    return frame.select("shop", *split.dimensions, *keys, wanted.alias("immature"))
