// Command logs shows what operators ask of logs: errors per service and minute, and how long requests take.
package main

import (
	"context"
	"slices"
	"time"

	"penstock/client"
	"penstock/internal/exampletest"
)

func main() { exampletest.Main("logs", play) }

type (
	table = exampletest.Table[line]
	cell  = exampletest.Cell
	row   = exampletest.Row
)

func play(ctx context.Context, s *exampletest.Server) error {
	all := happened()
	sent := exampletest.Arrivals(exampletest.NewRand(6), all, func(l line) time.Time { return l.At })
	if err := exampletest.Send(ctx, s, "lines", sent); err != nil {
		return err
	}
	errors := exampletest.Those(all, func(l line) bool { return l.Level == "error" })
	requests := exampletest.Those(all, func(l line) bool { return l.Duration != nil })
	one := exampletest.Those(errors, func(l line) bool { return l.Service == "service-02" })
	return s.Ask(ctx,
		exampletest.Question{
			What: "errors per service and minute", Want: table{Group: "service", Row: failures, Cell: per(time.Minute)}.Rows(errors),
			View: client.ViewQuery{View: "error_minutes", Limit: 1000},
		},
		exampletest.Question{
			What: "the ten worst minutes", Want: table{Group: "service", Row: failures, Cell: per(time.Minute), Order: count}.Rows(errors), First: 10,
			View: client.ViewQuery{View: "error_minutes", Order: "-errors"},
		},
		exampletest.Question{
			What: "one service's errors per quarter of an hour", Want: table{Group: "service", Row: failures, Cell: per(15 * time.Minute)}.Rows(one),
			View: client.ViewQuery{View: "error_minutes", Every: "15m", Where: map[string]string{"service": "service-02"}},
		},
		exampletest.Question{
			What: "durations per service and 5 minutes", Want: table{Group: "service", Row: times, Cell: per(5 * time.Minute)}.Rows(requests),
			View: client.ViewQuery{View: "request_times"},
		},
		exampletest.Question{
			What: "durations per service and hour", Want: table{Group: "service", Row: times, Cell: per(time.Hour)}.Rows(requests),
			View: client.ViewQuery{View: "request_times", Every: "1h"},
		},
		exampletest.Question{
			What: "durations per service, the busiest first", Want: table{Group: "service", Row: times, Cell: per(0), Order: count}.Rows(requests),
			View: client.ViewQuery{View: "request_times", Every: "all", Order: "-requests"},
		},
	)
}

// per returns where lines count in windows of this length; 0: none.
func per(window time.Duration) func(line) cell {
	return func(l line) cell {
		if window == 0 {
			return cell{Group: l.Service}
		}
		return cell{Time: l.At.Truncate(window), Group: l.Service}
	}
}

func count(of []line) float64 { return float64(len(of)) }

// failures is what errors come to. No two lines have the same time.
func failures(of []line) row {
	byTime := func(a, b line) int { return a.At.Compare(b.At) }
	return row{
		"errors": exampletest.Whole(len(of)),
		"first":  exampletest.Text(slices.MinFunc(of, byTime).Message),
		"last":   exampletest.Text(slices.MaxFunc(of, byTime).Message),
	}
}

func times(of []line) row {
	durations := exampletest.Of(of, func(l line) float64 { return *l.Duration })
	return row{
		"requests": exampletest.Whole(len(of)),
		"p50":      exampletest.Quantile(durations, 0.5),
		"p99":      exampletest.Quantile(durations, 0.99),
		"slowest":  exampletest.Same(slices.Max(durations)),
		"routes":   exampletest.Top(exampletest.Of(of, func(l line) string { return l.Route }), 5),
	}
}
