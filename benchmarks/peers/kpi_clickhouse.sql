-- All figures of `cslog kpi --month M` (profile chitu, clock wall, order_first, asof): the rules of kpi.sql in
-- ClickHouse's way. A thread is one sorted array of integers, sessions and turns are its pieces (arraySplit), and
-- nothing is Nullable: 0 stands for nobody, never and nowhere, -1 for a turn without an answer.
--
-- Tables: messages, later, newest, order_versions (views of the Parquet files). Parameters: first_day, last_day,
-- low, high. Shops and agents are the store's integer keys.
--
-- Less than cslog, as the other peers: hand-overs that chain inside one open turn are not followed, copies that
-- refine one another are not folded, and an account that exported but never wrote has no row.
--
-- place = second, place in the second and side of a message in one integer: it sorts like the conversation. Its
-- lowest bits: 0 the buyer wrote, 1 a turn voided by a transfer, 2 a transfer (it opens a turn, and nobody wrote
-- it), 4 staff wrote.
CREATE OR REPLACE FUNCTION place_of AS (sent_at, rank, message_class) ->
  bitOr(bitOr(bitShiftLeft(sent_at, 24), bitShiftLeft(toInt64(rank), 4)),
    multiIf(message_class = 0, 0, message_class = 5, 2, 4));
CREATE OR REPLACE FUNCTION second_of AS place -> bitShiftRight(place, 24);
CREATE OR REPLACE FUNCTION day_of AS place -> intDiv(bitShiftRight(place, 24), 86400);
CREATE OR REPLACE FUNCTION is_staff AS place -> bitTest(place, 2);
CREATE OR REPLACE FUNCTION is_buyer AS place -> bitAnd(place, 5) = 0;
CREATE OR REPLACE FUNCTION is_void AS place -> bitTest(place, 0);
-- What stands before each place of a thread; before the first, staff of 1970.
CREATE OR REPLACE FUNCTION before AS places -> arrayPushFront(arrayPopBack(places), 4);

-- ---- orders: the current version of each (kpi-spec 4.6) -------------------------------------------------------
CREATE TABLE orders ENGINE = Memory AS
SELECT shop_name, person, created_at, paid_at, greatest(now.1, 0) AS amount_cents, now.2 AS items,
  intDiv(created_at, 86400) AS created_day, intDiv(paid_at, 86400) AS paid_day
FROM (
  SELECT shop AS shop_name, minIf(buyer_key, joinable) AS person,
    min(created_at) AS created_at, minIf(paid_at, paid_at != 0) AS paid_at,
    argMax((amount_cents, items), (state, refund_cents, shipped_at, content_key)) AS now
  FROM order_versions WHERE created_at < ({last_day:Int64} + 3) * 86400
  GROUP BY platform, shop, order_id
)
WHERE created_at >= ({first_day:Int64} - 22) * 86400 OR paid_at >= ({first_day:Int64} - 22) * 86400;

-- Buyers whose orders need messages from outside the usual range.
CREATE TABLE reach ENGINE = Memory AS
SELECT person AS buyer_key,
  min(if(paid_at != 0, least(created_at, paid_at), created_at)) - 172800 - 3 * 86400 AS early,
  max(greatest(created_at, paid_at)) + 3 * 86400 AS late
FROM orders
WHERE person != 0 AND (
  created_at BETWEEN ({first_day:Int64} - 3) * 86400 AND ({last_day:Int64} + 3) * 86400
  OR paid_at BETWEEN {first_day:Int64} * 86400 AND ({last_day:Int64} + 1) * 86400)
GROUP BY buyer_key HAVING early < {low:Int64} OR late > {high:Int64};

-- ---- messages that count, and transfer markers (kpi-spec M1, M3) ----------------------------------------------
CREATE VIEW loaded AS
SELECT shop_key AS shop, buyer_key, agent_key AS agent, exporter_key AS exporter, transfer_from_key AS transfer_from,
  transfer_to_key AS transfer_to, characters, kind != 0 OR characters > 0 AS visible,
  place_of(sent_at, rank, message_class) AS place
