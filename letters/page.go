package letters

import (
	"context"
	"errors"
	"time"

	"penstock"
)

// page is the part of a replay or a drop that one request does. Letters are gathered in portions; a portion counts when the
// whole of it was dealt with, so that what a page says of itself is true wherever it ended.
type page struct {
	api     *API
	ask     ask
	deal    func(context.Context, []penstock.Letter) error // with the next letters, at least one
	most    int                                            // letters of a portion
	until   time.Time                                      // when it answers, if it has done something
	matched int
	last    penstock.Place // of the last letter that counts
	more    bool           // the next page begins past it

	portion []penstock.Letter
	size    penstock.Bytes
}

const (
	maxPortion      = 500     // letters, so that others get a word in
	maxPortionBytes = 1 << 20 // about; one letter may be larger
)

// errTime ends a page that has done something.
var errTime = errors.New("the time of the page is up")

// run deals with the letters that the request is about, until there are no more, its limit is reached or its time is up. It
// returns what ended it before that; what was done until then counts.
func (p *page) run(ctx context.Context) error {
	var failed error
	err := p.api.each(ctx, p.ask.selection, func(l penstock.Letter) bool {
		if p.matched+len(p.portion) == p.ask.limit {
			p.more = true
			return false
		}
		if p.size > 0 && p.size+penstock.Bytes(len(l.Body)) > maxPortionBytes {
			failed = p.flush(ctx)
		}
		p.portion = append(p.portion, l)
		p.size += penstock.Bytes(len(l.Body))
		if failed == nil && len(p.portion) >= p.most {
			failed = p.flush(ctx)
		}
		return failed == nil
	})
	if err == nil && failed == nil {
		failed = p.flush(ctx)
	}
	if err == nil {
		err = failed
	}
	p.more = p.more || err != nil
	if err == errTime {
		return nil
	}
	return err
}

// flush deals with the portion.
func (p *page) flush(ctx context.Context) error {
	if len(p.portion) == 0 {
		return nil
	}
	if p.matched > 0 && !time.Now().Before(p.until) {
		return errTime
	}
	if err := p.deal(ctx, p.portion); err != nil {
		return err
	}
	p.matched += len(p.portion)
	p.last = placeOf(p.portion[len(p.portion)-1])
	clear(p.portion)
	p.portion, p.size = p.portion[:0], 0
	return nil
}

// next returns the cursor of the next page, nil behind the last.
func (p *page) next() *string {
	if !p.more {
		return nil
	}
	text := placeText(p.last)
	return &text
}
