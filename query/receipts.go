package query

import (
	"net/http"

	"penstock"
	"penstock/internal/edge"
)

// receiptState is the answer of GET /v1/receipts/{receipt}.
type receiptState struct {
	Durability penstock.Durability `json:"durability"`
	Applied    bool                `json:"applied"` // a query that starts now sees all of its events
	Positions  []placeState        `json:"positions"`
}

type placeState struct {
	Partition penstock.Partition `json:"partition"`
	Epoch     penstock.Epoch     `json:"epoch"`
	Next      penstock.Offset    `json:"next"`
	Applied   bool               `json:"applied"`
}

func (a *API) serveReceipt(w http.ResponseWriter, r *http.Request) error {
	if p := paramsOf(r); p.Err != nil {
		return p.Err
	}
	receipt, err := penstock.ParseReceipt(r.PathValue("receipt"), a.o.Cluster.ID)
	if err != nil {
		return err
	}
	if a.o.Position == nil {
		return missing("store")
	}
	if err := a.checkPartitions(receipt.Positions); err != nil {
		return err
	}
	left := receipt.Positions.Clone()
	if err := dropReached(r.Context(), a.o.Position, left); err != nil {
		return err
	}
	state := receiptState{Durability: receipt.Durability, Applied: len(left) == 0, Positions: []placeState{}}
	for _, p := range receipt.Positions.Partitions() {
		at := receipt.Positions[p]
		_, waits := left[p]
		state.Positions = append(state.Positions, placeState{p, at.Epoch, at.Offset, !waits})
	}
	edge.WriteJSON(w, http.StatusOK, state)
	return nil
}
