package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"penstock/internal/exampletest"
)

// reading is what a sensor says, as it is sent.
type reading struct {
	ID      string       `json:"id"`
	At      time.Time    `json:"time"`
	Sensor  string       `json:"sensor"`
	Celsius *json.Number `json:"celsius"` // null: it was not to be had
	Battery int          `json:"battery"`

	hundredths int64
}

const (
	sensors = 250
	each    = 200
)

// happened returns six hours' readings, sensor by sensor.
func happened() []reading {
	r := exampletest.NewRand(9)
	var all []reading
	for i := range sensors {
		celsius := r.Int64N(3000) - 500
		sensor := fmt.Sprintf("sensor-%03d", i)
		for j, at := range exampletest.Moments(r, each, exampletest.Day(), 6*time.Hour) {
			celsius += r.Int64N(41) - 20
			one := reading{ID: fmt.Sprintf("%s/%d", sensor, j), At: at, Sensor: sensor, Battery: 100 - j/4, hundredths: celsius}
			if r.IntN(100) > 0 {
				number := json.Number(exampletest.FixedText(celsius, 2))
				one.Celsius = &number
			}
			all = append(all, one)
		}
	}
	return all
}

// arrivals returns readings as they come: as others do, but each sensor was out of reach in its last half an hour, and then sent what it had kept, the
// newest first.
func arrivals(all []reading) []reading {
	border := exampletest.Day().Add(5*time.Hour + 30*time.Minute)
	arrived := exampletest.Arrivals(exampletest.NewRand(10), all, func(r reading) time.Time { return r.At })
	kept := exampletest.Those(arrived, func(r reading) bool { return r.At.After(border) })
	slices.SortStableFunc(kept, func(a, b reading) int { return b.At.Compare(a.At) })
	return append(exampletest.Those(arrived, func(r reading) bool { return !r.At.After(border) }), kept...)
}