FROM messages LEFT JOIN reach USING (buyer_key)
WHERE message_class IN (0, 1, 2, 5)
  AND (sent_at BETWEEN {low:Int64} AND {high:Int64} OR sent_at BETWEEN early AND late);

-- Whose messages are they (kpi-spec I3)? Most are stated; the rest of these buyers' rows decide the others.
CREATE TABLE hard ENGINE = Memory AS
SELECT DISTINCT buyer_key FROM messages WHERE message_class = 5 OR (message_class = 0 AND agent_key = 0);

CREATE TABLE undecided ENGINE = Memory AS
SELECT * FROM loaded(low = {low:Int64}, high = {high:Int64}) WHERE buyer_key IN hard;

CREATE VIEW owned AS
WITH conversations AS (
  SELECT any(shop) AS shop, buyer_key, arraySort(r -> r.place,
    groupArray((place, agent, exporter, transfer_from, transfer_to, characters, visible))) AS rows
  FROM undecided GROUP BY buyer_key
), in_runs AS (
  SELECT *, arrayMap(r -> if(bitTest(r.place, 1), 0, second_of(r.place)), rows) AS spoken_at,
    arrayMap((s, q) -> s != 0 AND s - q >= 600, spoken_at,
      arrayPushFront(arrayPopBack(arrayFill(s -> s != 0, spoken_at)), 0)) AS begins,
    arrayMap((r, s) -> if(s != 0 AND is_staff(r.place), r.agent, 0), rows, spoken_at) AS staff
  FROM conversations
)
SELECT shop, buyer_key, row.place AS place, spoken = 0 AS is_marker, row.transfer_from AS transfer_from,
  row.transfer_to AS transfer_to, row.characters AS characters, row.visible AS visible,
  multiIf(is_marker, 0, row.agent != 0, row.agent, marked_at >= run_begin, marked_for, next_agent != 0, next_agent,
    last_agent != 0, last_agent, row.exporter) AS owner
FROM in_runs
ARRAY JOIN rows AS row, spoken_at AS spoken,
  arrayFill(s -> s != 0, arrayMap((s, b) -> if(b, s, 0), spoken_at, begins)) AS run_begin,
  arrayFill(s -> s != 0, arrayMap((r, s) -> if(s = 0, second_of(r.place), 0), rows, spoken_at)) AS marked_at,
  arrayFill(a -> a != 0, arrayMap((r, s) -> if(s = 0, r.transfer_to, 0), rows, spoken_at)) AS marked_for,
  arrayReverseFill((a, ends) -> a != 0 OR ends, staff, arrayPushBack(arrayPopFront(begins), 1)) AS next_agent,
  arrayFill((a, b) -> a != 0 OR b, staff, begins) AS last_agent;

CREATE TABLE hard_owned ENGINE = Memory AS SELECT * FROM owned;

-- A transfer X -> Y voids X's open turn and opens it for Y, unless Y answered before (definitions 8).
CREATE TABLE moved ENGINE = Memory AS
WITH markers AS (
  SELECT shop, buyer_key, place AS marker, transfer_from, transfer_to FROM hard_owned
  WHERE is_marker AND transfer_from != transfer_to AND transfer_from != 0 AND transfer_to != 0
), spoken AS (
  SELECT buyer_key, owner, arraySort(groupArray(place)) AS places FROM hard_owned
  WHERE owner != 0 AND buyer_key IN (SELECT buyer_key FROM markers) GROUP BY buyer_key, owner
)
SELECT m.shop AS shop, m.buyer_key AS buyer_key, marker, transfer_from, transfer_to,
  arrayFilter(p -> p < marker, x.places) AS ours, arrayFilter(p -> p < marker, y.places) AS theirs,
  ours[-1] AS last_place,
  arrayLast((p, q) -> is_buyer(p) AND (is_staff(q) OR second_of(p) - second_of(q) >= 600), ours,
    before(ours)) AS opened,
  notEmpty(theirs) AND is_buyer(theirs[-1]) AND second_of(marker) - second_of(theirs[-1]) < 600 AS held
