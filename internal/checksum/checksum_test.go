package checksum

import (
	"fmt"
	"testing"

	"penstock"
)

func TestSum(t *testing.T) {
	c := penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Partitions: 4}
	other := c
	other.Key[0] = 1
	type event struct{ stream, key, id, body string }
	sum := func(c penstock.Cluster, e event) penstock.Checksum {
		return NewHasher(c).Stream(penstock.DefaultTenant, e.stream).Sum([]byte(e.key), []byte(e.id), []byte(e.body))
	}
	first := event{"clicks", "k", "1", `{"n":1}`}
	seen := map[penstock.Checksum]event{sum(c, first): first}
	if again := sum(c, first); seen[again] != first || again == sum(other, first) {
		t.Fatal("the checksum is not the cluster's and the event's alone")
	}
	for _, e := range []event{
		{"click", "k", "1", `{"n":1}`}, {"clicks", "", "1", `{"n":1}`}, {"clicks", "k", "2", `{"n":1}`}, {"clicks", "k", "1", `{"n":2}`},
		{"clicks", "k1", "", `{"n":1}`}, {"clicks", "", "k1", `{"n":1}`}, {"clicks", "1", "k", `{"n":1}`}, {"clicks", "k", "1", ""},
	} {
		if same, ok := seen[sum(c, e)]; ok {
			t.Errorf("%v and %v have the same checksum", e, same)
		}
		seen[sum(c, e)] = e
	}
}

// blockOf makes a block of n events of 250 bytes with their checksums.
func blockOf(h Hasher, n int) *penstock.Block {
	bb := penstock.NewBlockBuilder(penstock.NewPartitioner(penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Partitions: 64}))
	bb.Reset(penstock.DefaultTenant, "clicks", 1, 0)
	s := h.Stream(penstock.DefaultTenant, "clicks")
	for i := range n {
		id, key, body := fmt.Appendf(nil, "c00001-%010d", i), fmt.Appendf(nil, "k%08d", i%300), make([]byte, 250)
		bb.Add(penstock.Event{ID: id, Key: key, Body: body, Sum: s.Sum(key, id, body)})
	}
	return bb.Take()
}

// Totals takes every checksum again, and counts what has one or none, but no replay.
func TestTotals(t *testing.T) {
	h := NewHasher(penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Partitions: 64})
	b := blockOf(h, 500)
	var want penstock.Total
	for r := range b.Records() {
		want.Add(r.Sum)
	}
	for _, totals := range []func(*penstock.Block) ([]penstock.Total, error){h.Totals, Totals} {
		groups, err := totals(b)
		if err != nil || len(groups) != len(b.Groups) {
			t.Fatal(groups, err)
		}
		var got penstock.Total
		for i, g := range groups {
			if g.Events != int64(b.Groups[i].Count) {
				t.Errorf("group %d: %+v of %d records", i, g, b.Groups[i].Count)
			}
			got = got.Plus(g)
		}
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	bb := penstock.NewBlockBuilder(penstock.NewPartitioner(penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Partitions: 64}))
	bb.Reset(penstock.DefaultTenant, "clicks", 1, 0)
	bb.Add(penstock.Event{ID: []byte("1"), Body: []byte("{}")})
	bb.Add(penstock.Event{ID: []byte("2"), Body: []byte("{}"), ReplayOf: penstock.Position{Epoch: 1}})
	groups, err := h.Totals(bb.Take())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if g.Lo != 0 || g.Events > 1 {
			t.Errorf("%+v of records without checksums", groups)
		}
	}
	raw := b.AppendTo(nil)
	raw[len(raw)-1] ^= 1
	changed, err := penstock.DecodeBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Totals(changed); !penstock.Is(err, penstock.Internal) {
		t.Errorf("a changed body: %v", err)
	}
}

func BenchmarkSum(b *testing.B) {
	s := NewHasher(penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Partitions: 4}).Stream("default", "clicks")
	key, id, body := []byte("k00001234"), []byte("c00001-0000012345"), make([]byte, 250)
	b.SetBytes(250)
	for b.Loop() {
		s.Sum(key, id, body)
	}
}

func BenchmarkTotals(b *testing.B) {
	h := NewHasher(penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Partitions: 64})
	for _, n := range []int{1, 1000} {
		block := blockOf(h, n)
		for name, totals := range map[string]func(*penstock.Block) ([]penstock.Total, error){"taken": h.Totals, "recorded": Totals} {
			b.Run(fmt.Sprint(name, "/", n), func(b *testing.B) {
				for b.Loop() {
					if _, err := totals(block); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/event")
			})
		}
	}
}
