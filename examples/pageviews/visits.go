package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"penstock/internal/exampletest"
)

// event is a page that was seen, or the end of a visit, as it is sent.
type event struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"` // view or leave
	Visitor string    `json:"visitor"`
	Page    string    `json:"page,omitempty"`    // of a view
	Landing string    `json:"landing,omitempty"` // of a leave: the visit's first page
	Pages   int       `json:"pages,omitempty"`   // of a leave: how many it had
	Agent   *string   `json:"agent,omitempty"`
}

// person reports whether an event counts: it says that it is of a browser, and not of a bot.
func (e event) person() bool { return e.Agent != nil && !strings.Contains(*e.Agent, "bot") }

const (
	visits   = 13_000
	visitors = 9_000
	pages    = 300
)

// happened returns a week's events, visit by visit.
func happened() []event {
	r := exampletest.NewRand(3)
	visitor, page := exampletest.Zipf(r, 1.05, visitors), exampletest.Zipf(r, 1.2, pages)
	var all []event
	for i, at := range exampletest.Moments(r, visits, exampletest.Day(), 7*24*time.Hour) {
		e := event{At: at, Visitor: fmt.Sprintf("v%04d", visitor()), Agent: agent(r)}
		landing := ""
		for n := 1; ; n++ {
			view := e
			view.Kind, view.ID, view.Page = "view", fmt.Sprintf("%05d-%02d", i, n), fmt.Sprintf("/page/%03d", page())
			if n == 1 {
				landing = view.Page
			}
			all = append(all, view)
			e.At = e.At.Add(time.Second + time.Duration(r.ExpFloat64()*40e6)*time.Microsecond)
			if r.IntN(100) < 45 || n == 50 {
				e.Kind, e.ID, e.Landing, e.Pages = "leave", fmt.Sprintf("%05d-end", i), landing, n
				all = append(all, e)
				break
			}
		}
	}
	return all
}

func agent(r *rand.Rand) *string {
	name := "Mozilla/5.0 (X11; Linux x86_64)"
	switch n := r.IntN(100); {
	case n < 8:
		name = "examplebot/2.1"
	case n < 10:
		return nil
	}
	return &name
}
