package penstock

import (
	"bytes"
	"maps"
	"testing"
)

func testCluster() Cluster {
	return Cluster{ID: "000102030405060708090a0b0c0d0e0f", Key: PartitionKey{1, 2, 3}, Partitions: 8}
}

func testBlock(n int) *Block {
	bb := NewBlockBuilder(NewPartitioner(testCluster()))
	bb.Reset(DefaultTenant, "clicks", 42, 0)
	for i := range n {
		bb.Add(Event{ID: []byte{'a' + byte(i%26), '0' + byte(i/26%10)}, Key: []byte{'k', byte(i % 7)}, Time: Micros(i), Body: []byte(`{"n":1}`)})
	}
	b := bb.Take()
	b.Epoch, b.LogTime = 1, 99
	for i := range b.Groups {
		b.Groups[i].First = Offset(100 * i)
	}
	return b
}

func TestBlockRoundTrip(t *testing.T) {
	b := testBlock(50)
	raw := b.AppendTo(nil)
	if len(raw) != int(b.Size()) {
		t.Fatalf("Size says %d, encoded %d", b.Size(), len(raw))
	}
	got, err := DecodeBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.AppendTo(nil), raw) {
		t.Fatal("decoded block encodes differently")
	}
	i := 0
	for r := range got.Records() {
		if r.Time != Micros(i) || r.Stream != "clicks" || r.LogTime != 99 {
			t.Fatalf("record %d: %+v", i, r)
		}
		i++
	}
	if i != 50 {
		t.Fatalf("%d records", i)
	}
}

// What was begun and not taken leaves nothing in the builder, and neither does what was taken.
func TestBuilderKeepsNothing(t *testing.T) {
	second := func(bb *BlockBuilder) []byte {
		bb.Reset(DefaultTenant, "views", 43, 0)
		for i := range 5 {
			bb.Add(Event{ID: []byte{'b', byte(i)}, Key: []byte{'k', byte(6 - i)}, Body: []byte("{}")})
		}
		return bb.Take().AppendTo(nil)
	}
	want := second(NewBlockBuilder(NewPartitioner(testCluster())))
	for name, end := range map[string]func(*BlockBuilder){"dropped": func(*BlockBuilder) {}, "taken": func(bb *BlockBuilder) { bb.Take() }} {
		bb := NewBlockBuilder(NewPartitioner(testCluster()))
		bb.Reset(DefaultTenant, "clicks", 42, 0)
		bb.Produced(Producer{Name: "p", Seq: 1})
		for i := range 50 {
			bb.Add(Event{ID: []byte{'a', byte(i)}, Key: []byte{'k', byte(i)}, Body: []byte(`{"n":1}`)})
		}
		end(bb)
		if got := second(bb); !bytes.Equal(got, want) {
			t.Errorf("after a block that was %s: got %q, want %q", name, got, want)
		}
	}
}

func TestBatchCutsByPosition(t *testing.T) {
	b := testBlock(50)
	g := b.Groups[0]
	batch := Batch{
		From:   Positions{g.Partition: {1, g.First + 1}},
		Next:   Positions{g.Partition: {1, g.First + 3}},
		Blocks: []*Block{b},
	}
	var got []Offset
	for r := range batch.Records() {
		got = append(got, r.Position.Offset)
	}
	if len(got) != 2 || got[0] != g.First+1 || got[1] != g.First+2 || batch.Len() != 2 {
		t.Fatalf("got %v, Len %d", got, batch.Len())
	}
	if rest := batch.Only([]Partition{g.Partition + 1}); rest.Len() != 0 {
		t.Fatalf("another partition has %d", rest.Len())
	}
}

func FuzzDecodeBlock(f *testing.F) {
	f.Add(testBlock(3).AppendTo(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := DecodeBlock(data)
		if err != nil {
			return
		}
		for r := range b.Records() {
			_ = r.Body
		}
	})
}

// The vectors are those of the SipHash paper's reference implementation (key 00..0f, messages 00.., first bytes).
func TestSipHash(t *testing.T) {
	msg := make([]byte, 16)
	for i := range msg {
		msg[i] = byte(i)
	}
	const k0, k1 = 0x0706050403020100, 0x0f0e0d0c0b0a0908
	for n, want := range map[int]uint64{0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 15: 0xa129ca6149be45e5} {
		if got := sipHash(k0, k1, msg[:n]); got != want {
			t.Errorf("%d bytes: %#x, want %#x", n, got, want)
		}
	}
}

func TestReceiptRoundTrip(t *testing.T) {
	c := testCluster()
	for _, n := range []int{1, 50} { // one partition, and many
		b := testBlock(n)
		token := ReceiptOf(c.ID, DurabilityDisk, b)
		got, err := ParseReceipt(token, c.ID)
		if err != nil || !maps.Equal(got.Positions, b.Ends()) || got.String() != token {
			t.Fatalf("%d records: %v, %v; want %v", n, got, err, b.Ends())
		}
		if _, err := ParseReceipt(token, "ff0102030405060708090a0b0c0d0e0f"); !Is(err, Invalid) {
			t.Fatalf("another cluster's receipt: %v", err)
		}
		for _, bad := range []string{token[1:], token + "\n", token[:9] + "\r\n" + token[9:]} {
			if _, err := ParseReceipt(bad, c.ID); !Is(err, Invalid) {
				t.Fatalf("%q: %v", bad, err)
			}
		}
	}
}

func FuzzParseReceipt(f *testing.F) {
	f.Add(ReceiptOf(testCluster().ID, DurabilityDisk, testBlock(3)))
	f.Fuzz(func(t *testing.T, token string) {
		if r, err := ParseReceipt(token, testCluster().ID); err == nil && !r.Positions.Reached(r.Positions) {
			t.Fatal("a receipt that does not reach itself")
		}
	})
}
