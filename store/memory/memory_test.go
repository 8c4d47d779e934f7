package memory

import (
	"testing"

	"penstock"
	"penstock/store/storetest"
)

func TestContract(t *testing.T) {
	const parked = 64
	cluster := penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Key: penstock.PartitionKey{7}, Partitions: 8}
	storetest.Run(t, storetest.Backend{
		Cluster: cluster,
		Open:    func(*testing.T) penstock.Store { return New(penstock.All(8)...) },
		OpenWith: func(_ *testing.T, streams []penstock.Stream) penstock.Store {
			return Open(Options{Cluster: cluster, Partitions: penstock.All(8), Streams: streams, MaxParked: parked})
		},
		MaxParked: parked,
		ReopenWith: func(_ *testing.T, s penstock.Store, streams []penstock.Stream) penstock.Store {
			s.(*Store).Declare(streams)
			return s
		},
		Rows: func(_ *testing.T, s penstock.Store) []storetest.Row {
			var rows []storetest.Row
			for _, r := range s.(*Store).Records() {
				rows = append(rows, storetest.RowOf(&r))
			}
			return rows
		},
	})
}
