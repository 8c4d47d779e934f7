package writebehind

import (
	"context"
	"errors"
	"maps"
	"testing"

	"penstock"
	"penstock/eventlog/memory"
)

// gate is an Appender that waits for leave and counts what it got.
type gate struct {
	leave chan error
	got   []string
}

func (g *gate) Durability() penstock.Durability { return penstock.DurabilityDisk }

func (g *gate) Append(_ context.Context, blocks ...*penstock.Block) error {
	err := <-g.leave
	if err == nil {
		for _, b := range blocks {
			b.Epoch = 7
			g.got = append(g.got, b.Stream)
		}
	}
	return err
}

func block(stream string) *penstock.Block {
	c := penstock.Cluster{ID: "00000000000000000000000000000000", Partitions: 4}
	bb := penstock.NewBlockBuilder(penstock.NewPartitioner(c))
	bb.Reset(penstock.DefaultTenant, stream, 1, 0)
	bb.Add(penstock.Event{ID: []byte("1"), Body: []byte("{}")})
	return bb.Take()
}

func TestAnswersBeforeTheLogDoes(t *testing.T) {
	g := &gate{leave: make(chan error, 10)}
	a := New(g, Options{})
	first := block("a")
	for _, b := range []*penstock.Block{first, block("b"), block("c")} {
		if err := a.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		g.leave <- nil
	}
	a.Close()
	if len(g.got) != 3 || g.got[0] != "a" || g.got[1] != "b" || g.got[2] != "c" {
		t.Fatalf("appended %v", g.got)
	}
	if first.Epoch != 0 {
		t.Fatal("the caller's block was changed after the answer")
	}
	if err := a.Append(t.Context(), block("d")); !penstock.Is(err, penstock.Unavailable) {
		t.Fatalf("after Close: %v", err)
	}
}

func TestAccountsForWhatTheLogHas(t *testing.T) {
	log := memory.New(memory.Options{Partitions: 4})
	a := New(log, Options{})
	if err := a.Append(t.Context(), block("a")); err != nil {
		t.Fatal(err)
	}
	a.Close()
	want, _, err := log.Accepted(t.Context())
	if err != nil || len(want) != 1 {
		t.Fatalf("the log: %v, %v", want, err)
	}
	if got, _, err := a.Accepted(t.Context()); err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v; the log has %v", got, err, want)
	}
	without := New(&gate{}, Options{})
	defer without.Close()
	if _, _, err := without.Accepted(t.Context()); !penstock.Is(err, penstock.Invalid) {
		t.Errorf("a log that does not account: %v", err)
	}
}

func TestIsBounded(t *testing.T) {
	g := &gate{leave: make(chan error, 10)}
	a := New(g, Options{MaxWaiting: 2 * block("a").Size()})
	for range 2 {
		if err := a.Append(t.Context(), block("a")); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Append(t.Context(), block("a")); !penstock.Is(err, penstock.Overloaded) {
		t.Fatalf("over the limit: %v", err)
	}
	for range 3 {
		g.leave <- nil
	}
	a.Close()
}

func TestCountsWhatTheLogRefuses(t *testing.T) {
	g := &gate{leave: make(chan error, 10)}
	dropped := 0
	a := New(g, Options{Dropped: func(stream string, n int, why error) { dropped += n }})
	g.leave <- errors.New("gone")
	if err := a.Append(t.Context(), block("a")); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if dropped != 1 {
		t.Fatalf("dropped %d", dropped)
	}
}