FROM markers m JOIN spoken x ON x.buyer_key = m.buyer_key AND x.owner = m.transfer_from
  LEFT JOIN spoken y ON y.buyer_key = m.buyer_key AND y.owner = m.transfer_to
WHERE notEmpty(ours) AND is_buyer(last_place) AND second_of(marker) - second_of(last_place) < 600
  AND NOT arrayExists(p -> is_staff(p) AND p > opened, theirs);

-- ---- threads, sessions, turns (kpi-spec 2) ---------------------------------------------------------------------
CREATE TABLE days ENGINE = Memory AS
SELECT any(shop) AS shop, buyer_key, owner, day_of(place) AS day, arraySort(groupArray(place)) AS places,
  sumIf(characters, is_staff(place)) AS agent_characters, max(visible) AS visible
FROM (
  SELECT shop, buyer_key, agent AS owner, place, characters, visible
  FROM loaded(low = {low:Int64}, high = {high:Int64}) WHERE buyer_key NOT IN hard
  UNION ALL
  SELECT shop, buyer_key, owner, place, characters, visible FROM hard_owned WHERE NOT is_marker
  UNION ALL
  SELECT shop, buyer_key, transfer_from, last_place + 1, 0, 0 FROM moved
  UNION ALL
  SELECT shop, buyer_key, transfer_to, marker, 0, 0 FROM moved WHERE NOT held
)
WHERE owner != 0 GROUP BY buyer_key, owner, day;

CREATE TABLE threads ENGINE = Memory AS
SELECT any(shop) AS shop, buyer_key, owner, arraySort(groupArrayArray(places)) AS places
FROM days GROUP BY buyer_key, owner;

-- A silence of ten minutes ends a session. after: the thread's next place, in the session that follows.
CREATE TABLE sessions ENGINE = Memory AS
WITH pieces AS (
  SELECT shop, buyer_key, owner,
    arraySplit((p, gap) -> gap >= 600, places, arrayDifference(arrayMap(p -> second_of(p), places))) AS pieces
  FROM threads
)
SELECT shop, buyer_key, owner, piece AS places, after, piece[1] AS begun, second_of(begun) AS first_at,
  second_of(piece[-1]) AS last_at, day_of(begun) AS day
FROM pieces
ARRAY JOIN pieces AS piece, arrayPushBack(arrayMap(next -> next[1], arrayPopFront(pieces)), 0) AS after;

CREATE TABLE shop_agents ENGINE = Memory AS
SELECT shop_key AS shop, agent_key AS owner, any(shop) AS shop_name, any(agent) AS agent_name, max(sent_at) AS last_at,
  countIf(message_class = 3 AND intDiv(sent_at, 86400) BETWEEN {first_day:Int64} AND {last_day:Int64}) AS auto_messages
FROM messages GROUP BY shop_key, agent_key;

CREATE TABLE data_ends ENGINE = Memory AS
SELECT shop, max(last_at) AS data_end
FROM (SELECT shop, last_at FROM shop_agents UNION ALL SELECT shop_key, sent_at FROM newest) GROUP BY shop;

-- A turn goes from a question to the next one after an answer, a silence or a transfer.
CREATE TABLE turns ENGINE = Memory AS
WITH split AS (
  SELECT * EXCEPT (places), turn[1] AS opened, arrayFirst(p -> NOT is_buyer(p), turn) AS answer
  FROM sessions
  ARRAY JOIN arraySplit((p, q) -> is_buyer(p) AND NOT is_buyer(q), places, before(places)) AS turn
)
SELECT shop, buyer_key, owner, opened, second_of(opened) AS opened_at, day_of(opened) AS day,
  is_buyer(begun) AS by_buyer, if(answer = 0, -1, second_of(answer) - opened_at) AS wait_s,
  answer = 0 AND is_staff(after) AS late, answer = 0 AND after = 0 AS unfollowed
