package killtest

import (
	"fmt"
	"strings"
)

// source is a stream and the writers that send to it.
type source struct {
	stream  string
	writers int
	options string // of the stream, in the configuration
	hot     bool   // three events of ten have the same key
	numbers bool   // requests are numbered: only by that are repeats known
	poison  bool   // may carry events that cannot be rows
}

// sources are what a run writes. Each shows another way to be exactly once: ids that are remembered, dead letters that halt their keys,
// and numbers of requests without any memory of ids.
var sources = [...]source{
	{stream: "kill", writers: 4, hot: true},
	{stream: halting, writers: 2, options: "on_poison: halt_key", poison: true},
	{stream: "numbered", writers: 2, options: "dedup: off", hot: true, numbers: true},
}

const (
	halting    = "halting"
	writers    = 8 // of all sources together
	partitions = 64
	hotKey     = "hot"
	began      = 1_772_323_200 // seconds since 1970: the time of the first events
	poisonous  = 499           // every so many events of a source are poison, if any are
)

// configuration is the server's file. Columns late_1, late_2, … are those that were declared after their events had been sent.
func (t *tester) configuration() string {
	var b strings.Builder
	fmt.Fprintf(&b, "listen: 127.0.0.1:0\ndata: %q\nstreams:\n", t.data())
	for _, s := range sources {
		fmt.Fprintf(&b, "  %s:\n    columns: {amount: bigint, country: text", s.stream)
		for i := range t.late {
			if s.poison {
				fmt.Fprintf(&b, ", late_%d: bigint", i+1)
			}
		}
		b.WriteString("}\n")
		if s.options != "" {
			fmt.Fprintf(&b, "    %s\n", s.options)
		}
	}
	return b.String() + configureViews(t.views)
}

// everything is a query for all rows of all streams, as a table.
func everything() string {
	parts := make([]string, len(sources))
	for i, s := range sources {
		parts[i] = fmt.Sprintf("select '%s' as stream, id, key, data, amount, country, time, received_at, _partition, _epoch, _offset, _replay_of from %s", s.stream, s.stream)
	}
	return "(" + strings.Join(parts, " union all ") + ") as everything"
}
