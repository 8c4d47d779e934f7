package memory

import (
	"testing"

	"penstock"
	"penstock/eventlog/logtest"
)

func TestContract(t *testing.T) {
	logtest.Run(t, logtest.Backend{
		Cluster: penstock.Cluster{Partitions: 8},
		Open:    func(*testing.T) logtest.Log { return New(Options{Partitions: 8}) },
		OpenSmall: func(*testing.T) logtest.Log {
			return New(Options{Partitions: 8, Max: 1 << 18, Keep: 1})
		},
	})
}
