package embedded

import (
	"fmt"
	"testing"

	"penstock"
	"penstock/internal/load"
)

// batches makes batches of events of 250 bytes, in blocks of 1,000, as a consumer that is behind gets them.
type batches struct {
	events  *load.Generator
	builder *penstock.BlockBuilder
	next    penstock.Positions
}

func newBatches(b *testing.B, c penstock.Cluster) *batches {
	b.Helper()
	events, err := load.NewGenerator(load.Shape{}, 1)
	if err != nil {
		b.Fatal(err)
	}
	m := &batches{events, penstock.NewBlockBuilder(penstock.NewPartitioner(c)), penstock.Positions{}}
	for _, p := range penstock.All(c.Partitions) {
		m.next[p] = penstock.Position{}
	}
	return m
}

func (m *batches) batch(rows int) penstock.Batch {
	const blockRows = 1000
	b := penstock.Batch{From: m.next.Clone()}
	for made := 0; made < rows; made += blockRows {
		m.builder.Reset(penstock.DefaultTenant, "bench", 1, blockRows*320)
		for range min(blockRows, rows-made) {
			m.builder.Add(m.events.Next())
		}
		block := m.builder.Take()
		block.Epoch, block.LogTime = 1, 1
		for i := range block.Groups {
			g := &block.Groups[i]
			g.First = m.next[g.Partition].Offset
			m.next[g.Partition] = penstock.Position{Epoch: 1, Offset: g.End()}
		}
		b.Blocks = append(b.Blocks, block)
	}
	b.Next = m.next.Clone()
	return b
}

// BenchmarkApply measures rows a second of one shard.
func BenchmarkApply(b *testing.B) {
	typed := []penstock.Column{
		{Name: "kind", Type: penstock.Text, Path: "kind"}, {Name: "country", Type: penstock.Text, Path: "country"},
		{Name: "amount", Type: penstock.Bigint, Path: "amount"}, {Name: "latency_ms", Type: penstock.Double, Path: "latency_ms"},
	}
	for _, columns := range [][]penstock.Column{nil, typed} {
		for _, rows := range []int{2_000, 10_000, 30_000, 40_960, 50_000, 61_440, 122_880, 140_000, 245_760} {
			b.Run(fmt.Sprintf("columns=%d/rows=%d", len(columns), rows), func(b *testing.B) {
				o := Options{Cluster: testCluster(64), Shards: deal(64, 1), Streams: []penstock.Stream{{Name: "bench", Columns: columns}}}
				d, err := Open(b.Context(), b.TempDir(), o)
				if err != nil {
					b.Fatal(err)
				}
				defer d.Close()
				make := newBatches(b, o.Cluster)
				for b.Loop() {
					b.StopTimer()
					batch := make.batch(rows)
					b.StartTimer()
					if err := d.Shards()[0].Apply(b.Context(), batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}
