package sharded

import (
	"testing"

	"penstock"
	"penstock/store/memory"
	"penstock/store/storetest"
)

func contract(t *testing.T, shards func() []penstock.Store, shardOf func(penstock.Partition) int) {
	storetest.Run(t, storetest.Backend{
		Cluster: penstock.Cluster{Partitions: 8},
		Open: func(t *testing.T) penstock.Store {
			s, err := New(shards()...)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Rows: func(_ *testing.T, s penstock.Store) []storetest.Row {
			var rows []storetest.Row
			for _, shard := range s.(*store).shards {
				for _, r := range shard.(*memory.Store).Records() {
					rows = append(rows, storetest.RowOf(&r))
				}
			}
			return rows
		},
		ShardOf: shardOf,
	})
}

func TestContractOfOne(t *testing.T) {
	contract(t, func() []penstock.Store { return []penstock.Store{memory.New(penstock.All(8)...)} }, nil)
}

func TestContractOfTwo(t *testing.T) {
	contract(t, func() []penstock.Store {
		return []penstock.Store{memory.New(7, 1, 3, 0), memory.New(2, 4, 5, 6)}
	}, func(p penstock.Partition) int {
		return map[penstock.Partition]int{2: 1, 4: 1, 5: 1, 6: 1}[p]
	})
}
