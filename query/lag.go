package query

import (
	"net/http"

	"penstock"
	"penstock/internal/edge"
)

// Lag says how far the stores are behind the log: the answer of GET /v1/lag.
type Lag struct {
	Events       int64      `json:"events"`
	Seconds      float64    `json:"seconds"`
	DrainSeconds *float64   `json:"drain_seconds"` // until the stores caught up at the present rates; nil: never, or not known
	Stores       []StoreLag `json:"stores"`
}

// StoreLag is the lag of one store.
type StoreLag struct {
	Store      string         `json:"store"`
	Events     int64          `json:"events"`
	Seconds    float64        `json:"seconds"`
	Partitions []PartitionLag `json:"partitions"`
}

// PartitionLag is where a store stands in a partition, and where the partition ends.
type PartitionLag struct {
	Partition penstock.Partition `json:"partition"`
	Position  penstock.Offset    `json:"position"`
	Next      penstock.Offset    `json:"next"`
}

func (a *API) serveLag(w http.ResponseWriter, r *http.Request) error {
	if p := paramsOf(r); p.Err != nil {
		return p.Err
	}
	if a.o.Lag == nil {
		return missing("consumer")
	}
	lag, err := a.o.Lag(r.Context())
	if err != nil {
		return err
	}
	if lag.Stores == nil {
		lag.Stores = []StoreLag{}
	}
	for i := range lag.Stores {
		if lag.Stores[i].Partitions == nil {
			lag.Stores[i].Partitions = []PartitionLag{}
		}
	}
	edge.WriteJSON(w, http.StatusOK, lag)
	return nil
}
