-- All figures of `cslog kpi --month M` (profile chitu, clock wall, order_first, asof), one row per shop and agent.
--
-- Variables: files, later, newest, orders (lists of Parquet files), first_day, last_day, low, high. Shops and
-- agents are the store's integer keys, 0 for nobody.
--
-- pos = second, place in the second and side of a message in one integer: it sorts like the conversation, and
-- pos >> 24 is the second. Sides: 0 buyer, 1 staff, 2 a turn voided by a transfer.

-- ---- orders: the current version of each (kpi-spec 4.6) -------------------------------------------------------
CREATE TEMP TABLE orders AS
WITH versions AS (
  SELECT platform, shop, order_id, buyer_key, joinable, created_at, paid_at, state, amount_cents, items,
    refund_cents, shipped_at, content_key
  FROM read_parquet(getvariable('orders'), hive_partitioning = false)
  WHERE created_at < (getvariable('last_day') + 3) * 86400
), current AS (
  SELECT shop, order_id,
    coalesce(min(buyer_key) FILTER (joinable), any_value(buyer_key)) AS buyer_key,
    bool_or(joinable) AS joinable,
    min(created_at) AS created_at, min(paid_at) AS paid_at,
    arg_max({amount: amount_cents, items: items},
      (state, coalesce(refund_cents, 0), coalesce(shipped_at, -1), content_key)) AS now
  FROM versions GROUP BY platform, shop, order_id
)
SELECT shop, order_id, buyer_key, joinable, created_at, paid_at, greatest(now.amount, 0) AS amount_cents,
  now.items AS items, created_at // 86400 AS created_day, paid_at // 86400 AS paid_day
FROM current
WHERE created_at >= (getvariable('first_day') - 22) * 86400 OR paid_at >= (getvariable('first_day') - 22) * 86400;

-- Buyers whose orders need messages from outside the usual range.
CREATE TEMP TABLE reach AS
SELECT buyer_key,
  least(min(created_at), coalesce(min(paid_at), 1::BIGINT << 50)) - 172800 - 3 * 86400 AS low,
  greatest(max(created_at), coalesce(max(paid_at), 0)) + 3 * 86400 AS high
FROM orders
WHERE joinable AND (
  created_at BETWEEN (getvariable('first_day') - 3) * 86400 AND (getvariable('last_day') + 3) * 86400
  OR paid_at BETWEEN getvariable('first_day') * 86400 AND (getvariable('last_day') + 1) * 86400)
GROUP BY buyer_key
HAVING low < getvariable('low') OR high > getvariable('high');

-- ---- messages that count, and transfer markers (kpi-spec M1, M3) ----------------------------------------------
CREATE TEMP VIEW stored AS
SELECT shop_key AS shop, buyer_key, sent_at, message_class, nullif(agent_key, 0) AS agent, nullif(exporter_key, 0) AS exporter,
  nullif(transfer_from_key, 0) AS transfer_from, nullif(transfer_to_key, 0) AS transfer_to, characters, kind != 0 OR characters > 0 AS visible,
  (sent_at << 24) | (rank::BIGINT << 4)
    | CASE message_class WHEN 0 THEN 0 WHEN 5 THEN 2 ELSE 4 END AS pos,
  CASE message_class WHEN 0 THEN 0 WHEN 5 THEN 2 ELSE 1 END::TINYINT AS who
FROM read_parquet(getvariable('files'), hive_partitioning = false)
WHERE message_class IN (0, 1, 2, 5);

CREATE TEMP VIEW loaded AS
SELECT * FROM stored WHERE sent_at BETWEEN getvariable('low') AND getvariable('high')
UNION ALL
SELECT stored.* FROM stored JOIN reach USING (buyer_key)
WHERE sent_at BETWEEN low AND high AND (sent_at < getvariable('low') OR sent_at > getvariable('high'));

