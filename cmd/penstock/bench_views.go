package main

import (
	"context"
	"fmt"
	"strings"

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