FROM split JOIN data_ends USING (shop)
WHERE is_buyer(opened) AND NOT is_void(answer) AND NOT (unfollowed AND data_end - last_at < 600);

-- ---- peer-days -------------------------------------------------------------------------------------------------
CREATE TABLE peer_days ENGINE = Memory AS
WITH of_day AS (
  SELECT *, arrayCount(p -> bitAnd(p, 7) = 0, places) AS buyer_messages,
    arrayCount(p -> is_staff(p), places) AS agent_messages, arrayFirst(p -> is_buyer(p), places) AS asked,
    second_of(arrayFirst(p -> is_staff(p), places)) AS staff_first,
    second_of(arrayLast(p -> is_staff(p), places)) AS staff_last
  FROM days
), in_sessions AS ( -- every session on each of its days: the earliest is the one that the day's first message is in
  SELECT buyer_key, owner, on_day AS day, min(begun) AS first_session, minIf(begun, day = on_day) AS first_begin,
    max(day = on_day AND last_at - first_at > 3600) AS long_one
  FROM sessions ARRAY JOIN range(day, intDiv(last_at, 86400) + 1) AS on_day GROUP BY buyer_key, owner, on_day
), turned AS (
  SELECT buyer_key, owner, day, min(opened) AS first_turn, max(wait_s >= 0) AS answered,
    countIf(wait_s < 0 OR wait_s > 120) >= 3 AS slow
  FROM turns GROUP BY buyer_key, owner, day
)
SELECT shop, buyer_key, owner, day, places, asked, buyer_messages, agent_messages, agent_characters, staff_first,
  staff_last, first_turn, slow, long_one, is_buyer(first_session) AS by_buyer,
  asked = 0 AND first_begin = 0 AS spill,
  asked = 0 OR (NOT visible AND buyer_messages + agent_messages > 0) AS is_filtered,
  NOT spill AND is_filtered AS filtered,
  NOT spill AND NOT is_filtered AS consulted,
  consulted AND (agent_messages > 0 OR answered) AS received,
  asked != 0 AND (first_begin = 0 OR asked < first_begin) AS goes_on
FROM of_day LEFT JOIN in_sessions USING (buyer_key, owner, day) LEFT JOIN turned USING (buyer_key, owner, day);
DROP TABLE days;

-- ---- whose sale (kpi-spec 4) -----------------------------------------------------------------------------------
CREATE TABLE credited ENGINE = Memory AS
WITH eligible AS (
  SELECT buyer_key, owner, arrayJoin(arrayFilter(p -> is_staff(p), places)) AS place FROM peer_days
  WHERE received AND buyer_key IN (SELECT person FROM orders)
), known AS (
  SELECT *, bitShiftLeft(created_at + 1, 24) AS until_created, bitShiftLeft(paid_at + 1, 24) AS until_paid FROM orders
)
SELECT k.*, if(created_at - second_of(c.place) <= 172800, c.owner, 0) AS order_agent,
  if(paid_at - second_of(p.place) <= 172800, p.owner, 0) AS payment_agent,
  if(order_agent != 0, order_agent, payment_agent) AS credited
FROM known k ASOF LEFT JOIN eligible c ON k.person = c.buyer_key AND k.until_created > c.place
  ASOF LEFT JOIN eligible p ON k.person = p.buyer_key AND k.until_paid > p.place;

