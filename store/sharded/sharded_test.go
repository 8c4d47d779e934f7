package sharded

import (
	"testing"

	"penstock"
	"penstock/store/memory"
	"penstock/store/storetest"
)

var testCluster = penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Key: penstock.PartitionKey{9}, Partitions: 8}

const testParked = 64

// contract runs the suite over stores in memory that hold these partitions each.
func contract(t *testing.T, shards ...[]penstock.Partition) {
	open := func(t *testing.T, streams []penstock.Stream) penstock.Store {
		var stores []penstock.Store
		for _, held := range shards {
			stores = append(stores, memory.Open(memory.Options{Cluster: testCluster, Partitions: held, Streams: streams, MaxParked: testParked}))
		}
		s, err := New(stores...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	shardOf := map[penstock.Partition]int{}
	for i, held := range shards {
		for _, p := range held {
			shardOf[p] = i
		}
	}
	storetest.Run(t, storetest.Backend{
		Cluster:   testCluster,
		Open:      func(t *testing.T) penstock.Store { return open(t, nil) },
		OpenWith:  open,
		MaxParked: testParked,
		ReopenWith: func(_ *testing.T, s penstock.Store, streams []penstock.Stream) penstock.Store {
			for _, shard := range s.(*store).shards {
				shard.(*memory.Store).Declare(streams)
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
		ShardOf: func(p penstock.Partition) int { return shardOf[p] },
	})
}

func TestContractOfOne(t *testing.T) { contract(t, penstock.All(8)) }

func TestContractOfTwo(t *testing.T) {
	contract(t, []penstock.Partition{7, 1, 3, 0}, []penstock.Partition{2, 4, 5, 6})
}
