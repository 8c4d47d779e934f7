package main

import (
	"encoding/json"
	"fmt"
	"time"

	"penstock/internal/exampletest"
)

// position is where a vehicle was, as it is sent.
type position struct {
	ID      string      `json:"id"`
	At      time.Time   `json:"time"`
	Vehicle string      `json:"vehicle"`
	Fleet   string      `json:"fleet"`
	Lat     json.Number `json:"lat"`
	Lon     json.Number `json:"lon"`
	Speed   int64       `json:"speed"`

	lat, lon int64 // millionths of a degree
}

const (
	positions = 50_000
	vehicles  = 900
	fleets    = 7
)

// happened returns two hours' positions in the order in which the vehicles had them. Some vehicles say far more often than others where they are.
func happened() []position {
	r := exampletest.NewRand(11)
	choose := exampletest.Zipf(r, 1.02, vehicles)
	lat, lon := make([]int64, vehicles), make([]int64, vehicles)
	for v := range vehicles {
		lat[v], lon[v] = r.Int64N(120_000_000)-60_000_000, r.Int64N(360_000_000)-180_000_000
	}
	all := make([]position, positions)
	for i, at := range exampletest.Moments(r, positions, exampletest.Day(), 2*time.Hour) {
		v := choose()
		if i < vehicles {
			v = i // each is seen at least once
		}
		lat[v], lon[v] = lat[v]+r.Int64N(2001)-1000, max(-180_000_000, min(180_000_000, lon[v]+r.Int64N(2001)-1000))
		all[i] = position{
			ID: fmt.Sprintf("%06d", i), At: at, Vehicle: fmt.Sprintf("vehicle-%03d", v), Fleet: fmt.Sprintf("fleet-%d", v%fleets),
			Lat: json.Number(exampletest.FixedText(lat[v], 6)), Lon: json.Number(exampletest.FixedText(lon[v], 6)), Speed: r.Int64N(130),
			lat: lat[v], lon: lon[v],
		}
	}
	return all
}
