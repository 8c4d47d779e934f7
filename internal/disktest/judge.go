package disktest

import (
	"context"
	"encoding/json"
	"fmt"

	"penstock"
	"penstock/internal/load/probe"
)

// Sum is what rounds found.
type Sum struct {
	Rounds, Problems                        int
	Accepted, Refused, Lost, Doubled, Wrong int64 // events; Wrong: refused or never sent, and there
}

// Torture is the line that make torture reads.
func (s Sum) Torture(kind string) string {
	return fmt.Sprintf("torture: kind=%s rounds=%d lost=%d doubled=%d problems=%d", kind, s.Rounds, s.Lost, s.Doubled, s.Problems)
}

// Add adds another sum.
func (s *Sum) Add(o Sum) {
	s.Rounds += o.Rounds
	s.Problems += o.Problems
	s.Accepted += o.Accepted
	s.Refused += o.Refused
	s.Lost += o.Lost
	s.Doubled += o.Doubled
	s.Wrong += o.Wrong
}

// Judge compares all rows with all answers. Everything must be resolved and applied.
func (l *Load) Judge(ctx context.Context, p *probe.Probe) (Sum, error) {
	found, err := l.rows(ctx, p)
	if err != nil {
		return Sum{}, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := Sum{Rounds: 1}
	events := int64(l.Events)
	for b, f := range l.batches {
		rows := found[b]
		delete(found, b)
		s.Doubled += rows.all - rows.distinct
		switch f {
		case accepted:
			s.Accepted += events
			s.Lost += events - rows.distinct
		case refused:
			s.Refused += events
			s.Wrong += rows.all
		case open:
			return s, penstock.Errorf(penstock.Invalid, "judge", "batch %v is still open", b)
		}
	}
	for _, rows := range found {
		s.Wrong += rows.all
	}
	if s.Lost != 0 || s.Doubled != 0 || s.Wrong != 0 {
		s.Problems++
	}
	s.Problems += len(l.problems)
	return s, nil
}

// Problems returns what was wrong with the form of answers.
func (l *Load) Problems() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.problems
}

type rows struct{ all, distinct int64 }

// pageBatches is how many batches are asked for at once.
const pageBatches = 1000

// rows returns how many rows and ids each batch has.
func (l *Load) rows(ctx context.Context, p *probe.Probe) (map[batch]rows, error) {
	found, total := map[batch]rows{}, int64(0)
	for w := range l.Writers {
		l.mu.Lock()
		end := l.next[w]
		l.mu.Unlock()
		for from := 0; from < end; from += pageBatches {
			t, err := p.SQL(ctx, fmt.Sprintf("select batch, count(*), count(distinct id) from %s where writer = %d and batch >= %d and batch < %d"+
				" group by batch", Stream, w, from, from+pageBatches))
			if err != nil {
				return nil, err
			}
			for _, r := range t.Rows {
				var n [3]int64
				for i := range n {
					number, _ := r[i].(json.Number)
					if n[i], err = number.Int64(); err != nil {
						return nil, err
					}
				}
				found[batch{w, int(n[0])}] = rows{n[1], n[2]}
				total += n[1]
			}
		}
	}
	all, err := p.Number(ctx, "select count(*) from "+Stream)
	if err == nil && all != total { // of no batch that was sent
		found[batch{-1, -1}] = rows{all - total, 0}
	}
	return found, err
}
