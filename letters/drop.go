package letters

import (
	"context"
	"net/http"
	"time"

	"penstock"
)

// dropped is the answer to a page of a drop.
type dropped struct {
	Matched int     `json:"matched"`
	Dropped int     `json:"dropped"`
	Next    *string `json:"next"`
}

func (a *API) serveDrop(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	q, err := a.readAsk(w, r, false)
	if err != nil {
		return err
	}
	began := time.Now()
	n := 0
	drop := func(ctx context.Context, letters []penstock.Letter) error {
		if q.dryRun {
			return nil
		}
		places := make([]penstock.Place, len(letters))
		for i, l := range letters {
			places[i] = placeOf(l)
		}
		were, err := a.o.Letters.Drop(ctx, places)
		n += were
		return err
	}
	p := &page{api: a, ask: q, deal: drop, most: maxPortion, until: began.Add(a.o.Limits.Work)}
	err = a.ended(ctx, p.run(ctx))
	a.trace(Change{"drop", q.dryRun, p.matched, n, 0, time.Since(began), err})
	if err != nil && p.matched == 0 {
		return err
	}
	a.answer(w, dropped{p.matched, n, p.next()})
	return nil
}
