// Command locations shows where vehicles are: the last position of each by the time at which it was there, however late it was told.
package main

import (
	"context"
	"slices"
	"time"

	"penstock/client"
	"penstock/internal/exampletest"
)

func main() { exampletest.Main("locations", play) }

type (
	table = exampletest.Table[position]
	row   = exampletest.Row
)

func play(ctx context.Context, s *exampletest.Server) error {
	all := happened()
	sent := exampletest.Arrivals(exampletest.NewRand(12), all, func(p position) time.Time { return p.At })
	half := len(sent) / 2
	if err := exampletest.Send(ctx, s, "positions", sent[:half]); err != nil {
		return err
	}
	everywhere := client.ViewQuery{View: "vehicle_now"}
	known := exampletest.Once(sent[:half], id)
	if err := s.Ask(ctx, exampletest.Question{What: "each vehicle when half is sent", View: everywhere, Want: perVehicle().Rows(known)}); err != nil {
		return err
	}
	if err := exampletest.Send(ctx, s, "positions", sent[half:]); err != nil {
		return err
	}
	fleet := exampletest.Those(all, func(p position) bool { return p.Fleet == "fleet-3" })
	one := exampletest.Those(all, func(p position) bool { return p.Vehicle == "vehicle-007" })
	seen := perVehicle()
	seen.Order = func(of []position) float64 { return float64(last(of).At.UnixMicro()) }
	return s.Ask(ctx,
		exampletest.Question{What: "each vehicle", View: everywhere, Want: perVehicle().Rows(all)},
		exampletest.Question{
			What: "one fleet's vehicles", Want: perVehicle().Rows(fleet),
			View: client.ViewQuery{View: "vehicle_now", Where: map[string]string{"fleet": "fleet-3"}},
		},
		exampletest.Question{
			What: "one vehicle", Want: perVehicle().Rows(one),
			View: client.ViewQuery{View: "vehicle_now", Where: map[string]string{"vehicle": "vehicle-007"}},
		},
		exampletest.Question{
			What: "the ten that were heard of last", Want: seen.Rows(all), First: 10,
			View: client.ViewQuery{View: "vehicle_now", Order: "-at"},
		},
	)
}

func perVehicle() table {
	return table{Row: now, Cell: func(p position) exampletest.Cell { return exampletest.Cell{Group: p.Fleet + " " + p.Vehicle} }}
}

func id(p position) string { return p.ID }

func last(of []position) position {
	return slices.MaxFunc(of, func(a, b position) int { return a.At.Compare(b.At) })
}

// now is what positions of a vehicle come to. No two of them have the same time.
func now(of []position) row {
	p := last(of)
	return row{
		"fleet": exampletest.Text(p.Fleet), "vehicle": exampletest.Text(p.Vehicle),
		"lat": exampletest.Fixed(p.lat, 6), "lon": exampletest.Fixed(p.lon, 6), "speed": exampletest.Whole(p.Speed), "at": exampletest.Time(p.At),
		"fastest": exampletest.Whole(slices.Max(exampletest.Of(of, func(p position) int64 { return p.Speed }))), "positions": exampletest.Whole(len(of)),
	}
}
