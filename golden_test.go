package penstock

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// The bytes of version 1, as docs/format has them. What was written once is read for ever: a change that breaks these tests
// needs a version of its own, and these stay.

const goldenBlock = `
0100 0000 00000000 00000000 07000000
40420f0000000000 80841e0000000000
03000000 76000000 0200 07 06 00000000
64656661756c74 636c69636b73
0300 0000 02000000 2c01000000000000
0700 0000 01000000 2a00000000000000
0000 00 02 0100 0000 07000000 15cd5b0700000000 efcdab8967452301 6531 6b 7b226e223a317d
0100 01 02 0000 0000 02000000 0100000000000000 0200000000000000 6532 7b7d
0000 02 02 0200 0000 04000000 0000000000000080 0300000000000000 05000000 0900000000000000 6533 c3bc 7b0a207d`

const goldenProduced = `
0100 0000 01000000 00000000 07000000
40420f0000000000 80841e0000000000
01000000 20000000 0100 07 06 00000000
64656661756c74 636c69636b73 02 7031 2a00000000000000
0300 0000 01000000 2c01000000000000
0000 01 02 0000 0000 02000000 0100000000000000 0200000000000000 6532 7b7d`

func goldenRecords() string {
	return `default clicks 3 7:300 "e1" "k" 123456789 {"n":1} flags 0 at 1000000 log time 2000000 sum 0x123456789abcdef replay of 0:0 by "":0/0
default clicks 7 7:42 "e2" "" 1 {} flags 1 at 1000000 log time 2000000 sum 0x2 replay of 0:0 by "":0/1
default clicks 3 7:301 "e3" "ü" -9223372036854775808 {
 } flags 0 at 1000000 log time 2000000 sum 0x3 replay of 5:9 by "":0/2
default clicks 3 7:300 "e2" "" 1 {} flags 1 at 1000000 log time 2000000 sum 0x2 replay of 0:0 by "p1":42/0
`
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestGoldenBlock(t *testing.T) {
	var out strings.Builder
	for _, text := range []string{goldenBlock, goldenProduced} {
		raw := unhex(t, text)
		b, err := DecodeBlock(raw)
		if err != nil {
			t.Fatal(err)
		}
		for r := range b.Records() {
			fmt.Fprintf(&out, "%s %s %d %s %q %q %d %s flags %d at %d log time %d sum %#x replay of %s by %q:%d/%d\n",
				r.Tenant, r.Stream, r.Partition, r.Position, r.ID, r.Key, r.Time, r.Body, r.Flags, r.ReceivedAt, r.LogTime, uint64(r.Sum), r.ReplayOf, r.Producer.Name, r.Producer.Seq, r.Item)
		}
		if got := b.AppendTo(nil); hex.EncodeToString(got) != hex.EncodeToString(raw) {
			t.Errorf("written as %x", got)
		}
	}
	if out.String() != goldenRecords() {
		t.Errorf("read as\n%s", out.String())
	}
}

// What a builder makes today, once the log has given it its place.
func TestGoldenBlockIsWrittenToday(t *testing.T) {
	bb := NewBlockBuilder(NewPartitioner(testCluster()))
	bb.Reset(DefaultTenant, "clicks", 5, 0)
	bb.Add(Event{ID: []byte("e1"), Key: []byte("k"), Time: 6, Body: []byte(`{"n":1}`), Sum: 9})
	b := bb.Take()
	b.Epoch, b.LogTime, b.Groups[0].First = 1, 7, 8
	want := unhex(t, `
0100 0000 00000000 00000000 01000000
0500000000000000 0700000000000000
01000000 26000000 0100 07 06 00000000
64656661756c74 636c69636b73
`+fmt.Sprintf("%02x00", uint16(b.Groups[0].Partition))+` 0000 01000000 0800000000000000
0000 00 02 0100 0000 07000000 0600000000000000 0900000000000000 6531 6b 7b226e223a317d`)
	if got := b.AppendTo(nil); hex.EncodeToString(got) != hex.EncodeToString(want) {
		t.Errorf("written as %x, want %x", got, want)
	}
}

// The choice of partitions is part of the format: a key that moved would be in two places.
func TestGoldenPartitions(t *testing.T) {
	c := Cluster{Key: PartitionKey{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, Partitions: 1024}
	p := NewPartitioner(c)
	var got []Partition
	for _, e := range [][2]string{{"k", "id"}, {"", "id"}, {"id", ""}, {"ü", "x"}, {strings.Repeat("k", 256), "x"}} {
		got = append(got, p.Of(DefaultTenant, "clicks", []byte(e[0]), []byte(e[1])))
	}
	got = append(got, p.Of(DefaultTenant, "orders", []byte("k"), nil), p.Of("other", "clicks", []byte("k"), nil))
	if want := "[32 400 687 450 256 606 157]"; fmt.Sprint(got) != want {
		t.Errorf("partitions %v, want %s", got, want)
	}
	if got := c.Key.Fingerprint(); got != "acc965799e5f6171" {
		t.Errorf("fingerprint %s", got)
	}
}

func TestGoldenReceipt(t *testing.T) {
	const token = "AQABAAECAwQFBgcICQoLDA0ODwMAAQE_AqwC_wf_____D___________fzuC9Mk"
	r := Receipt{Cluster: testCluster().ID, Durability: DurabilityDisk, Positions: Positions{
		0: {1, 1}, 63: {2, 300}, 1023: {1<<32 - 1, 1<<63 - 1},
	}}
	if got := r.String(); got != token {
		t.Errorf("written as %s", got)
	}
	got, err := ParseReceipt(token, testCluster().ID)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(r) {
		t.Errorf("read as %v, %v", got, err)
	}
}