-- What became of each peer-day's question (kpi-spec 4.7).
CREATE TABLE outcomes ENGINE = Memory AS
WITH pairs AS (
  SELECT p.buyer_key AS buyer_key, p.owner AS owner, p.day AS day, created_day, paid_at, paid_day, credited,
    second_of(asked) AS asked_at,
    paid_at >= asked_at - 21 * 86400 AND paid_at < asked_at AS prior,
    created_at >= asked_at AND created_day < day + 2 AS followed,
    created_at >= asked_at - 3 * 86400 AND created_at < asked_at AND (paid_at = 0 OR paid_at >= asked_at) AS pending,
    followed OR pending AS relevant, relevant AND paid_at != 0 AS won
  FROM peer_days p JOIN credited o ON o.person = p.buyer_key
  WHERE p.consulted AND p.day BETWEEN {first_day:Int64} AND {last_day:Int64}
)
SELECT buyer_key, owner, day, countIf(relevant) AS related, max(prior) AND related = 0 AS after_sale,
  related > 0 AND related = countIf(relevant AND credited NOT IN (0, owner)) AS foreign_ones,
  max(followed) AS ordered, max(followed AND created_day = day) AS ordered_same_day,
  max(won AND paid_day <= day + 4) AS paid, max(won AND paid_day = day) AS paid_same_day,
  max(won AND paid_day <= day + 1) AS paid_next_day
FROM pairs GROUP BY buyer_key, owner, day;

-- ---- late answers beyond what was read -------------------------------------------------------------------------
TRUNCATE TABLE undecided;

INSERT INTO undecided
WITH waiting AS (
  SELECT buyer_key, max(greatest({high:Int64}, late)) AS known_until
  FROM (
    SELECT buyer_key FROM turns WHERE unfollowed AND day BETWEEN {first_day:Int64} AND {last_day:Int64}
  ) t LEFT JOIN reach USING (buyer_key) GROUP BY buyer_key
)
SELECT shop_key, buyer_key, agent_key, exporter_key, transfer_from_key, transfer_to_key, 0, 1,
  place_of(sent_at, rank, message_class)
FROM (
  SELECT * EXCEPT (shop, agent) FROM messages UNION ALL SELECT * EXCEPT (shop, agent) FROM later
) far JOIN waiting USING (buyer_key)
WHERE message_class IN (0, 1, 2, 5) AND sent_at > {high:Int64} AND sent_at > known_until;

-- ---- sums per shop and agent -----------------------------------------------------------------------------------
CREATE TABLE counted_turns ENGINE = Memory AS
WITH found AS (
  SELECT buyer_key, owner FROM owned WHERE NOT is_marker GROUP BY buyer_key, owner HAVING is_staff(min(place))
)
SELECT t.shop AS shop, buyer_key, owner, opened, opened_at, wait_s, wait_s >= 0 AS answered,
  late OR (unfollowed AND (buyer_key, owner) IN found) AS late,
  opened = first_turn AS is_first, is_first AND by_buyer AS is_response,
  opened_at % 86400 >= 82800 OR opened_at % 86400 < 32400 AS at_night,
  opened_at + (34200 - opened_at % 86400 + 86400) % 86400 AS due
FROM turns t
  JOIN (SELECT buyer_key, owner, day, first_turn FROM peer_days WHERE consulted) p USING (buyer_key, owner, day)
WHERE day BETWEEN {first_day:Int64} AND {last_day:Int64};

-- Percentiles are nearest-rank.
CREATE OR REPLACE FUNCTION ranked AS (waits, percent) ->
  if(empty(waits), NULL, waits[intDiv(length(waits) * percent + 99, 100)]);

CREATE TABLE of_turns ENGINE = Memory AS
SELECT shop, owner, count() AS turns, countIf(answered) AS turns_answered, countIf(late) AS turns_late,
  sumIf(wait_s, answered) AS wait_s,
  sumIf(wait_s, is_response AND answered) AS first_wait_s, countIf(is_response AND answered) AS first_turns,
  countIf(is_response AND NOT answered) AS first_response_missed,
  sumIf(wait_s, is_first AND answered) AS first_any_wait_s, countIf(is_first AND answered) AS first_any_turns,
  countIf(answered AND wait_s <= 6) AS within_6s, countIf(answered AND wait_s <= 30) AS within_30s,
  countIf(answered AND wait_s <= 60) AS within_60s, countIf(answered AND wait_s <= 180) AS within_180s,
  arraySort(groupArrayIf(wait_s, answered)) AS waits,
  arraySort(groupArrayIf(wait_s, is_response AND answered)) AS first_waits
FROM counted_turns GROUP BY shop, owner;

