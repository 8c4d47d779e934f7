package embedded

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/duckdb/duckdb-go/v2"

	"penstock"
	"penstock/internal/delta"
	"penstock/internal/jsonscan"
	"penstock/internal/ranking"
)

// boards are the leaderboards whose members are held in order in memory, by model. They are read from the states once, and follow each
// commit from then on. One that is not there yet, or that may forget members, is asked in SQL.
type boards struct {
	mu  sync.RWMutex
	all map[int32]*liveBoard
}

// liveBoard is a leaderboard in memory.
type liveBoard struct {
	of     model
	loaded bool
	coming []standing // since it began to be read
	board  *ranking.Board
	at     map[string][]byte // of a latest score: when it was
}

// standing is what a commit changes about a member.
type standing struct {
	member string
	score  ranking.Score
	at     []byte
}

// holdable reports whether a leaderboard can be held in memory: its members' names are as SQL shows them, and none is ever forgotten.
func (m model) holdable() bool {
	return m.View.Board && m.View.Keep == 0 && (m.View.Group[0].Type == penstock.Text || m.View.Group[0].Type == penstock.Bigint)
}

// appendStanding adds what a delta of a leaderboard changes: nothing if it has no member or no score.
func appendStanding(to []standing, m model, d *delta.Delta) []standing {
	member, score := d.Group[0], d.State[0]
	if member.Null || score.Null {
		return to
	}
	one := standing{member: string(member.Bytes), score: scoreOf(m.scoreType(), score)}
	if m.View.Group[0].Type == penstock.Bigint {
		one.member = strconv.FormatInt(member.Int, 10)
	}
	if m.View.Measures[0].Kind == penstock.MeasureLatest {
		one.at = bytes.Clone(d.State[1].Bytes)
	}
	return append(to, one)
}

// scoreType is the type in which states keep the score: sums of integers are decimals.
func (m model) scoreType() penstock.ColumnType {
	of := m.View.Measures[0]
	if of.Kind == penstock.MeasureSum && of.Of.Type == penstock.Bigint {
		return penstock.Decimal
	}
	return of.Of.Type
}

func scoreOf(t penstock.ColumnType, c jsonscan.Cell) ranking.Score {
	switch t {
	case penstock.Double:
		return scoreOfFloat(c.Float)
	case penstock.Decimal:
		return ranking.Score{Hi: c.Hi, Lo: c.Lo}
	}
	return ranking.Score{Hi: c.Int >> 63, Lo: uint64(c.Int)}
}

// scoreOfFloat returns a score that is in the order of doubles.
func scoreOfFloat(f float64) ranking.Score {
	bits := math.Float64bits(f + 0) // there is one zero
	if bits>>63 == 1 {
		return ranking.Score{Lo: ^bits}
	}
	return ranking.Score{Lo: bits | 1<<63}
}

func floatOf(s ranking.Score) float64 {
	if s.Lo>>63 == 1 {
		return math.Float64frombits(s.Lo &^ (1 << 63))
	}
	return math.Float64frombits(^s.Lo)
}

// take makes a change that was committed.
func (l *liveBoard) take(one standing) {
	old, known := l.board.Score(one.member)
	if !known {
		l.set(one)
		return
	}
	switch l.of.View.Measures[0].Kind {
	case penstock.MeasureMax:
		if one.score.Compare(old) > 0 {
			l.set(one)
		}
	case penstock.MeasureLatest:
		if bytes.Compare(one.at, l.at[one.member]) > 0 {
			l.set(one)
		}
	default:
		if l.scoreColumn().Type == penstock.Double {
			one.score = scoreOfFloat(floatOf(old) + floatOf(one.score))
		} else {
			low := old.Lo + one.score.Lo
			carry := int64(0)
			if low < old.Lo {
				carry = 1
			}
			one.score = ranking.Score{Hi: old.Hi + one.score.Hi + carry, Lo: low}
		}
		l.set(one)
	}
}

func (l *liveBoard) set(one standing) {
	l.board.Set(one.member, one.score)
	if one.at != nil {
		l.at[one.member] = one.at
	}
}

func (l *liveBoard) scoreColumn() delta.Column { return delta.Columns(&l.of.View)[0] }

// shown returns a score as SQL shows it.
func (l *liveBoard) shown(s ranking.Score) any {
	whole := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(s.Hi), 64), new(big.Int).SetUint64(s.Lo))
	switch c := l.scoreColumn(); {
	case c.Type == penstock.Double:
		return floatOf(s)
	case c.Type == penstock.Bigint:
		return whole.Int64()
	case c.Scale == 0 && l.of.View.Measures[0].Of.Type == penstock.Bigint:
		return whole
	default:
		return penstock.Number(decimal128.New(s.Hi, s.Lo).ToString(int32(c.Scale)))
	}
}

// note takes what a commit changed.
func (b *boards) note(id int32, changes []standing) {
	if len(changes) == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch l := b.all[id]; {
	case l == nil:
	case !l.loaded:
		l.coming = append(l.coming, changes...)
	default:
		for _, one := range changes {
			l.take(one)
		}
	}
}

