package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"penstock/client"
	"penstock/internal/exampletest"
)

// months are those of the file.
var months = [...]time.Month{time.January, time.February, time.March, time.April, time.May, time.June}

// compareViews asks views and the file the same.
func (e *example) compareViews(ctx context.Context) error {
	for _, order := range []string{"", "-flights"} {
		want, err := e.delays(ctx, order)
		if err != nil {
			return err
		}
		if err := e.server.Ask(ctx, exampletest.Question{
			What: "delays per airport, order " + strconv.Quote(order), View: client.ViewQuery{View: "airport_delays", Order: order}, Want: want,
		}); err != nil {
			return err
		}
	}
	for _, month := range months {
		if err := e.compareMonth(ctx, month); err != nil {
			return err
		}
	}
	return nil
}

// delays returns what the file says of each airport's delays.
func (e *example) delays(ctx context.Context, order string) ([]exampletest.Row, error) {
	by := "origin"
	if order != "" {
		by = "count(*) desc, origin"
	}
	rows, err := e.askFile(ctx, "select origin, count(*), quantile_disc(delay, 0.5), quantile_disc(delay, 0.9), quantile_disc(delay, 0.99),"+
		" max(delay) from flights group by origin order by "+by)
	if err != nil {
		return nil, err
	}
	want := make([]exampletest.Row, len(rows))
	for i, r := range rows {
		n, err := whole(r[1:])
		if err != nil {
			return nil, err
		}
		want[i] = exampletest.Row{
			"origin": exampletest.Text(r[0]), "flights": exampletest.Whole(n[0]),
			"p50": exampletest.AboutQuantile(float64(n[1])), "p90": exampletest.AboutQuantile(float64(n[2])), "p99": exampletest.AboutQuantile(float64(n[3])),
			"worst": exampletest.Whole(n[4]),
		}
	}
	return want, nil
}

// compareMonth asks for a month's busiest routes. Windows of a month there are none: its days are merged to one row of a route.
func (e *example) compareMonth(ctx context.Context, month time.Month) error {
	from := time.Date(2001, month, 1, 0, 0, 0, 0, time.UTC)
	to := from.AddDate(0, 1, 0)
	rows, err := e.askFile(ctx, fmt.Sprintf("select origin, destination, count(*), sum(distance) from flights where date >= '%s' and date < '%s'"+
		" group by origin, destination order by count(*) desc, origin, destination limit 25", from.Format(time.DateOnly), to.Format(time.DateOnly)))
	if err != nil {
		return err
	}
	want := make([]exampletest.Row, len(rows))
	for i, r := range rows {
		n, err := whole(r[2:])
		if err != nil {
			return err
		}
		want[i] = exampletest.Row{
			"origin": exampletest.Text(r[0]), "destination": exampletest.Text(r[1]), "flights": exampletest.Whole(n[0]), "miles": exampletest.Whole(n[1]),
		}
	}
	return e.server.Ask(ctx, exampletest.Question{
		What: "busiest routes of " + month.String(), Want: want, First: len(want),
		View: client.ViewQuery{View: "route_days", From: from.Format(time.RFC3339), To: to.Format(time.RFC3339), Every: "all", Order: "-flights"},
	})
}

func whole(texts []string) ([]int64, error) {
	all := make([]int64, len(texts))
	for i, t := range texts {
		n, err := strconv.ParseInt(t, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read the file's answer: %w", err)
		}
		all[i] = n
	}
	return all, nil
}
