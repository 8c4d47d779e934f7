// Package ranking orders members by score, so that it can be said at once where one stands among millions.
//
// The order is by score, the highest first, then by name. A board is some thousand blocks of members in order: a place is found by
// binary search among the blocks and in one of them, and counted by their lengths. A member takes about 110 bytes and its name.
package ranking

import (
	"slices"
	"sort"
	"strings"
)

// Score is a score, as a 128-bit integer in two's complement. What it means is the caller's: decimals come times a power of ten, doubles as OfFloat
// has them.
type Score struct {
	Hi int64
	Lo uint64
}

// Compare returns -1, 0 or 1.
func (s Score) Compare(other Score) int {
	switch {
	case s.Hi < other.Hi, s.Hi == other.Hi && s.Lo < other.Lo:
		return -1
	case s == other:
		return 0
	}
	return 1
}

// Entry is a member with its score.
type Entry struct {
	Member string
	Score  Score
}

// Standing is an entry with its rank: 1 and as many as have a higher score.
type Standing struct {
	Entry
	Rank int
}

// before reports whether a stands before b.
func before(a, b Entry) bool {
	if c := a.Score.Compare(b.Score); c != 0 {
		return c > 0
	}
	return strings.Compare(a.Member, b.Member) < 0
}

// blockSize is how many entries a block has before it is split in two.
const blockSize = 1024

// Board is a set of members in order. The zero value is empty. It is not safe for concurrent use.
type Board struct {
	scores map[string]Score
	blocks [][]Entry // none is empty
}

// Len returns how many members there are.
func (b *Board) Len() int { return len(b.scores) }

// Score returns a member's score.
func (b *Board) Score(member string) (Score, bool) {
	s, ok := b.scores[member]
	return s, ok
}

// Set gives a member a score.
func (b *Board) Set(member string, score Score) {
	old, known := b.scores[member]
	if known && old == score {
		return
	}
	if known {
		b.take(Entry{member, old})
	}
	if b.scores == nil {
		b.scores = map[string]Score{}
	}
	b.scores[member] = score
	b.put(Entry{member, score})
}

// Remove takes a member off the board.
func (b *Board) Remove(member string) {
	if old, known := b.scores[member]; known {
		delete(b.scores, member)
		b.take(Entry{member, old})
	}
}

// Fill makes a board of entries, each member once, in any order. The slice is the board's from then on.
func Fill(all []Entry) *Board {
	slices.SortFunc(all, func(x, y Entry) int {
		if before(x, y) {
			return -1
		}
		return 1
	})
	b := &Board{scores: make(map[string]Score, len(all))}
	for _, e := range all {
		b.scores[e.Member] = e.Score
	}
	for part := range slices.Chunk(all, blockSize/2) {
		b.blocks = append(b.blocks, slices.Clip(part))
	}
	return b
}

// find returns the block in which an entry is or would be, and its place there.
func (b *Board) find(e Entry) (block, at int) {
	block = sort.Search(len(b.blocks), func(i int) bool { return before(e, b.blocks[i][0]) }) - 1
	if block < 0 {
		return 0, 0
	}
	in := b.blocks[block]
	return block, sort.Search(len(in), func(i int) bool { return !before(in[i], e) })
}

func (b *Board) put(e Entry) {
	if len(b.blocks) == 0 {
		b.blocks = [][]Entry{{e}}
		return
	}
	i, at := b.find(e)
	b.blocks[i] = slices.Insert(b.blocks[i], at, e)
	if len(b.blocks[i]) > blockSize {
		low := slices.Clone(b.blocks[i][:blockSize/2])
		high := slices.Clone(b.blocks[i][blockSize/2:])
		b.blocks = slices.Replace(b.blocks, i, i+1, low, high)
	}
}

func (b *Board) take(e Entry) {
	i, at := b.find(e)
	b.blocks[i] = slices.Delete(b.blocks[i], at, at+1)
	if len(b.blocks[i]) == 0 {
		b.blocks = slices.Delete(b.blocks, i, i+1)
	}
}

// Around returns a member with up to n others on either side, the best first; nil if there is no such member.
func (b *Board) Around(member string, n int) []Standing {
	score, ok := b.scores[member]
	if !ok {
		return nil
	}
	place := b.count(Entry{member, score})
	return b.page(max(0, place-n), min(b.Len(), place+n+1))
}

// Top returns the first n.
func (b *Board) Top(n int) []Standing { return b.page(0, min(b.Len(), n)) }

// count returns how many entries stand before one.
func (b *Board) count(e Entry) int {
	block, at := b.find(e)
	for _, one := range b.blocks[:min(block, len(b.blocks))] {
		at += len(one)
	}
	return at
}

// page returns the entries from one place to another.
func (b *Board) page(from, to int) []Standing {
	all := make([]Standing, 0, to-from)
	begin := 0
	for _, block := range b.blocks {
		end := begin + len(block)
		for i := max(from, begin); i < min(to, end); i++ {
			s := Standing{Entry: block[i-begin], Rank: i + 1}
			switch {
			case len(all) == 0:
				s.Rank = b.count(Entry{"", s.Score}) + 1 // no name sorts before the empty one
			case all[len(all)-1].Score == s.Score:
				s.Rank = all[len(all)-1].Rank
			}
			all = append(all, s)
		}
		begin = end
	}
	return all
}