// around returns a member's standing and those about it; false if the board is not held.
func (b *boards) around(m model, member string, n int) ([]penstock.Standing, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	l := b.all[m.ID]
	if l == nil || !l.loaded {
		return nil, false
	}
	var all []penstock.Standing
	for _, one := range l.board.Around(member, n) {
		all = append(all, penstock.Standing{Rank: int64(one.Rank), Member: one.Member, Score: l.shown(one.Score)})
	}
	return all, true
}

// holdBoards reads the leaderboards that users see and that are not held yet, and lets go of those that nobody sees any more.
func (d *Database) holdBoards(ctx context.Context) error {
	wanted := map[int32]model{}
	for _, m := range d.shownViews.Load().ready {
		if m.holdable() {
			wanted[m.ID] = m
		}
	}
	d.boards.mu.Lock()
	for id := range d.boards.all {
		if _, ok := wanted[id]; !ok {
			delete(d.boards.all, id)
		}
		delete(wanted, id)
	}
	d.boards.mu.Unlock()
	var all []error
	for _, m := range wanted {
		all = append(all, d.holdBoard(ctx, m))
	}
	return errors.Join(all...)
}

// holdBoard reads a leaderboard as it is at one moment, and gives it what was committed since.
func (d *Database) holdBoard(ctx context.Context, m model) error {
	c, err := d.engine.conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	l := &liveBoard{of: m, at: map[string][]byte{}}
	from, err := d.beginBoard(ctx, c, l)
	if err != nil {
		return d.letGo(m, err)
	}
	var entries []ranking.Entry
	behind(func() { entries, err = l.read(ctx, c, from) })
	err = errors.Join(err, c.exec(context.WithoutCancel(ctx), "ROLLBACK"))
	if err != nil {
		return d.letGo(m, err)
	}
	l.board = ranking.Fill(entries)
	d.boards.mu.Lock()
	defer d.boards.mu.Unlock()
	for _, one := range l.coming {
		l.take(one)
	}
	l.coming, l.loaded = nil, true // it may have been dropped meanwhile: then nobody asks it
	return nil
}

func (d *Database) letGo(m model, err error) error {
	d.boards.drop(m.ID)
	return penstock.Wrap(penstock.Unavailable, "read leaderboard "+m.View.Name, err)
}

// beginBoard begins a transaction that sees exactly what was committed before the board hears of commits: no batch is under way then. It
// returns the states that there are at that moment, in SQL: a file that is begun later has none of them.
func (d *Database) beginBoard(ctx context.Context, c conn, l *liveBoard) (from string, err error) {
	for _, s := range d.shards {
		s.applying.Lock()
		defer s.applying.Unlock()
	}
	from = d.from(l.of)
	err = c.exec(ctx, "BEGIN TRANSACTION READ ONLY", "SELECT count(*) FROM (SELECT 1 FROM "+from+" LIMIT 1)") // it begins in all files
	d.boards.mu.Lock()
	defer d.boards.mu.Unlock()
	if d.boards.all == nil {
		d.boards.all = map[int32]*liveBoard{}
	}
	d.boards.all[l.of.ID] = l
	return from, err
}

// drop lets go of a leaderboard. Tend reads it again if it may be held.
func (b *boards) drop(id int32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, id)
}

// read returns all members with their scores.
func (l *liveBoard) read(ctx context.Context, c conn, from string) ([]ranking.Entry, error) {
	columns := delta.Columns(&l.of.View)
	at := "NULL"
	if l.of.View.Measures[0].Kind == penstock.MeasureLatest {
		at = merged(columns[1])
	}
	query := fmt.Sprintf("SELECT CAST(%[1]s AS VARCHAR), %[2]s, %[3]s FROM %[4]s WHERE %[1]s IS NOT NULL GROUP BY %[1]s HAVING %[2]s IS NOT NULL",
		groupName(0), merged(columns[0]), at, from)
	var all []ranking.Entry
	err := c.each(ctx, query, func(scan func(...any) error) error {
		var e ranking.Entry
		var score driver.Value
		var when []byte
		if err := scan(&e.Member, &score, &when); err != nil {
			return err
		}
		var err error
		e.Score, err = scoreOfValue(score)
		all = append(all, e)
		if when != nil {
			l.at[e.Member] = bytes.Clone(when)
		}
		return err
	})
	return all, err
}

func scoreOfValue(v driver.Value) (ranking.Score, error) {
	switch v := v.(type) {
	case int64:
		return ranking.Score{Hi: v >> 63, Lo: uint64(v)}, nil
	case float64:
		return scoreOfFloat(v), nil
	case *big.Int:
		return scoreOfBig(v), nil
	case duckdb.Decimal:
		return scoreOfBig(v.Value), nil
	}
	return ranking.Score{}, penstock.Errorf(penstock.Internal, "read leaderboard", "a score of type %T", v)
}

// scoreOfBig returns an integer of at most 128 bits.
func scoreOfBig(v *big.Int) ranking.Score {
	high := new(big.Int).Rsh(v, 64) // towards minus infinity, as two's complement has it
	low := new(big.Int).Sub(v, new(big.Int).Lsh(high, 64))
	return ranking.Score{Hi: high.Int64(), Lo: low.Uint64()}
}