-- Questions of the night; where the turn has no answer, the first one that the thread ever has.
CREATE TABLE of_nights ENGINE = Memory AS
WITH questions AS (
  SELECT shop, owner, due, opened_at + wait_s AS reply FROM counted_turns WHERE at_night AND answered
  UNION ALL
  SELECT c.shop, owner, due, second_of(arrayFirst(p -> p > opened AND is_staff(p), places))
  FROM threads t JOIN (SELECT * FROM counted_turns WHERE at_night AND NOT answered) c USING (buyer_key, owner)
)
SELECT shop, owner, count() AS night_questions, countIf(reply BETWEEN 1 AND due) AS night_answered
FROM questions JOIN data_ends USING (shop) WHERE reply != 0 OR data_end >= due GROUP BY shop, owner;

CREATE TABLE of_people ENGINE = Memory AS
WITH people AS (
  SELECT p.*, related, ordered, ordered_same_day, paid, paid_same_day, paid_next_day,
    goes_on AND (buyer_key, owner, day - 1) IN (SELECT buyer_key, owner, day FROM peer_days WHERE received)
      AS continuation,
    (buyer_key, owner, day) IN (SELECT buyer_key, transfer_from, day_of(place) FROM hard_owned WHERE is_marker)
      AS is_out,
    (buyer_key, owner, day) IN (SELECT buyer_key, transfer_to, day_of(place) FROM hard_owned WHERE is_marker) AS is_in,
    received AND NOT after_sale AND NOT continuation AND NOT foreign_ones AS inquiry,
    received AND foreign_ones AS assist
  FROM (
    SELECT * EXCEPT (places) FROM peer_days WHERE day BETWEEN {first_day:Int64} AND {last_day:Int64}
  ) p LEFT JOIN outcomes USING (buyer_key, owner, day)
)
SELECT shop, owner, countIf(consulted OR filtered) AS buyers_chatted, countIf(filtered) AS buyers_filtered,
  countIf(consulted) AS buyers_consulted, countIf(received) AS buyers_received,
  countIf(consulted AND NOT received) AS buyers_unreplied, uniqExactIf(buyer_key, received) AS buyers_received_distinct,
  countIf(received AND NOT is_in) AS buyers_direct, countIf(received AND is_in) AS buyers_forwarded_in,
  countIf(received AND is_out) AS buyers_forwarded_out,
  countIf(consulted AND by_buyer) AS buyer_initiated, countIf(consulted AND NOT by_buyer) AS agent_initiated,
  countIf(slow AND NOT filtered) AS slow_buyers, countIf(long_one AND NOT filtered) AS long_buyers,
  sumIf(buyer_messages, consulted) AS buyer_messages, sumIf(agent_messages, consulted) AS agent_messages,
  sumIf(agent_characters, consulted) AS agent_characters,
  minIf(staff_first, NOT filtered AND staff_first != 0) AS first_message_at,
  maxIf(staff_last, NOT filtered) AS last_message_at,
  uniqExactIf(day, NOT filtered AND staff_first != 0) AS days_active,
  countIf(inquiry) AS inquiries, countIf(inquiry AND ordered_same_day) AS inquiries_ordered_same_day,
  countIf(inquiry AND ordered) AS inquiries_ordered, countIf(inquiry AND paid_same_day) AS inquiries_paid_same_day,
  countIf(inquiry AND paid_next_day) AS inquiries_paid_next_day, countIf(inquiry AND paid) AS inquiries_paid,
  countIf(inquiry AND related = 0) AS inquiries_lost, countIf(inquiry AND related > 0 AND NOT paid) AS orders_lost,
  countIf(assist) AS assists, countIf(consulted AND ordered) AS consults_ordered,
  maxIf(day, received) AS last_received_day
FROM people GROUP BY shop, owner;

