package audit

import "penstock"

// followed is how far the producers of records came, as far as a search has seen it.
type followed map[producer]mark

type producer struct {
	lane penstock.Lane
	name string
}

// mark is the last request of a producer, and the item within it.
type mark struct {
	seq  uint64
	item int
	sure bool // the store took it for the last one, too: it has a record of the producer at or before it
}

const maxFollowed = 1 << 18 // producers that a search remembers

type verdict int

const (
	no verdict = iota
	yes
	perhaps
)

// see follows a record, which the store has or has not, and reports whether it is a repeat by its producer's number. Of a producer
// of whom nothing was found yet that is not known: the log may have given up what came before.
func (f followed) see(r *penstock.Record, has bool) verdict {
	if r.Producer.Name == "" {
		return no
	}
	p := producer{laneOf(r), r.Producer.Name}
	last, known := f[p]
	own := mark{r.Producer.Seq, r.Item, last.sure || has}
	if known && !last.less(own) {
		if has {
			return no
		}
		return yes
	}
	if known || len(f) < maxFollowed {
		f[p] = own
	}
	if has || last.sure {
		return no
	}
	return perhaps
}

func (m mark) less(n mark) bool {
	return m.seq < n.seq || m.seq == n.seq && m.item < n.item
}
