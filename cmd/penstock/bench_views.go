package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"penstock/internal/load/child"
	"penstock/internal/load/probe"
)

// benchView is a view of what the generator sends.
type benchView struct {
	name string // behind the stream's
	text string // what the configuration says of it, without the stream
}

// benchViews are those of --views, in this order. Each counts all rows in n, so that it can be checked.
var benchViews = [...]benchView{
	{"by_key", "group: [key], window: 1m, measures: {n: count}"},
	{"by_country", `group: [country], measures: {n: count, total: sum(amount), p95: "quantile(latency_ms, 0.95)"}`},
	{"by_kind", `group: [kind], measures: {n: count, keys: unique(key), hot: "top(key, 100)"}`},
}

// viewsConfig is what the file of a server of ours says of its views.
func (f *benchFlags) viewsConfig() string {
	if f.views == 0 {
		return ""
	}
	var text strings.Builder
	text.WriteString("views:\n")
	for _, v := range benchViews[:f.views] {
		fmt.Fprintf(&text, "  %s_%s: {stream: %s, %s}\n", f.stream, v.name, f.stream, v.text)
	}
	return text.String()
}

// checkViews fails unless every view counts as many rows as there are.
func (f *benchFlags) checkViews(ctx context.Context, ask *probe.Probe, rows int64) error {
	for _, v := range benchViews[:f.views] {
		name := f.stream + "_" + v.name
		counted, err := ask.Number(ctx, "select cast(coalesce(sum(n), 0) as bigint) from "+name)
		if err != nil {
			return err
		}
		if counted != rows {
			return fmt.Errorf("the view %s counts %d rows, SQL %d", name, counted, rows)
		}
	}
	return nil
}

// ticksPerSecond is the unit of /proc's times on Linux.
const ticksPerSecond = 100

// processorSeconds returns the processor time that a process has taken so far: of a busy machine it says more than a rate. It is 0
// without a process of ours, and where there is no /proc.
func processorSeconds(p *child.Process) float64 {
	if p == nil {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		return 0
	}
	return processorSecondsIn(string(text))
}

func processorSecondsIn(stat string) float64 {
	const user, system = 11, 12 // fields behind the name, which is in parentheses and may have any characters
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) <= system {
		return 0
	}
	ticks := 0.0
	for _, i := range []int{user, system} {
		n, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return ticks / ticksPerSecond
}
