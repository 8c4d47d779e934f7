package ranking

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// naive says where members stand by sorting all of them.
func naive(scores map[string]Score) []Standing {
	var all []Standing
	for member, score := range scores {
		all = append(all, Standing{Entry: Entry{member, score}})
	}
	slices.SortFunc(all, func(a, b Standing) int {
		if c := b.Score.Compare(a.Score); c != 0 {
			return c
		}
		if a.Member < b.Member {
			return -1
		}
		return 1
	})
	for i := range all {
		all[i].Rank = 1
		for _, other := range all {
			if other.Score.Compare(all[i].Score) > 0 {
				all[i].Rank++
			}
		}
	}
	return all
}

// A board says what sorting says, whatever was set, changed and removed, and however it was made.
func TestBoardIsInOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, scale := range []int{4, 50, 100_000} { // few scores: many ties
		b, scores := &Board{}, map[string]Score{}
		for range 30 {
			for range 120 {
				member := fmt.Sprint("m", random.IntN(600))
				if random.IntN(8) == 0 {
					b.Remove(member)
					delete(scores, member)
					continue
				}
				score := Score{Hi: int64(random.IntN(scale)) - 2, Lo: uint64(random.IntN(2))}
				b.Set(member, score)
				scores[member] = score
			}
			if random.IntN(6) == 0 {
				var all []Entry
				for member, score := range scores {
					all = append(all, Entry{member, score})
				}
				b = Fill(all)
			}
			compare(t, b, naive(scores), random)
		}
	}
}

func compare(t *testing.T, b *Board, want []Standing, random *rand.Rand) {
	t.Helper()
	if got := b.Top(b.Len() + 5); !slices.Equal(got, want) {
		t.Fatalf("%d members:\n%v\nwant\n%v", b.Len(), got, want)
	}
	for range 20 {
		at, n := random.IntN(len(want)), random.IntN(9)
		got := b.Around(want[at].Member, n)
		if !slices.Equal(got, want[max(0, at-n):min(len(want), at+n+1)]) {
			t.Fatalf("%d around %s: %v", n, want[at].Member, got)
		}
	}
	if b.Around("nobody", 3) != nil {
		t.Fatal("nobody stands somewhere")
	}
}

// Blocks are split, and those that are empty go.
func TestManyMembers(t *testing.T) {
	b := &Board{}
	const members = 20_000
	for i := range members {
		b.Set(fmt.Sprintf("m%05d", i*7919%members), Score{Hi: int64(i % 100)})
	}
	if s := b.Around("m00000", 0); len(s) != 1 || s[0].Rank != 1+members/100*99 {
		t.Fatalf("%v", s)
	}
	for i := range members - 1 {
		b.Remove(fmt.Sprintf("m%05d", i))
	}
	if got := b.Top(10); len(got) != 1 || got[0].Rank != 1 || len(b.blocks) != 1 {
		t.Fatalf("%v in %d blocks", got, len(b.blocks))
	}
}

func BenchmarkMillion(b *testing.B) {
	all := make([]Entry, 1_000_000)
	for i := range all {
		all[i] = Entry{fmt.Sprintf("player%07d", i), Score{Hi: int64(i * 7919 % 1_000_003)}}
	}
	board := Fill(all)
	b.Run("around", func(b *testing.B) {
		for i := range b.N {
			board.Around(fmt.Sprintf("player%07d", i*31%1_000_000), 5)
		}
	})
	b.Run("set", func(b *testing.B) {
		for i := range b.N {
			board.Set(fmt.Sprintf("player%07d", i*31%1_000_000), Score{Hi: int64(i % 1_000_000)})
		}
	})
}
