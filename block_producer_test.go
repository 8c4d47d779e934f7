package penstock

import "testing"

// TestBlockProducerAndReplay covers what only some blocks and records have.
func TestBlockProducerAndReplay(t *testing.T) {
	bb := NewBlockBuilder(NewPartitioner(testCluster()))
	bb.Reset(DefaultTenant, "clicks", 7, 0)
	bb.Produced(Producer{"agent-1", 42})
	letter := Position{3, 99}
	bb.Add(Event{ID: []byte("a"), Body: []byte(`{"n":1}`), Sum: 11})
	bb.Add(Event{ID: []byte("b"), Key: []byte("k"), Body: []byte(`{}`), Sum: 12, ReplayOf: letter, Flags: ServerID})
	bb.Add(Event{ID: []byte("c"), Body: []byte(`{"n":3}`), Sum: 13})
	b := bb.Take()
	data := b.AppendTo(nil)
	if Bytes(len(data)) != b.Size() {
		t.Fatalf("%d bytes, Size says %d", len(data), b.Size())
	}
	got, err := DecodeBlock(data)
	if err != nil || got.Producer != b.Producer {
		t.Fatalf("%+v, %v", got, err)
	}
	item := 0
	for r := range got.Records() {
		want := Position{}
		if item == 1 {
			want = letter
		}
		if r.Item != item || r.Sum != Checksum(11+item) || r.ReplayOf != want || r.Producer != b.Producer || (r.Flags == ServerID) != (item == 1) {
			t.Errorf("item %d: %+v", item, r)
		}
		item++
	}
	for n := range data {
		if _, err := DecodeBlock(data[:n]); err == nil {
			t.Errorf("the first %d bytes are a block", n)
		}
	}
}
