package memory

import (
	"testing"

	"penstock"
	"penstock/eventlog/logtest"
)

func TestContract(t *testing.T) {
	cluster := penstock.Cluster{ID: "000102030405060708090a0b0c0d0e0f", Key: penstock.PartitionKey{1}, Partitions: 8}
	logtest.Run(t, logtest.Backend{
		Cluster: cluster,
		Open:    func(*testing.T) logtest.Log { return New(Options{Partitions: 8, Cluster: cluster}) },
		OpenSmall: func(*testing.T) logtest.Log {
			return New(Options{Partitions: 8, Max: 1 << 18, Keep: 1})
		},
	})
}
