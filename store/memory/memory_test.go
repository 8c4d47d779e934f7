package memory

import (
	"testing"

	"penstock"
	"penstock/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Backend{
		Cluster: penstock.Cluster{Partitions: 8},
		Open:    func(*testing.T) penstock.Store { return New(penstock.All(8)...) },
		Rows: func(_ *testing.T, s penstock.Store) []storetest.Row {
			var rows []storetest.Row
			for _, r := range s.(*Store).Records() {
				rows = append(rows, storetest.RowOf(&r))
			}
			return rows
		},
	})
}
