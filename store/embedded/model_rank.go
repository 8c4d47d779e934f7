package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"

	"penstock"
)

// Rank implements penstock.Viewer.
func (d *Database) Rank(ctx context.Context, view, member string, around int) ([]penstock.Standing, error) {
	if m, err := d.shownModel(view); err == nil && m.holdable() {
		if all, held := d.boards.around(m, member, around); held {
			return known(all, view, member)
		}
	}
	result, err := d.askView(ctx, view, func(m model) (string, []any, error) {
		if !m.View.Board {
			return "", nil, refuseView("the view " + view + " is no leaderboard")
		}
		return d.rankStatement(m, around), []any{member}, nil
	})
	if err != nil {
		return nil, err
	}
	defer result.Close()
	var all []penstock.Standing
	for place := int64(0); ; place++ {
		row, err := result.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		one := penstock.Standing{Member: row[0].(string), Score: row[1]}
		switch over, before := row[2].(int64), row[3].(int64); {
		case place == 0:
			one.Rank = over + 1
		case fmt.Sprint(row[1]) == fmt.Sprint(all[place-1].Score):
			one.Rank = all[place-1].Rank
		default:
			one.Rank = before + place + 1
		}
		all = append(all, one)
	}
	return known(all, view, member)
}

// known returns standings, or NotFound if there are none.
func known(all []penstock.Standing, view, member string) ([]penstock.Standing, error) {
	if len(all) == 0 {
		return nil, &penstock.Error{Code: penstock.NotFound, Op: "ask view", Reason: "unknown_member", Err: fmt.Errorf("the leaderboard %s has no member %.64q", view, member)}
	}
	return all, nil
}

// rankStatement returns the members around one, the best first, with how many have a higher score than the first of them, and how many
// stand before that.
func (d *Database) rankStatement(m model, around int) string {
	name, score := ident(m.View.Group[0].Name), ident(m.View.Measures[0].Name)
	// A member stands before another with a higher score, or with the same score and a name that sorts before.
	before := func(a, b string) string {
		return fmt.Sprintf("(%[1]s.score > %[2]s.score OR %[1]s.score = %[2]s.score AND %[1]s.member < %[2]s.member)", a, b)
	}
	return fmt.Sprintf("WITH board AS MATERIALIZED (SELECT CAST(%s AS VARCHAR) AS member, %s AS score FROM (%s) WHERE %[2]s IS NOT NULL AND %[1]s IS NOT NULL), "+
		"me AS MATERIALIZED (SELECT * FROM board WHERE member = ?), "+
		"shown AS MATERIALIZED ((SELECT b.* FROM board b, me WHERE %[4]s ORDER BY b.score, b.member DESC LIMIT %[6]d) UNION ALL SELECT * FROM me UNION ALL "+
		"(SELECT b.* FROM board b, me WHERE %[5]s ORDER BY b.score DESC, b.member LIMIT %[6]d)), "+
		"first AS MATERIALIZED (SELECT * FROM shown ORDER BY score DESC, member LIMIT 1), "+
		"counts AS MATERIALIZED (SELECT count(*) FILTER (WHERE b.score > f.score) AS over, count(*) FILTER (WHERE %[7]s) AS before FROM board b, first f) "+
		"SELECT member, score, over, before FROM shown, counts ORDER BY score DESC, member",
		name, score, d.rowsOf(m, 0, nil), before("b", "me"), before("me", "b"), around, before("b", "f"))
}
