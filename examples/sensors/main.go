// Command sensors shows what is asked of devices: a rollup per sensor and ten minutes, and what each said last, though its readings come out of order.
package main

import (
	"context"
	"slices"
	"time"

	"penstock/client"
	"penstock/internal/exampletest"
)

func main() { exampletest.Main("sensors", play) }

type (
	table = exampletest.Table[reading]
	cell  = exampletest.Cell
	row   = exampletest.Row
)

func play(ctx context.Context, s *exampletest.Server) error {
	all := happened()
	if err := exampletest.Send(ctx, s, "readings", arrivals(all)); err != nil {
		return err
	}
	one := exampletest.Those(all, func(r reading) bool { return r.Sensor == "sensor-042" })
	last := table{Group: "sensor", Row: now, Cell: func(r reading) cell { return cell{Group: r.Sensor} }}
	return s.Ask(ctx,
		exampletest.Question{
			What: "each sensor and ten minutes", Want: perSensor(10 * time.Minute).Rows(all),
			View: client.ViewQuery{View: "sensor_rollup", Limit: 3000},
		},
		exampletest.Question{
			What: "each sensor and hour", Want: perSensor(time.Hour).Rows(all),
			View: client.ViewQuery{View: "sensor_rollup", Every: "1h", Limit: 1000},
		},
		exampletest.Question{What: "each sensor's last reading", Want: last.Rows(all), View: client.ViewQuery{View: "sensor_now"}},
		exampletest.Question{
			What: "one sensor's last reading", Want: last.Rows(one),
			View: client.ViewQuery{View: "sensor_now", Where: map[string]string{"sensor": "sensor-042"}},
		},
	)
}

func perSensor(step time.Duration) table {
	return table{Group: "sensor", Row: rollup, Cell: func(r reading) cell { return cell{Time: r.At.Truncate(step), Group: r.Sensor} }}
}

func byTime(a, b reading) int { return a.At.Compare(b.At) }

func measured(of []reading) []reading {
	return exampletest.Those(of, func(r reading) bool { return r.Celsius != nil })
}

// rollup is what readings of a sensor come to. No two of them have the same time.
func rollup(of []reading) row {
	r := row{
		"readings": exampletest.Whole(len(of)), "battery": exampletest.Whole(slices.MaxFunc(of, byTime).Battery),
		"low": exampletest.Null(), "high": exampletest.Null(), "mean": exampletest.Null(),
	}
	if warm := exampletest.Of(measured(of), func(r reading) int64 { return r.hundredths }); len(warm) > 0 {
		sum := exampletest.Sum(warm, func(n int64) int64 { return n })
		r["low"], r["high"] = exampletest.Fixed(slices.Min(warm), 2), exampletest.Fixed(slices.Max(warm), 2)
		r["mean"] = exampletest.Rounded(float64(sum) / 100 / float64(len(warm)))
	}
	return r
}

func now(of []reading) row {
	last := slices.MaxFunc(of, byTime)
	return row{
		"celsius": exampletest.Fixed(slices.MaxFunc(measured(of), byTime).hundredths, 2),
		"battery": exampletest.Whole(last.Battery),
		"at":      exampletest.Time(last.At),
		"since":   exampletest.Time(slices.MinFunc(of, byTime).At),
	}
}
