// Command metrics shows what dashboards ask of series: the least, the most, the mean and the last value of each minute, and of longer steps
// that are made of minutes when asked for.
package main

import (
	"context"
	"slices"
	"time"

	"penstock/client"
	"penstock/internal/exampletest"
)

func main() { exampletest.Main("metrics", play) }

type (
	table = exampletest.Table[sample]
	cell  = exampletest.Cell
	row   = exampletest.Row
)

func play(ctx context.Context, s *exampletest.Server) error {
	all := happened()
	sent := exampletest.Arrivals(exampletest.NewRand(8), all, func(s sample) time.Time { return s.At })
	if err := exampletest.Send(ctx, s, "samples", sent); err != nil {
		return err
	}
	one := exampletest.Those(all, func(s sample) bool { return s.Series == "series-003" })
	peaks := perSeries(time.Minute)
	peaks.Order = highest
	hosts := table{Group: "labels_host", Row: load, Cell: func(s sample) cell { return cell{Time: s.At.Truncate(15 * time.Minute), Group: s.Labels.Host} }}
	return s.Ask(ctx,
		exampletest.Question{
			What: "each series and minute", Want: perSeries(time.Minute).Rows(all),
			View: client.ViewQuery{View: "series_minutes", Limit: 5000},
		},
		exampletest.Question{
			What: "each series and ten minutes", Want: perSeries(10 * time.Minute).Rows(all),
			View: client.ViewQuery{View: "series_minutes", Every: "10m"},
		},
		exampletest.Question{
			What: "one series' five highest minutes", Want: peaks.Rows(one), First: 5,
			View: client.ViewQuery{View: "series_minutes", Where: map[string]string{"series": "series-003"}, Order: "-highest"},
		},
		exampletest.Question{
			What: "each host and quarter of an hour", Want: hosts.Rows(all),
			View: client.ViewQuery{View: "host_minutes", Every: "15m"},
		},
	)
}

func perSeries(step time.Duration) table {
	return table{Group: "series", Row: summary, Cell: func(s sample) cell { return cell{Time: s.At.Truncate(step), Group: s.Series} }}
}

func value(s sample) float64 { return s.Value }

func highest(of []sample) float64 { return slices.Max(exampletest.Of(of, value)) }

func total(of []sample) float64 {
	sum := 0.0
	for _, s := range of {
		sum += s.Value
	}
	return sum
}

// summary is what samples of a series come to. No two of them have the same time.
func summary(of []sample) row {
	return row{
		"samples": exampletest.Whole(len(of)),
		"lowest":  exampletest.Same(slices.Min(exampletest.Of(of, value))),
		"highest": exampletest.Same(highest(of)),
		"mean":    exampletest.Rounded(total(of) / float64(len(of))),
		"last":    exampletest.Same(slices.MaxFunc(of, func(a, b sample) int { return a.At.Compare(b.At) }).Value),
	}
}

func load(of []sample) row {
	return row{
		"samples": exampletest.Whole(len(of)), "total": exampletest.Rounded(total(of)), "median": exampletest.Quantile(exampletest.Of(of, value), 0.5),
	}
}