-- Chats at once, per day over the sessions that began on it.
CREATE TABLE of_sessions ENGINE = Memory AS
WITH by_day AS (
  SELECT shop, owner, maxIntersections(first_at, last_at + 1) AS at_once, sum(last_at + 1 - first_at) AS chat_seconds,
    intervalLengthSum(first_at, last_at + 1) AS busy_seconds, sum(last_at - first_at) AS session_s
  FROM sessions
  WHERE day BETWEEN {first_day:Int64} AND {last_day:Int64}
    AND (buyer_key, owner, day) IN (SELECT buyer_key, owner, day FROM peer_days WHERE consulted)
  GROUP BY shop, owner, day
)
SELECT shop, owner, max(at_once) AS max_concurrent, sum(chat_seconds) AS chat_seconds,
  sum(busy_seconds) AS busy_seconds, sum(session_s) AS session_s
FROM by_day GROUP BY shop, owner;

CREATE TABLE of_autos ENGINE = Memory AS
SELECT shop, owner, auto_messages FROM shop_agents WHERE auto_messages > 0;

CREATE TABLE shops ENGINE = Memory AS SELECT shop, any(shop_name) AS shop_name FROM shop_agents GROUP BY shop;

CREATE TABLE agents ENGINE = Memory AS
SELECT owner, any(agent_name) AS agent_name FROM shop_agents WHERE owner != 0 GROUP BY owner;

CREATE TABLE of_sales ENGINE = Memory AS
SELECT shop, credited AS owner, sum(amount_cents) AS sales_cents, count() AS sales_orders,
  sum(items) AS sales_items, uniqExact(person, paid_day) AS sales_buyers
FROM credited JOIN shops USING (shop_name)
WHERE paid_day BETWEEN {first_day:Int64} AND {last_day:Int64} AND credited != 0 GROUP BY shop, credited;

CREATE TABLE shop_totals ENGINE = Memory AS
SELECT shop, sum(amount_cents) AS paid_cents FROM orders JOIN shops USING (shop_name)
WHERE paid_day BETWEEN {first_day:Int64} AND {last_day:Int64} GROUP BY shop;

-- ---- the report: figures.sql makes the quotients ---------------------------------------------------------------
CREATE TABLE sums ENGINE = Memory AS
WITH row_keys AS (
  SELECT shop, owner FROM of_people UNION DISTINCT SELECT shop, owner FROM of_turns
  UNION DISTINCT SELECT shop, owner FROM of_sessions UNION DISTINCT SELECT shop, owner FROM of_sales
  UNION DISTINCT SELECT shop, owner FROM of_autos
)
SELECT shop_name, agent_name, intDiv(data_end, 86400) AS end_day, paid_cents, auto_messages,
  of_people.* EXCEPT (shop, owner, first_message_at, last_message_at),
  of_turns.* EXCEPT (shop, owner, waits, first_waits),
  of_nights.* EXCEPT (shop, owner), of_sessions.* EXCEPT (shop, owner), of_sales.* EXCEPT (shop, owner),
  nullIf(first_message_at, 0) AS first_message_at, nullIf(last_message_at, 0) AS last_message_at,
  ranked(waits, 50) AS response_p50, ranked(waits, 90) AS response_p90,
  ranked(first_waits, 50) AS first_response_p50, ranked(first_waits, 90) AS first_response_p90,
  intDiv(2 * sales_cents + sales_buyers, nullIf(2 * sales_buyers, 0)) AS average_order_value,
  intDiv(2 * sales_cents + sales_items, nullIf(2 * sales_items, 0)) AS average_item_price,
  last_received_day + 1 <= end_day AS same_day_final, last_received_day + 2 <= end_day AS next_day_final,
  last_received_day + 5 <= end_day AS payment_final
FROM row_keys JOIN shops USING (shop) JOIN agents USING (owner)
  LEFT JOIN of_people USING (shop, owner) LEFT JOIN of_turns USING (shop, owner) LEFT JOIN of_nights USING (shop, owner)
  LEFT JOIN of_sessions USING (shop, owner) LEFT JOIN of_sales USING (shop, owner)
  LEFT JOIN of_autos USING (shop, owner) LEFT JOIN data_ends USING (shop) LEFT JOIN shop_totals USING (shop);
