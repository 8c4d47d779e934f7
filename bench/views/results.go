package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// results are what the plots need of all that was measured.
type results struct {
	counted map[counter][]float64 // events a second
	stored  map[int][]float64     // events a second end to end, by how many views the stream has
	asked   []question
	groups  int64
	members int64
}

// counter is one way to count events of one key.
type counter struct {
	Store, How string
	Clients    int
}

// question is how long one kind of question took, in milliseconds.
type question struct {
	Name    string
	Latency struct{ P50, P99 float64 } `json:"latency_ms"`
	Errors  int64
}

// line is a line of results, of whichever kind.
type line struct {
	ID     string
	Result struct {
		Kind            string
		EventsPerSecond float64 `json:"events_per_second"`
		Views           int
		Groups, Members int64
		Prefix          string // of keys
		Queries         []question
		Runs            []struct {
			counter
			EventsPerSecond float64 `json:"events_per_second"`
		}
	}
}

// read adds the lines of a file. What says nothing of views is passed over.
func (r *results) read(text []byte) error {
	if r.counted == nil {
		r.counted, r.stored = map[counter][]float64{}, map[int][]float64{}
	}
	for raw := range bytes.Lines(text) {
		var l line
		if err := json.Unmarshal(raw, &l); err != nil {
			return err
		}
		switch l.Result.Kind {
		case "naive":
			for _, one := range l.Result.Runs {
				r.counted[one.counter] = append(r.counted[one.counter], one.EventsPerSecond)
			}
		case "e2e":
			if strings.HasPrefix(l.ID, "views-e2e-") {
				r.stored[l.Result.Views] = append(r.stored[l.Result.Views], l.Result.EventsPerSecond)
			}
		case "views":
			r.groups, r.members = l.Result.Groups, l.Result.Members
			r.addAsked(l.Result.Prefix, l.Result.Queries)
		}
	}
	return nil
}

// addAsked adds the questions of one run. Members have keys of either kind alike.
func (r *results) addAsked(prefix string, asked []question) {
	for _, q := range asked {
		if !strings.HasPrefix(q.Name, "one group") {
			r.asked = slices.DeleteFunc(r.asked, func(old question) bool { return old.Name == q.Name })
		}
		if len(prefix) > 1 {
			q.Name = strings.Replace(q.Name, "one group", "one group, long keys", 1)
		}
		r.asked = append(r.asked, q)
	}
}

// charts returns the plots.
func (r *results) charts() []chart {
	var all []chart
	for _, c := range []chart{r.naiveChart(), r.costChart(), r.askedChart()} {
		if len(c.bars) > 0 {
			all = append(all, c)
		}
	}
	return all
}

func (r *results) naiveChart() chart {
	c := chart{
		file: "views-naive.svg", title: "Counting events of one key",
		note: "events a second, each answered when it is synced; beside it how many times as fast the first is",
	}
	names := map[string]string{"penstock": "Penstock, ", "sqlite": "SQLite, ", "postgresql": "PostgreSQL, "}
	ways := slices.SortedFunc(maps.Keys(r.counted), func(a, b counter) int {
		return compare(median(r.counted[b]), median(r.counted[a]))
	})
	for _, w := range ways {
		rate, best := median(r.counted[w]), median(r.counted[ways[0]])
		one := bar{label: names[w.Store] + w.How + ", " + clients(w.Clients), value: rate, text: short(rate), pale: w.Store != "penstock"}
		if w.Store != "penstock" {
			one.label = names[w.Store] + "UPDATE, " + clients(w.Clients)
		}
		if w != ways[0] {
			one.text += fmt.Sprintf("  ·  %.0f times", best/rate)
		}
		c.bars = append(c.bars, one)
	}
	return c
}

func (r *results) costChart() chart {
	c := chart{
		file: "views-cost.svg", title: "End to end with views on the stream",
		note: "events a second from HTTP in until SQL and the views see them; the line is 0.7 of the rate without views",
	}
	without := median(r.stored[0])
	for _, n := range slices.Sorted(maps.Keys(r.stored)) {
		rate := median(r.stored[n])
		one := bar{label: fmt.Sprintf("%d views", n), value: rate, text: short(rate), pale: n == 0}
		if n == 1 {
			one.label = "1 view"
		}
		if n > 0 && without > 0 {
			one.text += fmt.Sprintf("  ·  %.2f", rate/without)
		}
		c.bars = append(c.bars, one)
	}
	c.line = 0.7 * without
	return c
}

func (r *results) askedChart() chart {
	c := chart{
		file: "views-asked.svg", title: "One question to a view",
		note: fmt.Sprintf("milliseconds over HTTP; a group of %s, a rank and the first hundred of %s members; the line is 10 ms", short(float64(r.groups)), short(float64(r.members))),
		line: 10,
	}
	for _, q := range r.asked {
		c.bars = append(c.bars,
			bar{label: q.Name + ", median", value: q.Latency.P50, text: fmt.Sprintf("%.1f ms", q.Latency.P50)},
			bar{label: q.Name + ", p99", value: q.Latency.P99, text: fmt.Sprintf("%.1f ms", q.Latency.P99), pale: true})
	}
	return c
}

func clients(n int) string {
	if n == 1 {
		return "1 client"
	}
	return fmt.Sprintf("%d clients", n)
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[len(sorted)/2] + sorted[(len(sorted)-1)/2]) / 2
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// short returns a number with three digits.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.3g M", v/1e6)
	case v >= 1e5:
		return fmt.Sprintf("%.0f K", v/1e3)
	case v >= 1e3:
		return fmt.Sprintf("%.3g K", v/1e3)
	}
	return fmt.Sprintf("%.3g", v)
}
