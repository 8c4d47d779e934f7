package letters

import (
	"context"

	"penstock"
)

// selection says which letters a request is about, and past which place.
type selection struct {
	penstock.LetterQuery
	named  bool             // only letters of places
	places []penstock.Place // in order, each once
}

// step is how many letters are read at once: they come with their bodies.
const step = 50

// each calls yield with the letters of a selection, in the order of their places, until it returns false or there are no more.
func (a *API) each(ctx context.Context, s selection, yield func(penstock.Letter) bool) error {
	if s.named {
		return a.eachNamed(ctx, s, yield)
	}
	for {
		q := s.LetterQuery
		q.Limit = step
		found, err := a.o.Letters.Letters(ctx, q)
		if err != nil {
			return err
		}
		for _, l := range found {
			if !yield(l) {
				return nil
			}
			s.After = placeOf(l)
		}
		if len(found) < step {
			return nil
		}
	}
}

func (a *API) eachNamed(ctx context.Context, s selection, yield func(penstock.Letter) bool) error {
	for _, at := range s.places {
		if !s.After.Less(at) {
			continue
		}
		l, err := a.find(ctx, at)
		switch {
		case penstock.Is(err, penstock.NotFound):
			continue
		case err != nil:
			return err
		}
		if s.matches(l) && !yield(l) {
			return nil
		}
	}
	return nil
}

// find returns the letter of a place.
func (a *API) find(ctx context.Context, at penstock.Place) (penstock.Letter, error) {
	found, err := a.o.Letters.Letters(ctx, penstock.LetterQuery{After: before(at), Limit: 1})
	if err != nil {
		return penstock.Letter{}, err
	}
	if len(found) == 0 || placeOf(found[0]) != at {
		return penstock.Letter{}, penstock.Errorf(penstock.NotFound, "find letter", "there is no letter at %s", placeText(at))
	}
	return found[0], nil
}

func (s selection) matches(l penstock.Letter) bool {
	return (s.Stream == "" || s.Stream == l.Stream) && (s.ID == "" || s.ID == l.ID) &&
		(s.Reason == "" || s.Reason == l.Reason) && (s.State == "" || s.State == l.State)
}

func placeOf(l penstock.Letter) penstock.Place {
	return penstock.Place{Partition: l.Partition, Position: l.Position}
}
