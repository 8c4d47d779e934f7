package killtest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"penstock/internal/load"
)

// islands finds the sequences of each client that are stored, as runs without gaps. An id that is stored twice is in its
// run once; repeated counts it.
const islands = `
with ids as (select substr(id, 2, 4) as client, cast(substr(id, 7) as bigint) as seq from STREAM where WHERE group by id),
     runs as (select client, seq, seq - row_number() over (partition by client order by seq) as run from ids)
select client, min(seq), max(seq) + 1 from runs group by client, run order by client, min(seq)`

// counts are questions whose answer is 0 when all is well.
var counts = []struct{ what, query string }{
	{"ids are stored more than once", "select count(*) from (select id from STREAM where WHERE group by id having count(*) > 1) as twice"},
	{"places in the log are stored more than once", "select count(*) from (select _partition, _epoch, _offset from STREAM where WHERE" +
		" group by _partition, _epoch, _offset having count(*) > 1) as twice"},
	{"rows are not whole", "select count(*) from STREAM where WHERE and (length(cast(data as varchar)) <> SIZE" +
		" or md5(substr(cast(data as varchar), 1, SIZE - 42)) <> substr(cast(data as varchar), SIZE - 33, 32))"},
	{"rows have an id or key that is not their event's", "select count(*) from STREAM where WHERE and" +
		" (json_extract_string(data, '$.id') <> id or json_extract_string(data, '$.key') <> key)"},
	{"rows have a column that is not their event's", "select count(*) from STREAM where WHERE and" +
		" (json_extract_string(data, '$.amount') <> cast(amount as varchar) or json_extract_string(data, '$.country') <> country)"},
}

// fill puts the stream, the size and the condition into a query.
func fill(query, where string) string {
	return strings.NewReplacer("STREAM", stream, "WHERE", where, "SIZE", fmt.Sprint(eventSize)).Replace(query)
}

// ofClients is the condition that selects the events of the clients from first to last.
func ofClients(first, last int) string {
	return fmt.Sprintf("(id >= '%s' and id < '%s')", load.EventID(first, 0), load.EventID(last+1, 0))
}

// check looks at the events of one round, and counts those of all.
func (t *tester) check(ctx context.Context, r *Round, acked []load.Acked) error {
	if err := t.checkClients(ctx, r, acked); err != nil {
		return err
	}
	total, err := t.ask().Number(ctx, "select count(*) from "+stream)
	if err != nil {
		return err
	}
	if r.Total = total; total != t.total+r.Stored {
		r.Problems = append(r.Problems, fmt.Sprintf("%d rows were stored before and %d in this round, SQL counts %d", t.total, r.Stored, total))
	}
	t.total = total
	return nil
}

// checkAll looks at the events of all rounds once more, some clients at a time, and at the places of all rows.
func (t *tester) checkAll(ctx context.Context, r *Round) error {
	const clientsAtOnce = 4 * connections
	for i := 0; i < len(t.acked); i += clientsAtOnce {
		if err := t.checkClients(ctx, r, t.acked[i:min(i+clientsAtOnce, len(t.acked))]); err != nil {
			return err
		}
	}
	if r.Stored != t.total {
		r.Problems = append(r.Problems, fmt.Sprintf("%d rows belong to clients, SQL counts %d", r.Stored, t.total))
	}
	const slices = 8
	for i := range slices {
		if err := t.count(ctx, r, counts[1].what, counts[1].query, fmt.Sprintf("_partition %% %d = %d", slices, i)); err != nil {
			return err
		}
	}
	return nil
}

func (t *tester) count(ctx context.Context, r *Round, what, query, where string) error {
	n, err := t.ask().Number(ctx, fill(query, where))
	if err == nil && n != 0 {
		r.Problems = append(r.Problems, fmt.Sprintf("%d %s", n, what))
	}
	return err
}

// checkClients compares what some clients know with what is stored of theirs. Their numbers are ascending.
func (t *tester) checkClients(ctx context.Context, r *Round, clients []load.Acked) error {
	where := ofClients(clients[0].Client, clients[len(clients)-1].Client)
	for _, c := range counts {
		if err := t.count(ctx, r, c.what, c.query, where); err != nil {
			return err
		}
	}
	stored, err := t.stored(ctx, where)
	if err != nil {
		return err
	}
	for _, c := range clients {
		have := stored[c.Client]
		r.Stored += have.Len()
		if missing := c.Ranges.Missing(have); len(missing) > 0 {
			r.Problems = append(r.Problems, fmt.Sprintf("client %d: %d answered events are not stored, the first is %s",
				c.Client, missing.Len(), load.EventID(c.Client, missing[0].From)))
		}
		if n := len(have); n > 0 && have[n-1].To > c.Sent {
			r.Problems = append(r.Problems, fmt.Sprintf("client %d: %s is stored and was never sent", c.Client, load.EventID(c.Client, have[n-1].To-1)))
		}
	}
	return nil
}

// stored returns the sequences that SQL shows of each client.
func (t *tester) stored(ctx context.Context, where string) (map[int]load.Ranges, error) {
	table, err := t.ask().SQL(ctx, fill(islands, where))
	if err != nil {
		return nil, err
	}
	have := map[int]load.Ranges{}
	for _, row := range table.Rows {
		var client int
		if _, err := fmt.Sscanf(fmt.Sprint(row[0]), "%d", &client); err != nil {
			return nil, fmt.Errorf("read client %v: %w", row[0], err)
		}
		from, err := integer(row[1])
		if err != nil {
			return nil, err
		}
		to, err := integer(row[2])
		if err != nil {
			return nil, err
		}
		have[client] = have[client].Add(from, to)
	}
	return have, nil
}

func integer(value any) (int64, error) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, fmt.Errorf("%v is no number", value)
	}
	return n.Int64()
}