-- Whose messages are they (kpi-spec I3)? Most are stated; the rest of these buyers' rows decide the others.
CREATE TEMP TABLE hard_rows AS
WITH hard AS (
  SELECT DISTINCT buyer_key FROM stored WHERE message_class = 5 OR (message_class = 0 AND agent IS NULL)
)
SELECT * FROM loaded WHERE buyer_key IN (SELECT buyer_key FROM hard);

CREATE TEMP MACRO owned(source) AS TABLE
WITH placed AS (
  SELECT *, max(CASE WHEN who < 2 THEN sent_at END) OVER (
    PARTITION BY buyer_key ORDER BY pos ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
  FROM query_table(source)
), in_runs AS (
  SELECT * EXCLUDE (before), who < 2 AND (before IS NULL OR sent_at - before >= 600) AS begins FROM placed
), marked AS (
  SELECT *,
    count(*) FILTER (begins) OVER so_far AS run,
    max(CASE WHEN begins THEN sent_at END) OVER so_far AS run_begin,
    last_value(CASE WHEN who = 2 THEN transfer_to END IGNORE NULLS) OVER so_far AS marked_for,
    max(CASE WHEN who = 2 THEN sent_at END) OVER so_far AS marked_at
  FROM in_runs WINDOW so_far AS (PARTITION BY buyer_key ORDER BY pos ROWS UNBOUNDED PRECEDING)
)
SELECT shop, buyer_key, sent_at, pos, who, transfer_from, transfer_to, characters, visible,
  CASE
    WHEN who = 2 THEN NULL
    WHEN agent IS NOT NULL THEN agent
    WHEN marked_at >= run_begin THEN marked_for
    ELSE coalesce(
      first_value(CASE WHEN who = 1 THEN agent END IGNORE NULLS) OVER (
        PARTITION BY buyer_key, run ORDER BY pos ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING),
      last_value(CASE WHEN who = 1 THEN agent END IGNORE NULLS) OVER (
        PARTITION BY buyer_key, run ORDER BY pos ROWS UNBOUNDED PRECEDING),
      exporter)
  END AS owner
FROM marked;

CREATE TEMP TABLE hard_owned AS SELECT * FROM owned('hard_rows');

-- A transfer X -> Y voids X's open turn and opens it for Y, unless Y answered before (definitions 8). Chains of
-- transfers inside one open turn are not followed.
CREATE TEMP TABLE moved AS
WITH markers AS (
  SELECT shop, buyer_key, pos, sent_at, transfer_from, transfer_to FROM hard_owned
  WHERE who = 2 AND transfer_from != transfer_to
), spoken AS (SELECT buyer_key, owner, pos, who FROM hard_owned WHERE who < 2 AND owner IS NOT NULL
), open_there AS (
  SELECT m.*, s.pos AS last_pos FROM markers m ASOF JOIN spoken s
    ON m.buyer_key = s.buyer_key AND m.transfer_from = s.owner AND m.pos > s.pos
  WHERE s.who = 0 AND m.sent_at - (s.pos >> 24) < 600
), here AS (
  SELECT m.*, s.pos AS other_pos, s.who AS other_who FROM open_there m ASOF LEFT JOIN spoken s
    ON m.buyer_key = s.buyer_key AND m.transfer_to = s.owner AND m.pos > s.pos
), thread AS (
  SELECT h.buyer_key, h.pos AS marker, s.pos, s.who,
    lag(s.pos) OVER w AS prev_pos, lag(s.who) OVER w AS prev_who
  FROM here h JOIN spoken s ON h.buyer_key = s.buyer_key AND h.transfer_from = s.owner AND s.pos < h.pos
  WINDOW w AS (PARTITION BY h.buyer_key, h.pos ORDER BY s.pos)
), opened AS (
  SELECT buyer_key, marker, max(pos) AS opened FROM thread
  WHERE who = 0 AND (prev_who IS NULL OR prev_who = 1 OR (pos >> 24) - (prev_pos >> 24) >= 600)
  GROUP BY ALL
)
SELECT h.shop, h.buyer_key, h.pos, h.transfer_from, h.transfer_to, h.last_pos,
  coalesce(h.other_who = 0 AND h.sent_at - (h.other_pos >> 24) < 600, false) AS held
FROM here h JOIN opened o ON o.buyer_key = h.buyer_key AND o.marker = h.pos
WHERE NOT EXISTS (
  SELECT 1 FROM spoken s WHERE s.buyer_key = h.buyer_key AND s.owner = h.transfer_to AND s.who = 1
    AND s.pos > o.opened AND s.pos < h.pos);

-- ---- threads: what stands before and after each event (kpi-spec 2) ---------------------------------------------
CREATE TEMP TABLE events AS
WITH threads AS (
  SELECT shop, buyer_key, agent AS owner, pos, who AS side, true AS written, characters, visible
  FROM loaded ANTI JOIN (SELECT DISTINCT buyer_key FROM hard_rows) hard USING (buyer_key)
  UNION ALL
  SELECT shop, buyer_key, owner, pos, who, true, characters, visible FROM hard_owned WHERE who < 2
  UNION ALL
  SELECT shop, buyer_key, transfer_from, last_pos + 1, 2, false, 0, false FROM moved
  UNION ALL
  SELECT shop, buyer_key, transfer_to, pos, 0, false, 0, false FROM moved WHERE NOT held
), beside AS (
  SELECT *, lag(pos) OVER w AS prev_pos, lag(side) OVER w AS prev_side, lead(pos) OVER w AS next_pos,
    lead(side) OVER w AS next_side
  FROM threads WHERE owner IS NOT NULL
  WINDOW w AS (PARTITION BY buyer_key, owner ORDER BY pos)
), gaps AS (
  SELECT *, prev_pos IS NULL OR (pos >> 24) - (prev_pos >> 24) >= 600 AS begins,
    next_pos IS NULL OR (next_pos >> 24) - (pos >> 24) >= 600 AS ends
  FROM beside
)
SELECT shop, buyer_key, owner, pos, side, written, characters, visible, next_pos, next_side, begins, ends,
  side = 0 AND (begins OR prev_side != 0) AS opens,
  side = 0 AND (ends OR next_side != 0) AS closes
FROM gaps;

-- Turns close at the last buyer message before an answer, a silence or a transfer; sessions at a silence.
CREATE TEMP TABLE boundaries AS
SELECT shop, buyer_key, owner, pos, next_pos, next_side, ends, closes,
  last_value(CASE WHEN opens THEN pos END IGNORE NULLS) OVER w AS opened,
  last_value(CASE WHEN begins THEN pos END IGNORE NULLS) OVER w AS session_pos,
  last_value(CASE WHEN begins THEN side END IGNORE NULLS) OVER w AS started_by
FROM events WHERE begins OR ends OR opens OR closes
WINDOW w AS (PARTITION BY buyer_key, owner ORDER BY pos ROWS UNBOUNDED PRECEDING);

CREATE TEMP TABLE data_ends AS
SELECT shop_key AS shop, max(sent_at) AS data_end
FROM read_parquet(list_concat(getvariable('files'), getvariable('newest')), hive_partitioning = false) GROUP BY 1;

CREATE TEMP TABLE sessions AS
SELECT shop, buyer_key, owner, session_pos, session_pos >> 24 AS first_at, pos >> 24 AS last_at,
  (session_pos >> 24) // 86400 AS day, started_by
FROM boundaries WHERE ends;

CREATE TEMP TABLE turns AS
SELECT shop, buyer_key, owner, opened, opened >> 24 AS opened_at, (opened >> 24) // 86400 AS day, started_by,
  CASE WHEN NOT ends THEN (next_pos >> 24) - (opened >> 24) END AS wait_s,
  coalesce(ends AND next_side = 1, false) AS late,
  ends AND next_pos IS NULL AS unfollowed
FROM boundaries JOIN data_ends USING (shop)
WHERE closes AND NOT (NOT ends AND next_side = 2) AND NOT (next_pos IS NULL AND data_end - (pos >> 24) < 600);
DROP TABLE boundaries;

-- ---- peer-days -------------------------------------------------------------------------------------------------
CREATE TEMP TABLE peer_days AS
WITH said AS (
  SELECT shop, buyer_key, owner, (pos >> 24) // 86400 AS day,
    count(*) FILTER (side = 0 AND written) AS buyer_messages,
    count(*) FILTER (side = 1) AS agent_messages,
    sum(characters) FILTER (side = 1) AS agent_characters,
    bool_or(visible) AS visible,
    min(pos) FILTER (side = 0) AS asked,
    min(pos) AS first_pos, arg_min(side, pos) AS first_side,
    min(pos) FILTER (begins) AS first_begin,
    min(pos) FILTER (side = 1) >> 24 AS staff_first, max(pos) FILTER (side = 1) >> 24 AS staff_last
  FROM events WHERE side < 2 GROUP BY ALL
), turned AS (
  SELECT buyer_key, owner, day, min(opened) AS first_turn, bool_or(wait_s IS NOT NULL) AS answered,
    count(*) FILTER (wait_s IS NULL OR wait_s > 120) >= 3 AS slow
  FROM turns GROUP BY ALL
), long AS (SELECT DISTINCT buyer_key, owner, day FROM sessions WHERE last_at - first_at > 3600
), classed AS (
  SELECT said.*, first_turn, coalesce(answered, false) AS answered, coalesce(slow, false) AS slow,
    long.day IS NOT NULL AS long, asked >> 24 AS asked_at,
    asked IS NULL AND first_begin IS NULL AS spill,
    asked IS NULL OR (NOT visible AND buyer_messages + agent_messages > 0) AS is_filtered
  FROM said LEFT JOIN turned USING (buyer_key, owner, day) LEFT JOIN long USING (buyer_key, owner, day)
), judged AS (
  SELECT *, NOT spill AND is_filtered AS filtered,
    NOT spill AND NOT is_filtered AND (agent_messages > 0 OR answered) AS received,
    NOT spill AND NOT is_filtered AND NOT (agent_messages > 0 OR answered) AS unreplied
  FROM classed
)
SELECT j.* EXCLUDE (is_filtered), received OR unreplied AS consulted,
  -- Its first question goes on with a session of yesterday, when the buyer was received.
  asked IS NOT NULL AND (first_begin IS NULL OR asked < first_begin) AND EXISTS (
    SELECT 1 FROM judged y WHERE y.buyer_key = j.buyer_key AND y.owner = j.owner AND y.day = j.day - 1 AND y.received
  ) AS continuation
FROM judged j;

-- Who began the session that a peer-day's first message lies in.
CREATE TEMP TABLE carried AS
SELECT p.buyer_key, p.owner, p.day, s.started_by FROM peer_days p ASOF JOIN sessions s
  ON p.buyer_key = s.buyer_key AND p.owner = s.owner AND p.first_pos >= s.session_pos
WHERE p.first_begin IS NULL OR p.first_pos < p.first_begin;

CREATE TEMP TABLE forwards AS
SELECT buyer_key, transfer_from AS owner, sent_at // 86400 AS day, true AS is_out, false AS is_in FROM hard_rows WHERE who = 2
UNION ALL
SELECT buyer_key, transfer_to, sent_at // 86400, false, true FROM hard_rows WHERE who = 2;

-- ---- whose sale (kpi-spec 4) -------------------------------------------------------------------------------------
CREATE TEMP TABLE eligible AS
SELECT e.buyer_key, e.owner, e.pos FROM events e
JOIN (SELECT DISTINCT buyer_key FROM orders WHERE joinable) USING (buyer_key)
JOIN peer_days p ON p.buyer_key = e.buyer_key AND p.owner = e.owner AND p.day = (e.pos >> 24) // 86400
WHERE e.side = 1 AND p.received;

CREATE TEMP TABLE credited AS
WITH known AS (
  SELECT *, CASE WHEN joinable THEN buyer_key END AS person,
    (created_at + 1) << 24 AS until_created, (coalesce(paid_at, -1) + 1) << 24 AS until_paid
  FROM orders
), at_creation AS (
  SELECT k.*, CASE WHEN created_at - (e.pos >> 24) <= 172800 THEN e.owner END AS order_agent
  FROM known k ASOF LEFT JOIN eligible e ON k.person = e.buyer_key AND k.until_created > e.pos
), at_payment AS (
  SELECT k.*, CASE WHEN paid_at - (e.pos >> 24) <= 172800 THEN e.owner END AS payment_agent
  FROM at_creation k ASOF LEFT JOIN eligible e ON k.person = e.buyer_key AND k.until_paid > e.pos
)
SELECT *, coalesce(order_agent, payment_agent) AS credited FROM at_payment;

-- The first answer after a question of the night that nobody answered in time.
CREATE TEMP TABLE morning_answers AS
WITH waiting AS (
  SELECT buyer_key, owner, opened FROM turns
  WHERE wait_s IS NULL AND (opened_at % 86400 >= 82800 OR opened_at % 86400 < 32400)
), answers AS (
  SELECT buyer_key, owner, pos FROM events
  WHERE side = 1 AND buyer_key IN (SELECT buyer_key FROM waiting)
)
SELECT w.buyer_key, w.owner, w.opened, a.pos >> 24 AS answered_at FROM waiting w ASOF JOIN answers a
  ON w.buyer_key = a.buyer_key AND w.owner = a.owner AND w.opened < a.pos;
DROP TABLE events;

-- What became of each peer-day's question (kpi-spec 4.7).
CREATE TEMP TABLE outcomes AS
WITH pairs AS (
  SELECT p.buyer_key, p.owner, p.day, o.created_day, o.paid_day, o.credited,
    coalesce(o.paid_at >= asked_at - 21 * 86400 AND o.paid_at < asked_at, false) AS prior,
    o.created_at >= asked_at AND o.created_day < p.day + 2 AS after,
    o.created_at >= asked_at - 3 * 86400 AND o.created_at < asked_at
      AND (o.paid_at IS NULL OR o.paid_at >= asked_at) AS pending
  FROM peer_days p JOIN credited o ON o.person = p.buyer_key
  WHERE p.consulted AND p.day BETWEEN getvariable('first_day') AND getvariable('last_day')
)
SELECT buyer_key, owner, day,
  bool_or(prior) AND NOT bool_or(after OR pending) AS after_sale,
  count(*) FILTER (after OR pending) AS related,
  count(*) FILTER ((after OR pending) AND credited IS NOT NULL AND credited != owner) AS foreign_ones,
  bool_or(after) AS ordered,
  bool_or(after AND created_day = day) AS ordered_same_day,
  coalesce(bool_or((after OR pending) AND paid_day <= day + 4), false) AS paid,
  coalesce(bool_or((after OR pending) AND paid_day = day), false) AS paid_same_day,
  coalesce(bool_or((after OR pending) AND paid_day <= day + 1), false) AS paid_next_day
FROM pairs GROUP BY ALL;

-- ---- late answers beyond what was read ---------------------------------------------------------------------------
CREATE TEMP TABLE later_rows AS
WITH waiting AS (
  SELECT DISTINCT buyer_key, greatest(getvariable('high'), coalesce(reach.high, 0)) AS known_until
  FROM turns LEFT JOIN reach USING (buyer_key)
  WHERE unfollowed AND day BETWEEN getvariable('first_day') AND getvariable('last_day')
), far AS (
  SELECT shop_key AS shop, buyer_key, sent_at, message_class, nullif(agent_key, 0) AS agent, nullif(exporter_key, 0) AS exporter,
    nullif(transfer_from_key, 0) AS transfer_from, nullif(transfer_to_key, 0) AS transfer_to, 0 AS characters, true AS visible,
    (sent_at << 24) | (rank::BIGINT << 4) | CASE message_class WHEN 0 THEN 0 WHEN 5 THEN 2 ELSE 4 END AS pos,
    CASE message_class WHEN 0 THEN 0 WHEN 5 THEN 2 ELSE 1 END::TINYINT AS who
  FROM read_parquet(list_concat(getvariable('files'), getvariable('later')), hive_partitioning = false)
  WHERE message_class IN (0, 1, 2, 5) AND sent_at > getvariable('high')
)
SELECT far.* FROM far JOIN waiting USING (buyer_key) WHERE sent_at > known_until;

UPDATE turns SET late = true FROM (
  SELECT buyer_key, owner FROM owned('later_rows') WHERE who < 2 GROUP BY ALL HAVING arg_min(who, pos) = 1
) found
WHERE unfollowed AND turns.buyer_key = found.buyer_key AND turns.owner = found.owner;

-- ---- sums per shop and agent -------------------------------------------------------------------------------------
CREATE TEMP TABLE counted_turns AS
SELECT t.shop, t.buyer_key, t.owner, t.opened, opened_at, wait_s, late, opened = first_turn AS first,
  opened = first_turn AND t.started_by = 0 AS first_response,
  opened_at % 86400 >= 82800 OR opened_at % 86400 < 32400 AS at_night,
  opened_at + (34200 - opened_at % 86400 + 86400) % 86400 AS due
FROM turns t JOIN peer_days p USING (buyer_key, owner, day)
WHERE p.consulted AND t.day BETWEEN getvariable('first_day') AND getvariable('last_day');

CREATE TEMP TABLE of_turns AS
SELECT shop, owner, count(*) AS turns, count(wait_s) AS turns_answered, count(*) FILTER (late) AS turns_late,
  sum(wait_s) AS wait_s,
  sum(wait_s) FILTER (first_response) AS first_wait_s,
  count(wait_s) FILTER (first_response) AS first_turns,
  count(*) FILTER (first_response AND wait_s IS NULL) AS first_response_missed,
  sum(wait_s) FILTER (first) AS first_any_wait_s,
  count(wait_s) FILTER (first) AS first_any_turns,
  count(*) FILTER (wait_s <= 6) AS within_6s, count(*) FILTER (wait_s <= 30) AS within_30s,
  count(*) FILTER (wait_s <= 60) AS within_60s, count(*) FILTER (wait_s <= 180) AS within_180s
FROM counted_turns GROUP BY ALL;

CREATE TEMP TABLE of_nights AS
WITH questions AS (
  SELECT t.shop, t.owner, t.due, data_end, coalesce(t.opened_at + t.wait_s, m.answered_at) AS reply
  FROM counted_turns t JOIN data_ends USING (shop) LEFT JOIN morning_answers m USING (buyer_key, owner, opened)
  WHERE at_night
)
SELECT shop, owner, count(*) AS night_questions, count(*) FILTER (reply <= due) AS night_answered
FROM questions WHERE reply IS NOT NULL OR data_end >= due GROUP BY ALL;

-- Percentiles are nearest-rank, over a histogram of whole seconds.
CREATE TEMP TABLE of_waits AS
WITH histogram AS (
  SELECT shop, owner, wait_s, count(*) AS turns, count(*) FILTER (first_response) AS first
  FROM counted_turns WHERE wait_s IS NOT NULL GROUP BY ALL
), running AS (
  SELECT *, sum(turns) OVER w AS turns_so_far, sum(first) OVER w AS first_so_far,
    sum(turns) OVER whole AS turns_all, sum(first) OVER whole AS first_all
  FROM histogram WINDOW w AS (PARTITION BY shop, owner ORDER BY wait_s), whole AS (PARTITION BY shop, owner)
)
SELECT shop, owner,
  min(wait_s) FILTER (turns_so_far >= (turns_all * 50 + 99) // 100) AS response_p50,
  min(wait_s) FILTER (turns_so_far >= (turns_all * 90 + 99) // 100) AS response_p90,
  min(wait_s) FILTER (first > 0 AND first_so_far >= (first_all * 50 + 99) // 100) AS first_response_p50,
  min(wait_s) FILTER (first > 0 AND first_so_far >= (first_all * 90 + 99) // 100) AS first_response_p90
FROM running GROUP BY ALL;

CREATE TEMP TABLE of_people AS
WITH moved_people AS (
  SELECT buyer_key, owner, day, bool_or(is_out) AS is_out, bool_or(is_in) AS is_in FROM forwards GROUP BY ALL
), people AS (
  SELECT p.*, coalesce(is_out, false) AS is_out, coalesce(is_in, false) AS is_in,
    coalesce(c.started_by, first_side) = 0 AS by_buyer,
    received AND NOT coalesce(o.after_sale, false) AND NOT continuation
      AND NOT coalesce(related > 0 AND foreign_ones = related, false) AS inquiry,
    received AND coalesce(related > 0 AND foreign_ones = related, false) AS assist,
    coalesce(related, 0) AS related, coalesce(ordered, false) AS ordered,
    coalesce(ordered_same_day, false) AS ordered_same_day, coalesce(o.paid, false) AS paid,
    coalesce(paid_same_day, false) AS paid_same_day, coalesce(paid_next_day, false) AS paid_next_day
  FROM peer_days p LEFT JOIN carried c USING (buyer_key, owner, day)
    LEFT JOIN moved_people m USING (buyer_key, owner, day) LEFT JOIN outcomes o USING (buyer_key, owner, day)
  WHERE p.day BETWEEN getvariable('first_day') AND getvariable('last_day')
)
SELECT shop, owner,
  count(*) FILTER (consulted OR filtered) AS buyers_chatted, count(*) FILTER (filtered) AS buyers_filtered,
  count(*) FILTER (consulted) AS buyers_consulted, count(*) FILTER (received) AS buyers_received,
  count(*) FILTER (unreplied) AS buyers_unreplied,
  count(DISTINCT buyer_key) FILTER (received) AS buyers_received_distinct,
  count(*) FILTER (received AND NOT is_in) AS buyers_direct,
  count(*) FILTER (received AND is_in) AS buyers_forwarded_in,
  count(*) FILTER (received AND is_out) AS buyers_forwarded_out,
  count(*) FILTER (consulted AND by_buyer) AS buyer_initiated,
  count(*) FILTER (consulted AND NOT by_buyer) AS agent_initiated,
  count(*) FILTER (slow AND NOT filtered) AS slow_buyers, count(*) FILTER (long AND NOT filtered) AS long_buyers,
  sum(buyer_messages) FILTER (consulted) AS buyer_messages, sum(agent_messages) FILTER (consulted) AS agent_messages,
  sum(agent_characters) FILTER (consulted) AS agent_characters,
  min(staff_first) FILTER (NOT filtered) AS first_message_at, max(staff_last) FILTER (NOT filtered) AS last_message_at,
  count(DISTINCT day) FILTER (NOT filtered AND staff_first IS NOT NULL) AS days_active,
  count(*) FILTER (inquiry) AS inquiries,
  count(*) FILTER (inquiry AND ordered_same_day) AS inquiries_ordered_same_day,
  count(*) FILTER (inquiry AND ordered) AS inquiries_ordered,
  count(*) FILTER (inquiry AND paid_same_day) AS inquiries_paid_same_day,
  count(*) FILTER (inquiry AND paid_next_day) AS inquiries_paid_next_day,
  count(*) FILTER (inquiry AND paid) AS inquiries_paid,
  count(*) FILTER (inquiry AND related = 0) AS inquiries_lost,
  count(*) FILTER (inquiry AND related > 0 AND NOT paid) AS orders_lost,
  count(*) FILTER (assist) AS assists,
  count(*) FILTER (consulted AND ordered) AS consults_ordered,
  max(day) FILTER (received) AS last_received_day
FROM people GROUP BY ALL;

-- Chats at once, swept per day over the sessions that began on it.
CREATE TEMP TABLE of_sessions AS
WITH counted AS (
  SELECT s.shop, s.owner, s.day, s.first_at, s.last_at
  FROM sessions s JOIN peer_days p ON p.buyer_key = s.buyer_key AND p.owner = s.owner AND p.day = s.day
  WHERE p.consulted AND s.day BETWEEN getvariable('first_day') AND getvariable('last_day')
), changes AS (
  SELECT shop, owner, day, first_at AS second, 1 AS step FROM counted
  UNION ALL SELECT shop, owner, day, last_at + 1, -1 FROM counted
), levels AS (
  SELECT shop, owner, lead(second) OVER w - second AS seconds, sum(step) OVER w AS level
  FROM changes WINDOW w AS (PARTITION BY shop, owner, day ORDER BY second, step ROWS UNBOUNDED PRECEDING)
)
SELECT shop, owner, max(level) AS max_concurrent, sum(level * seconds) AS chat_seconds,
  sum(seconds) FILTER (level > 0) AS busy_seconds, any_value(session_s) AS session_s
FROM levels JOIN (SELECT shop, owner, sum(last_at - first_at) AS session_s FROM counted GROUP BY ALL) USING (shop, owner)
GROUP BY ALL;

CREATE TEMP TABLE of_autos AS
SELECT shop_key AS shop, nullif(agent_key, 0) AS owner, count(*) AS auto_messages
FROM read_parquet(getvariable('files'), hive_partitioning = false)
WHERE message_class = 3 AND sent_at // 86400 BETWEEN getvariable('first_day') AND getvariable('last_day')
GROUP BY ALL;

CREATE TEMP TABLE shops AS
SELECT shop_key AS shop, any_value(shop) AS shop_name
FROM read_parquet(getvariable('files'), hive_partitioning = false) GROUP BY 1;

CREATE TEMP TABLE agents AS
SELECT nullif(agent_key, 0) AS owner, any_value(agent) AS agent_name
FROM read_parquet(getvariable('files'), hive_partitioning = false) WHERE agent IS NOT NULL GROUP BY 1;

CREATE TEMP TABLE of_sales AS
SELECT s.shop, credited AS owner, sum(amount_cents) AS sales_cents, count(*) AS sales_orders, sum(items) AS sales_items,
  count(DISTINCT (buyer_key, paid_day)) AS sales_buyers
FROM credited JOIN shops s ON s.shop_name = credited.shop
WHERE paid_day BETWEEN getvariable('first_day') AND getvariable('last_day') AND credited IS NOT NULL
GROUP BY ALL;

CREATE TEMP TABLE shop_totals AS
SELECT s.shop, sum(amount_cents) AS paid_cents FROM orders JOIN shops s ON s.shop_name = orders.shop
WHERE paid_day BETWEEN getvariable('first_day') AND getvariable('last_day') GROUP BY 1;

-- ---- the report: figures.sql makes the quotients ---------------------------------------------------------------
CREATE TEMP TABLE sums AS
WITH joined AS (
  SELECT shop, owner, data_end // 86400 AS end_day, last_received_day, paid_cents,
    coalesce(COLUMNS(* EXCLUDE (
      shop, owner, last_received_day, data_end, paid_cents, response_p50, response_p90, first_response_p50,
      first_response_p90, first_message_at, last_message_at)), 0),
    response_p50, response_p90, first_response_p50, first_response_p90, first_message_at, last_message_at
  FROM of_people FULL JOIN of_turns USING (shop, owner) FULL JOIN of_nights USING (shop, owner)
    FULL JOIN of_waits USING (shop, owner) FULL JOIN of_sessions USING (shop, owner)
    FULL JOIN of_autos USING (shop, owner) FULL JOIN of_sales USING (shop, owner)
    LEFT JOIN data_ends USING (shop) LEFT JOIN shop_totals USING (shop)
)
SELECT shop_name, agent_name, joined.* EXCLUDE (shop, owner),
  (2 * sales_cents + sales_buyers) // nullif(2 * sales_buyers, 0) AS average_order_value,
  (2 * sales_cents + sales_items) // nullif(2 * sales_items, 0) AS average_item_price,
  coalesce(last_received_day + 1 <= end_day, true) AS same_day_final,
  coalesce(last_received_day + 2 <= end_day, true) AS next_day_final,
  coalesce(last_received_day + 5 <= end_day, true) AS payment_final
FROM joined JOIN shops USING (shop) JOIN agents USING (owner);
