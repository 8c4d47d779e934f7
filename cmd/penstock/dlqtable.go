package main

import (
	"context"

	"penstock"
	"penstock/store/embedded"
)

// maxLetterRows bounds penstock.dlq: open letters come before parked ones, those before dropped ones, and replayed ones last, each in the
// order of their places; what is beyond the bound is not shown.
const maxLetterRows = 10_000

// letterPage is how many letters are asked for at once: they come with their bodies, which the table does not show.
const letterPage = 200

// letterTable is penstock.dlq.
func (e *engine) letterTable() embedded.SystemTable {
	return embedded.SystemTable{
		Columns: []penstock.ResultColumn{
			{Name: "stream", Type: "VARCHAR"}, {Name: "id", Type: "VARCHAR"}, {Name: "key", Type: "VARCHAR"}, {Name: "time", Type: "TIMESTAMPTZ"},
			{Name: "partition", Type: "BIGINT"}, {Name: "epoch", Type: "BIGINT"}, {Name: "offset", Type: "BIGINT"},
			{Name: "reason", Type: "VARCHAR"}, {Name: "detail", Type: "VARCHAR"}, {Name: "state", Type: "VARCHAR"},
			{Name: "since", Type: "TIMESTAMPTZ"}, {Name: "size", Type: "BIGINT"},
		},
		Rows: e.letterRows,
	}
}

func (e *engine) letterRows(ctx context.Context) ([][]any, error) {
	keeper, ok := e.store.(penstock.DeadLetters)
	if !ok { // the store asks while it is being opened
		return nil, nil
	}
	var rows [][]any
	for _, state := range []penstock.LetterState{penstock.LetterOpen, penstock.LetterParked, penstock.LetterDropped, penstock.LetterReplayed} {
		q := penstock.LetterQuery{State: state}
		for more := true; more && len(rows) < maxLetterRows; {
			q.Limit = min(letterPage, maxLetterRows-len(rows))
			letters, err := keeper.Letters(ctx, q)
			if err != nil {
				return nil, err
			}
			for _, l := range letters {
				rows = append(rows, letterRow(l))
				q.After = penstock.Place{Partition: l.Partition, Position: l.Position}
			}
			more = len(letters) == q.Limit
		}
	}
	return rows, nil
}

func letterRow(l penstock.Letter) []any {
	var key any
	if l.Key != "" {
		key = l.Key
	}
	return []any{
		l.Stream, l.ID, key, l.Time.Time(), int64(l.Partition), int64(l.Position.Epoch), int64(l.Position.Offset),
		string(l.Reason), l.Detail, string(l.State), l.Since.Time(), int64(len(l.Body)),
	}
}
