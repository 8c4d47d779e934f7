package main

import (
	"encoding/json"
	"fmt"
	"time"

	"penstock/internal/exampletest"
)

// click is one click, as it is sent.
type click struct {
	ID       string      `json:"click_id"`
	At       time.Time   `json:"ts"`
	Campaign string      `json:"campaign"`
	Ad       string      `json:"ad"`
	Visitor  string      `json:"visitor"`
	Cost     json.Number `json:"cost"`

	cost int64 // in units of 0.0001
}

const (
	clicks    = 60_000
	campaigns = 30
	ads       = 100 // of a campaign
	visitors  = 30_000
)

// happened returns a day's clicks in the order in which they happened.
func happened() []click {
	r := exampletest.NewRand(1)
	campaign, ad, visitor := exampletest.Zipf(r, 1.3, campaigns), exampletest.Zipf(r, 1.2, ads), exampletest.Zipf(r, 1.05, visitors)
	all := make([]click, clicks)
	for i, at := range exampletest.Moments(r, clicks, exampletest.Day(), 24*time.Hour) {
		c := &all[i]
		c.ID, c.At = fmt.Sprintf("click-%06d", i), at
		c.Campaign = fmt.Sprintf("campaign-%02d", campaign())
		c.Ad = fmt.Sprintf("%s/ad-%03d", c.Campaign, ad())
		c.Visitor = fmt.Sprintf("v%05d", visitor())
		c.cost = 100 + r.Int64N(30_000)
		c.Cost = json.Number(exampletest.FixedText(c.cost, 4))
	}
	return all
}
