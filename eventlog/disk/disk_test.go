package disk

import (
	"context"
	"fmt"
	"testing"

	"penstock"
	"penstock/internal/vfs"
)

func testOptions() Options {
	return Options{Cluster: penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Key: penstock.PartitionKey{1}, Partitions: 4}}
}

// testBlock makes a block of n records whose ids begin with name.
func testBlock(name string, n int) *penstock.Block {
	bb := penstock.NewBlockBuilder(penstock.NewPartitioner(testOptions().Cluster))
	bb.Reset(penstock.DefaultTenant, "clicks", 1, 0)
	for i := range n {
		id := fmt.Appendf(nil, "%s-%d", name, i)
		bb.Add(penstock.Event{ID: id, Key: id, Body: []byte(`{"n":1}`)})
	}
	return bb.Take()
}

func TestThread(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		l, err := Open(vfs.OS(), dir, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Append(context.Background(), testBlock(fmt.Sprint("r", round), 10)); err != nil {
			t.Fatal(err)
		}
		c, err := l.Open(context.Background(), penstock.Positions{0: {}, 1: {}, 2: {}, 3: {}})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for n < 10*(round+1) {
			b, err := c.Next(context.Background(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			n += b.Len()
		}
		if n != 10*(round+1) {
			t.Fatal(n)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
